//! Scenes tokenized once: prompts and codes in memory, kept on disk between runs.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use indicatif::ProgressIterator;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use showo::model::magvit::Magvit;

use crate::data::{self, Words};

/// Prompts and codes of many scenes.
#[derive(Serialize, Deserialize)]
pub struct TokenSet {
    /// Which scenes these are; another seed's are not taken for them.
    #[serde(default)]
    seed: u64,
    prompts: Vec<Vec<u16>>,
    codes: Vec<Vec<u16>>,
}

impl TokenSet {
    /// Tokenizes scenes `0..count` of `seed`, or reads them from `cache` when it holds that very set.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn prepare(tokenizer: &Magvit, seed: u64, count: u64, cache: &Path) -> Result<Self> {
        if let Ok(bytes) = std::fs::read(cache)
            && let Ok(set) = serde_json::from_slice::<Self>(&bytes)
            && set.codes.len() as u64 == count
            && set.seed == seed
        {
            return Ok(set);
        }
        let words = Words::new();
        let device = Device::flex();
        let mut set = Self { seed, prompts: Vec::new(), codes: Vec::new() };
        const PART: u64 = 64;
        for start in (0..count as usize).step_by(PART as usize * 8).progress() {
            let start = start as u64;
            let parts: Vec<_> = (0..8)
                .into_par_iter()
                .map(|part| {
                    let first = start + part * PART;
                    let numbers = first..(first + PART).min(count);
                    let scenes: Vec<_> = numbers.map(|number| data::training_scene(seed, number)).collect();
                    let pictures: Vec<_> = scenes.iter().map(|(_, scene)| scenes::render(scene)).collect();
                    let codes = if pictures.is_empty() {
                        Ok(Vec::new())
                    } else {
                        crate::vq::codes(tokenizer, &pictures, &device)
                    };
                    (scenes, codes)
                })
                .collect();
            for (scenes, codes) in parts {
                let prompts = scenes.iter().map(|(spec, _)| words.encode(&spec.prompt()));
                set.prompts.extend(prompts.map(|ids| ids.into_iter().map(|id| id as u16).collect()));
                set.codes.extend(codes?.into_iter().map(|codes| codes.into_iter().map(|code| code as u16).collect()));
            }
        }
        std::fs::write(cache, serde_json::to_vec(&set)?)?;
        Ok(set)
    }

    /// Examples.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // never empty: `prepare` makes it
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Prompt ids and codes of example `index`.
    #[must_use]
    pub fn example(&self, index: usize) -> (&[u16], &[u16]) {
        (&self.prompts[index], &self.codes[index])
    }
}
