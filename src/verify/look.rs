//! What a verifier is shown.

use std::cell::OnceCell;

use burn::tensor::Tensor;

use crate::models::{ImageTokenizer, PreviewModel};

/// k candidates, as one batch. Pixels are decoded when somebody asks for them, and once.
pub struct Look<'a> {
    tokenizer: &'a ImageTokenizer,
    /// The states after re-masking: N codes each, negative where masked.
    pub states: Vec<&'a [i32]>,
    /// The whole draws: N codes each.
    pub draws: Vec<&'a [i32]>,
    pixels: OnceCell<Tensor<4>>,
}

impl<'a> Look<'a> {
    /// Candidates of one step.
    #[must_use]
    pub fn new(tokenizer: &'a ImageTokenizer, states: Vec<&'a [i32]>, draws: Vec<&'a [i32]>) -> Self {
        Self { tokenizer, states, draws, pixels: OnceCell::new() }
    }

    /// One finished picture.
    #[must_use]
    pub fn whole(tokenizer: &'a ImageTokenizer, tokens: &'a [i32]) -> Self {
        Self::new(tokenizer, vec![tokens], vec![tokens])
    }

    /// The whole draws decoded, `[candidates, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn pixels(&self) -> Tensor<4> {
        self.pixels.get_or_init(|| self.tokenizer.decode(&self.draws)).clone()
    }
}

impl ImageTokenizer {
    /// Grids of N codes to pixels, `[grids, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]]) -> Tensor<4> {
        self.magvit.decode(grids, &self.device)
    }
}

impl PreviewModel {
    /// Grids of N codes, negative where masked, to small pictures, `[grids, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]]) -> Tensor<4> {
        self.preview.decode(grids, &self.device)
    }
}
