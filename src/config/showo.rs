//! The generator: Show-o.

use serde::{Deserialize, Serialize};

/// Ids of the tokens that Show-o adds to the language model's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialTokens {
    /// `[PAD]`.
    pub pad: u32,
    /// `<|soi|>`, before the image.
    pub soi: u32,
    /// `<|eoi|>`, after the image.
    pub eoi: u32,
    /// `<|t2i|>`, the task.
    pub t2i: u32,
}

impl SpecialTokens {
    /// `<|mmu|>`, the task of understanding: UniversalPrompting numbers it next after `<|t2i|>`
    /// ([`ADDED_TOKENS`](crate::prompt::ADDED_TOKENS)).
    #[must_use]
    pub fn mmu(&self) -> u32 {
        self.t2i + 1
    }
}

/// Show-o over Phi.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShowoConfig {
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads; d is their multiple.
    pub num_attention_heads: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// The part of each head that rotates.
    pub partial_rotary_factor: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// ε of every layer normalization.
    pub layer_norm_eps: f64,
    /// Whether queries and keys are normalized per head; also done where the weights hold the norms.
    pub qk_layernorm: bool,
    /// `llm_vocab_size` + special tokens + `codebook_size` + 1 for `[mask]`.
    pub vocab_size: usize,
    /// The language model's own tokens.
    pub llm_vocab_size: usize,
    /// Tokens added to it, 10 in Show-o.
    pub num_new_special_tokens: usize,
    /// Image codes.
    pub codebook_size: usize,
    /// N, the tokens of an image; a square number.
    pub num_vq_tokens: usize,
    /// Longest prompt in tokens, `<|t2i|>` not counted.
    pub max_text_len: usize,
    /// Ids of the added tokens.
    pub special_tokens: SpecialTokens,
    /// Begins a text.
    pub bos: u32,
    /// Ends a text.
    pub eos: u32,
    /// `[mask]`.
    pub mask_token_id: u32,
}

impl ShowoConfig {
    /// The id of code 0.
    #[must_use]
    pub fn first_code(&self) -> usize {
        self.llm_vocab_size + self.num_new_special_tokens
    }

    /// Tokens before `<|soi|>`: the padded text with `<|t2i|>`.
    #[must_use]
    pub fn prefix_len(&self) -> usize {
        self.max_text_len + 1
    }

    /// Side G of the token grid; N = G².
    #[must_use]
    pub fn grid(&self) -> usize {
        self.num_vq_tokens.isqrt()
    }

    /// Why this configuration cannot be built, if it cannot.
    ///
    /// # Errors
    /// The field and what contradicts it.
    pub fn validate(&self) -> Result<(), String> {
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if self.num_hidden_layers == 0 {
            return Err("num_hidden_layers is 0".into());
        }
        let vocab = self.first_code() + self.codebook_size + 1;
        if self.vocab_size != vocab {
            return Err(format!("vocab_size is {}, but its parts add up to {vocab}", self.vocab_size));
        }
        if self.mask_token_id as usize + 1 != self.vocab_size {
            return Err(format!("mask_token_id is {}, but the last id is {}", self.mask_token_id, self.vocab_size - 1));
        }
        let SpecialTokens { pad, soi, eoi, t2i } = self.special_tokens;
        if let Some(id) = [pad, soi, eoi, t2i, self.bos, self.eos].into_iter().find(|&id| id as usize >= vocab) {
            return Err(format!("the special token {id} lies outside the vocabulary of {vocab}"));
        }
        if self.grid().pow(2) != self.num_vq_tokens {
            return Err(format!("num_vq_tokens {} is no square", self.num_vq_tokens));
        }
        let rotary = self.rotary_len();
        if rotary == 0 || !rotary.is_multiple_of(2) {
            return Err(format!(
                "partial_rotary_factor {} rotates {rotary} channels a head",
                self.partial_rotary_factor
            ));
        }
        Ok(())
    }

    /// Channels of a head that rotate: `partial_rotary_factor` of them, rounded down as the reference does.
    #[must_use]
    pub fn rotary_len(&self) -> usize {
        let exact = self.partial_rotary_factor * (self.hidden_size / self.num_attention_heads) as f64;
        // A factor such as 8/17 may arrive a little too low (serde_json reads 17 digits to one unit in the last place),
        // and an odd number of channels cannot rotate in pairs.
        let (down, near) = (exact as usize, exact.round());
        if down % 2 == 1 && (near - exact).abs() < 1e-9 { near as usize } else { down }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_head_survives_json() -> Result<(), serde_json::Error> {
        let rotary = |factor: &str, head: usize| -> Result<usize, serde_json::Error> {
            let config: ShowoConfig = serde_json::from_value(serde_json::json!({
                "hidden_size": 2 * head, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
                "partial_rotary_factor": serde_json::from_str::<f64>(factor)?, "rope_theta": 1e4,
                "layer_norm_eps": 1e-5, "qk_layernorm": false, "vocab_size": 28, "llm_vocab_size": 10,
                "num_new_special_tokens": 10, "codebook_size": 7, "num_vq_tokens": 4, "max_text_len": 4,
                "special_tokens": { "pad": 10, "soi": 11, "eoi": 12, "t2i": 15 }, "bos": 9, "eos": 9,
                "mask_token_id": 27,
            }))?;
            Ok(config.rotary_len())
        };
        assert_eq!(rotary("0.47058823529411764", 17)?, 8);
        assert_eq!(rotary("0.5", 64)?, 32);
        // What the reference rounds down stays so: 0.58 · 50 is 28.999999999999996 in Python, too.
        assert_eq!(rotary("0.58", 50)?, 28);
        assert_eq!(rotary("0.4", 17)?, 6);
        Ok(())
    }
}
