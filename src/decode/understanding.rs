//! The generator asked about a picture: `mmu_generate` in the reference.
//!
//! The picture's part of the sequence sees nothing but itself, so its keys and values are computed once ([`Seen`]) and every
//! question goes on from them. Reading a token gives a [`Reading`], from which an answer is taken.

use burn::tensor::{Device, Tensor};

use super::DeviceError;
use super::generator::ids_tensor;
use super::sampling::read_floats;
use crate::config::ShowoConfig;
use crate::model::showo::{FORBIDDEN, Prefix, Showo};
use crate::prompt::{Answers, seen_segment};

/// A picture that the generator has looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    prefix: Prefix,
}

/// A sequence that the generator has read to its end.
#[derive(Debug, Clone)]
pub struct Reading {
    prefix: Prefix,
    /// The last token's state, `[1, d]`.
    hidden: Tensor<2>,
}

impl Seen {
    /// Looks at a picture of N codes.
    #[must_use]
    pub fn new(showo: &Showo, config: &ShowoConfig, codes: &[i32], device: &Device) -> Self {
        let ids = seen_segment(config, codes);
        let bias = Tensor::zeros([1, 1, 1, ids.len()], device);
        Self { prefix: showo.prefix(ids_tensor(&[ids], device), bias) }
    }

    /// Reads what stands behind the picture, one id at least: `<bos>` and the question.
    #[must_use]
    pub fn read(&self, showo: &Showo, text: &[u32], device: &Device) -> Reading {
        let (before, count) = (self.prefix.len(), text.len());
        let allowed =
            |row: usize| (0..before + count).map(move |column| if column <= before + row { 0.0 } else { FORBIDDEN });
        let bias: Vec<f32> = (0..count).flat_map(allowed).collect();
        let bias = Tensor::from_data(burn::tensor::TensorData::new(bias, [1, 1, count, before + count]), device);
        read(showo, &self.prefix, text, &bias, device)
    }
}

impl Reading {
    /// Logits of what comes next, over the whole vocabulary: `[1, vocab]`.
    ///
    /// # Panics
    /// The generator was loaded to draw alone.
    #[must_use]
    pub fn logits(&self, showo: &Showo) -> Tensor<2> {
        showo.logits(self.hidden.clone())
    }

    /// `p(yes) / (p(yes) + p(no))` of what comes next, from the answers' rows of the head alone.
    ///
    /// # Errors
    /// The device failed.
    ///
    /// # Panics
    /// As [`Reading::logits`].
    pub async fn yes(&self, showo: &Showo, answers: &Answers) -> Result<f32, DeviceError> {
        let ids = [&answers.yes[..], &answers.no].concat();
        let logits = read_floats(showo.logits_of(self.hidden.clone(), &ids)).await?;
        let (yes, no) = logits.split_at(answers.yes.len().min(logits.len()));
        Ok((1.0 / (1.0 + (log_sum(no) - log_sum(yes)).exp())) as f32)
    }

    /// Reads one more token.
    #[must_use]
    pub fn then(&self, showo: &Showo, id: u32) -> Self {
        let device = self.hidden.device();
        // A new token sees all that came before it.
        let bias = Tensor::zeros([1, 1, 1, self.prefix.len() + 1], &device);
        read(showo, &self.prefix, &[id], &bias, &device)
    }

    /// The likeliest continuation, token by token, to `end` (which it leaves out) or `most` tokens.
    ///
    /// # Errors
    /// The device failed.
    ///
    /// # Panics
    /// As [`Reading::logits`].
    pub async fn answer(&self, showo: &Showo, end: u32, most: usize) -> Result<Vec<u32>, DeviceError> {
        let (mut answer, mut reading) = (Vec::new(), self.clone());
        while answer.len() < most {
            let next = likeliest(&read_floats(reading.logits(showo)).await?);
            if next == end {
                break;
            }
            answer.push(next);
            if answer.len() < most {
                reading = reading.then(showo, next);
            }
        }
        Ok(answer)
    }
}

fn read(showo: &Showo, prefix: &Prefix, ids: &[u32], bias: &Tensor<4>, device: &Device) -> Reading {
    let (prefix, hidden) = showo.go_on(prefix, ids_tensor(&[ids.to_vec()], device), bias);
    let [_, tokens, d] = hidden.dims();
    Reading { prefix, hidden: hidden.narrow(1, tokens - 1, 1).reshape([1, d]) }
}

/// The id with the highest logit; the first of equals, 0 for none.
#[must_use]
pub fn likeliest(logits: &[f32]) -> u32 {
    let best = |best: usize, (at, &logit): (usize, &f32)| if logit > logits[best] { at } else { best };
    logits.iter().enumerate().fold(0, best) as u32
}

/// `ln Σ exp`.
fn log_sum(logits: &[f32]) -> f64 {
    let high = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(high) + logits.iter().map(|&logit| f64::from(logit - high).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_is_the_first_of_equals() {
        assert_eq!(likeliest(&[0.5, 2.0, 2.0, -1.0]), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY, -3.0]), 1);
        assert_eq!(likeliest(&[]), 0);
    }

    #[test]
    fn sums_of_exponentials_do_not_overflow() {
        assert!((log_sum(&[1000.0, 1000.0]) - (1000.0 + 2f64.ln())).abs() < 1e-9);
        assert!((log_sum(&[0.0, 3f32.ln()]) - 4f64.ln()).abs() < 1e-6);
    }
}
