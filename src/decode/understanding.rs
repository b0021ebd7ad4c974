//! The generator asked about a picture: `mmu_generate` in the reference.
//!
//! The picture's part of the sequence sees nothing but itself, so its keys and values are computed once ([`Seen`]) and every
//! question goes on from them. Reading a token gives a [`Reading`], from which an answer is taken. A verifier has one question
//! about several pictures instead, and asks it in one forward ([`odds_of`]).

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};

use super::DeviceError;
use super::generator::ids_tensor;
use super::sampling::read_floats;
use crate::config::ShowoConfig;
use crate::model::showo::{FORBIDDEN, Prefix, Showo};
use crate::prompt::{Answers, SelfQuestion, question_allowed, seen_segment};

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
        let bias = Tensor::from_data(TensorData::new(bias, [1, 1, count, before + count]), device);
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
        let odds = read_floats(odds(showo, self.hidden.clone(), answers)).await?;
        Ok(odds.first().copied().unwrap_or(f32::NAN))
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

/// `p(yes) / (p(yes) + p(no))` of the answer to one question about each of several pictures of N codes, `[pictures]`. It is one
/// forward over the whole sequences, `[pictures, N + 3 + question]`, which keeps no layer's keys and values.
///
/// # Panics
/// As [`Showo::logits_of`].
#[must_use]
pub fn odds_of(
    showo: &Showo,
    config: &ShowoConfig,
    pictures: &[&[i32]],
    question: &SelfQuestion,
    device: &Device,
) -> Tensor<1> {
    let sequence = |codes: &&[i32]| [seen_segment(config, codes), question.ids.clone()].concat();
    let sequences: Vec<Vec<u32>> = pictures.iter().map(sequence).collect();
    let Some(first) = sequences.first() else { return Tensor::zeros([0], device) };
    let (count, length) = (sequences.len(), first.len());
    // They differ in their codes alone: what may attend to what is the same for all.
    let allowed = question_allowed(config, first).into_iter().flatten();
    let bias: Vec<f32> = allowed.map(|may| if may { 0.0 } else { FORBIDDEN }).collect();
    let bias = Tensor::from_data(TensorData::new(bias, [1, 1, length, length]), device);
    let hidden = showo.forward(ids_tensor(&sequences, device), bias);
    let d = hidden.dims()[2];
    odds(showo, hidden.narrow(1, length - 1, 1).reshape([count, d]), &question.answers)
}

/// The odds of "yes" from states `[rows, d]`: `[rows]`.
fn odds(showo: &Showo, hidden: Tensor<2>, answers: &Answers) -> Tensor<1> {
    let logits = showo.logits_of(hidden, &answers.ids());
    let (yes, no) = (answers.yes.len(), answers.no.len());
    let [yes, no] = [logits.clone().narrow(1, 0, yes), logits.narrow(1, yes, no)].map(log_sum);
    let rows = yes.dims()[0];
    sigmoid((yes - no).reshape([rows]))
}

/// The id with the highest logit; the first of equals, 0 for none.
#[must_use]
pub fn likeliest(logits: &[f32]) -> u32 {
    let best = |best: usize, (at, &logit): (usize, &f32)| if logit > logits[best] { at } else { best };
    logits.iter().enumerate().fold(0, best) as u32
}

/// `ln Σ exp` of each row, `[rows, logits]` → `[rows, 1]`.
fn log_sum(logits: Tensor<2>) -> Tensor<2> {
    let high = logits.clone().max_dim(1);
    high.clone() + (logits - high).exp().sum_dim(1).log()
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
        let logits = Tensor::from_data([[1000.0, 1000.0], [0.0, 3f32.ln()]], &Device::flex());
        let sums: Vec<f32> = log_sum(logits).into_data().iter::<f32>().collect();
        assert!((sums[0] - (1000.0 + 2f32.ln())).abs() < 1e-3 && (sums[1] - 4f32.ln()).abs() < 1e-6, "{sums:?}");
    }
}
