//! A moment's work in a generator's shapes, to learn of a device whether it computes right, and how fast.
//!
//! Which of two devices draws faster cannot be told from their names: a software adapter is a graphics device, too. So both do the
//! same work: one guided forward of two layers with made-up int8 weights, in the shapes of the bundle's generator as far as they
//! are small enough for a moment. What one computes is compared with what the other does.

use burn::tensor::Device;

use crate::bundle::block;
use crate::config::{ShowoConfig, SpecialTokens};
use crate::decode::generator::Prompted;
use crate::decode::sampling::read_floats;
use crate::model::showo::Showo;
use crate::model::weights::{Named, named_parameters};
use crate::model::{ModelError, Weights};

/// Layers of the trial.
const LAYERS: usize = 2;
/// The widest that the trial's network becomes: wider ones cost a browser's processor more than a moment.
const WIDTH: usize = 512;
/// The most codes and image tokens.
const CODES: usize = 1024;
const TOKENS: usize = 256;
/// The longest prompt.
const TEXT: usize = 32;
/// Words of its made-up language.
const WORDS: u32 = 64;
/// A forward is timed this often; the fastest counts, because nothing computes faster than it can.
const TIMED: usize = 3;
/// Largest difference between two devices, of the largest logit: a device that is off by more computes something else. Sums in
/// another order differ by 1e-5.
const TOLERANCE: f32 = 1e-2;

/// The work, made up once for all devices.
pub struct Trial {
    config: ShowoConfig,
    parameters: Named,
}

/// What a device made of the work.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Seconds of a forward with its read-back.
    pub seconds: f64,
    logits: Vec<f32>,
}

impl Trial {
    /// For a generator like this one.
    ///
    /// # Errors
    /// A configuration that cannot be built.
    pub fn new(like: &ShowoConfig) -> Result<Self, ModelError> {
        let config = small(like);
        let showo = Showo::new(&config, Weights::random(&Device::flex(), 1))?;
        Ok(Self { parameters: named_parameters(&showo)?, config })
    }

    /// How many times its forward a forward of the generator `of` takes, roughly: by the layers.
    #[must_use]
    pub fn share(&self, of: &ShowoConfig) -> f64 {
        of.num_hidden_layers as f64 / self.config.num_hidden_layers as f64
    }

    /// Does the work on `device`; the first forward, which compiles the kernels, is not timed. `now` gives seconds.
    ///
    /// # Errors
    /// What the device said, in words.
    pub async fn run(&self, device: &Device, now: impl Fn() -> f64) -> Result<Tried, String> {
        let showo = self.network(device).map_err(|error| error.to_string())?;
        let config = &self.config;
        let words: Vec<u32> = (0..config.max_text_len as u32 / 2).collect();
        let code = |at: usize| if at.is_multiple_of(2) { (at * 7919 % config.codebook_size) as i32 } else { -1 };
        let tokens: Vec<i32> = (0..config.num_vq_tokens).map(code).collect();
        let prompted = Prompted::new(&showo, config, &words, 2.0, device);
        let forward = || async { read_floats(prompted.logits(&showo, &tokens)).await.map_err(|error| error.0) };
        let logits = forward().await?;
        let mut seconds = f64::INFINITY;
        for _ in 0..TIMED {
            let begin = now();
            forward().await?;
            seconds = seconds.min(now() - begin);
        }
        Ok(Tried { seconds, logits })
    }

    /// The network with int8 matrices, as a bundle would bring them.
    fn network(&self, device: &Device) -> Result<Showo, ModelError> {
        let mut weights = Weights::new(device);
        for (name, (shape, values)) in &self.parameters {
            match shape[..] {
                [out, inputs] => {
                    let quantized = block::quantize(values, out, inputs)?;
                    weights.insert_q8(name, shape, &quantized.q, &quantized.scale)?;
                }
                _ => weights.insert_float(name, shape, values.clone())?,
            }
        }
        Showo::new(&self.config, weights)
    }
}

/// Seconds of a guided forward of the generator `of` on a device that does its trial in `trial_seconds`: as many times as long as
/// it has multiplications more. A graphics device that a trial does not fill is faster than that.
#[must_use]
pub fn estimate(of: &ShowoConfig, trial_seconds: f64) -> f64 {
    trial_seconds * multiplications(of) / multiplications(&small(of))
}

/// Of a forward of the picture's tokens, the prompt's keys and values being known: the matrices of every layer, what attention
/// multiplies, and the head's rows for the codes.
fn multiplications(config: &ShowoConfig) -> f64 {
    let [hidden, inner, codes] = [config.hidden_size, config.intermediate_size, config.codebook_size].map(|n| n as f64);
    let asked = (config.num_vq_tokens + 2) as f64;
    let seen = asked + config.prefix_len() as f64;
    let layer = asked * (4.0 * hidden * hidden + 2.0 * hidden * inner) + 2.0 * asked * seen * hidden;
    config.num_hidden_layers as f64 * layer + asked * hidden * codes
}

impl Tried {
    /// Whether another device computed the same.
    ///
    /// # Errors
    /// By how much it did not.
    pub fn agrees_with(&self, other: &Self) -> Result<(), String> {
        let largest = other.logits.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let off = |(a, b): (&f32, &f32)| if a.is_finite() { (a - b).abs() / largest } else { f32::INFINITY };
        let worst = self.logits.iter().zip(&other.logits).map(off).fold(0.0, f32::max);
        if self.logits.len() == other.logits.len() && worst <= TOLERANCE {
            return Ok(());
        }
        Err(format!("its numbers are off by {:.0} %", 100.0 * worst.min(9.99)))
    }
}

