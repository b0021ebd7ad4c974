//! What a verifier is shown.

use std::cell::OnceCell;

use burn::tensor::Tensor;

use crate::load::ImageTokenizer;

/// k candidates, as one batch. Pixels are decoded when somebody asks for them, and once.
pub struct Candidates<'a> {
    image_tokenizer: &'a ImageTokenizer,
    /// The states after re-masking: N codes each, negative where masked.
    pub states: Vec<&'a [i32]>,
    /// The whole draws: N codes each.
    pub draws: Vec<&'a [i32]>,
    pixels: OnceCell<Tensor<4>>,
}

impl<'a> Candidates<'a> {
    /// Candidates of one step.
    #[must_use]
    pub fn new(image_tokenizer: &'a ImageTokenizer, states: Vec<&'a [i32]>, draws: Vec<&'a [i32]>) -> Self {
        Self { image_tokenizer, states, draws, pixels: OnceCell::new() }
    }

    /// One finished picture.
    #[must_use]
    pub fn whole(image_tokenizer: &'a ImageTokenizer, tokens: &'a [i32]) -> Self {
        Self::new(image_tokenizer, vec![tokens], vec![tokens])
    }

    /// The whole draws decoded, `[candidates, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn pixels(&self) -> Tensor<4> {
        self.pixels.get_or_init(|| self.image_tokenizer.decode(&self.draws)).clone()
    }
}
