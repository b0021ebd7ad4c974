//! What one step measured, read only when its numbers are wanted: reading waits for a card.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use burn::tensor::Tensor;

use crate::checkpoint::State;

/// One step's measurements.
#[derive(Default)]
pub struct Step {
    /// Its number, from 0.
    pub number: u64,
    /// Each shard's part of the batch and its mean loss, `[1]`.
    pub losses: Vec<(f64, Tensor<1>)>,
    /// Further numbers.
    pub logged: BTreeMap<&'static str, f32>,
    /// The learning rate.
    pub rate: f64,
    /// Where the run stood after it.
    pub state: Option<State>,
    /// What it took.
    pub took: Duration,
}

impl Step {
    /// Adds to a logged number.
    pub fn log(&mut self, name: &'static str, value: f32) {
        *self.logged.entry(name).or_default() += value;
    }

    /// The batch's mean loss.
    ///
    /// # Errors
    /// It is no number: says what remains, in `folder`.
    pub fn loss(&self, folder: &Path) -> Result<f32> {
        let part = |(share, loss): &(f64, Tensor<1>)| loss.clone().into_scalar::<f32>() * *share as f32;
        let loss: f32 = self.losses.iter().map(part).sum();
        if !loss.is_finite() {
            bail!(
                "the loss is {loss} at step {}; the last good checkpoint (in {}) is kept: lower the learning rate and --resume",
                self.number,
                folder.display()
            );
        }
        Ok(loss)
    }
}