/// The generator's shapes, as far as they are small enough for a moment.
fn small(like: &ShowoConfig) -> ShowoConfig {
    let head = like.hidden_size / like.num_attention_heads.max(1);
    let heads = like.num_attention_heads.min((WIDTH / head.max(1)).max(1));
    let hidden = heads * head;
    let codes = like.codebook_size.min(CODES);
    let special = SpecialTokens { pad: WORDS, soi: WORDS + 1, eoi: WORDS + 2, t2i: WORDS + 3 };
    let first_code = WORDS as usize + like.num_new_special_tokens.max(4);
    let side = like.grid().min(TOKENS.isqrt());
    ShowoConfig {
        hidden_size: hidden,
        num_hidden_layers: like.num_hidden_layers.min(LAYERS),
        num_attention_heads: heads,
        intermediate_size: like.intermediate_size * hidden / like.hidden_size.max(1),
        vocab_size: first_code + codes + 1,
        llm_vocab_size: WORDS as usize,
        num_new_special_tokens: first_code - WORDS as usize,
        codebook_size: codes,
        num_vq_tokens: side * side,
        max_text_len: like.max_text_len.clamp(4, TEXT),
        special_tokens: special,
        bos: 0,
        eos: 1,
        mask_token_id: (first_code + codes) as u32,
        ..like.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Trial, Tried, estimate, multiplications, small};
    use crate::config::ShowoConfig;

    fn showo(hidden: usize, heads: usize, layers: usize, tokens: usize) -> ShowoConfig {
        let json = serde_json::json!({
            "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * hidden,
            "partial_rotary_factor": 0.5, "rope_theta": 10000.0, "layer_norm_eps": 1e-5, "qk_layernorm": true,
            "vocab_size": 50305 + 10 + 8192 + 1, "llm_vocab_size": 50305, "num_new_special_tokens": 10,
            "codebook_size": 8192, "num_vq_tokens": tokens, "max_text_len": 128,
            "special_tokens": { "pad": 50305, "soi": 50306, "eoi": 50307, "t2i": 50308 },
            "bos": 50256, "eos": 50256, "mask_token_id": 58507,
        });
        serde_json::from_value(json).expect("a configuration")
    }

    fn tried(config: &ShowoConfig) -> Tried {
        let begin = Instant::now();
        let trial = Trial::new(config).expect("it can be built");
        let now = || begin.elapsed().as_secs_f64();
        pollster::block_on(trial.run(&burn::tensor::Device::flex(), now)).expect("the processor computes")
    }

    #[test]
    fn any_generator_gives_a_trial_that_takes_a_moment() {
        for config in [showo(2048, 32, 24, 1024), showo(2048, 32, 24, 256), showo(96, 3, 1, 16), showo(640, 5, 12, 256)]
        {
            let small = small(&config);
            assert_eq!(small.validate(), Ok(()), "of {config:?}");
            assert!(small.hidden_size <= 512 && small.num_hidden_layers <= 2 && small.num_vq_tokens <= 256);
            assert_eq!(small.hidden_size / small.num_attention_heads, config.hidden_size / config.num_attention_heads);
        }
    }

    #[test]
    fn a_larger_generator_is_estimated_by_its_multiplications() {
        // One that is its own trial takes what the trial took.
        let same = showo(512, 8, 2, 256);
        let codes = ShowoConfig { codebook_size: 1024, max_text_len: 32, ..same };
        assert!((estimate(&codes, 0.25) - 0.25).abs() < 1e-9);
        // 24 layers of 4 · 2,048² + 2 · 2,048 · 8,192 weights for 258 positions are most of the public model's 3.5e11.
        let full = showo(2048, 32, 24, 256);
        let weights = 24.0 * 258.0 * 12.0 * 2048.0 * 2048.0;
        let share = weights / multiplications(&full);
        assert!((0.9..1.0).contains(&share), "{share}");
        assert!(estimate(&full, 1.0) > 100.0 && estimate(&full, 1.0).is_finite());
        assert!(estimate(&showo(2048, 32, 24, 1024), 1.0) > 4.0 * estimate(&full, 1.0));
    }

    #[test]
    fn the_same_device_agrees_with_itself_and_a_wrong_one_does_not() {
        let right = tried(&showo(128, 4, 2, 64));
        assert!(right.seconds > 0.0 && right.seconds.is_finite());
        assert!(right.logits.iter().any(|value| value.abs() > 1e-3), "it computes nothing");
        right.agrees_with(&tried(&showo(128, 4, 2, 64))).expect("the same numbers");

        let spoilt = |spoil: &dyn Fn(&mut Vec<f32>)| {
            let mut wrong = right.clone();
            spoil(&mut wrong.logits);
            wrong.agrees_with(&right)
        };
        assert!(spoilt(&|logits| logits[100] = f32::NAN).is_err());
        assert!(spoilt(&|logits| logits.fill(0.0)).is_err());
        assert!(spoilt(&|logits| logits.truncate(10)).is_err());
        assert!(spoilt(&|logits| logits.swap(0, 777)).is_err());
    }
}
