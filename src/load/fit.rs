//! Whether the models of a bundle fit each other: what converting checks before it writes, and loading before it draws.

use crate::bundle::ModelKind;
use crate::config::{ClipConfig, MagvitConfig, PreviewConfig, RewardConfig, ShowoConfig};

/// A model's configuration, whichever model it is.
#[derive(Debug, Clone, Copy)]
pub enum AnyConfig<'a> {
    /// The generator's.
    Showo(&'a ShowoConfig),
    /// The image tokenizer's.
    Magvit(&'a MagvitConfig),
    /// The preview decoder's.
    Preview(&'a PreviewConfig),
    /// CLIP's.
    Clip(&'a ClipConfig),
    /// A reward network's.
    Reward(&'a RewardConfig),
}

/// Checks that a model reads the codes and words that the generator writes.
///
/// # Errors
/// What differs, in words.
pub fn check(generator: &ShowoConfig, kind: ModelKind, other: AnyConfig<'_>) -> Result<(), String> {
    let same = |what: &str, own: usize, found: usize| match own == found {
        true => Ok(()),
        false => Err(format!("showo has {own} {what}, {kind} {found}")),
    };
    let grid = |tokens: usize, codes: usize| {
        same("tokens a picture", generator.num_vq_tokens, tokens)?;
        same("codes", generator.codebook_size, codes)
    };
    // Every id that a prompt can hold must be a row of the network's table.
    let words = |rows: usize, needed: usize| match rows >= needed {
        true => Ok(()),
        false => Err(format!("{kind} knows {rows} words, but showo {needed}")),
    };
    match other {
        AnyConfig::Showo(config) if config == generator => Ok(()),
        AnyConfig::Showo(_) => Err(format!("{kind} has another configuration than showo")),
        AnyConfig::Magvit(config) => grid(config.grid().pow(2), config.codebook_size()),
        AnyConfig::Preview(config) => grid(config.grid.pow(2), config.codebook_size()),
        AnyConfig::Clip(config) => {
            let end = config.text_config.eos_token_id.unwrap_or(generator.eos);
            let needed = generator.llm_vocab_size.max(generator.bos.max(end) as usize + 1);
            words(config.text_config.vocab_size, needed)
        }
        AnyConfig::Reward(config) => {
            grid(config.num_vq_tokens, config.codebook_size)?;
            words(config.text_vocab_size, generator.llm_vocab_size.max(config.pad as usize + 1))
        }
    }
}
