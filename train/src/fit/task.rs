//! What a network brings to the loop: its data and its loss.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use showo::bundle::ModelKind;
use showo::model::Weights;
use showo::model::weights::Named;

/// What one shard of a batch yields.
pub struct Loss {
    /// The shard's mean loss, `[1]`.
    pub total: Tensor<1>,
    /// Further numbers to log, averaged over shards.
    pub logged: Vec<(&'static str, f32)>,
}

impl Loss {
    /// The sum of terms, each with its name and its factor; all are logged as they are.
    ///
    /// # Panics
    /// There is no term.
    #[must_use]
    pub fn new(terms: Vec<(&'static str, Tensor<1>, f32)>) -> Self {
        let total = terms.iter().map(|(_, value, factor)| value.clone() * *factor).reduce(|sum, term| sum + term);
        let logged = terms.into_iter().map(|(name, value, _)| (name, value.into_scalar::<f32>())).collect();
        Self { total: total.expect("a loss has terms"), logged }
    }
}

/// A network to train and its data.
pub trait Task: Sync {
    /// The network with whatever training adds to it.
    type Model: Module + Clone + Send + Sync;

    /// Examples, made without the network.
    type Batch<'a>: Send
    where
        Self: 'a;

    /// What a bundle calls the model.
    fn kind(&self) -> ModelKind;

    /// The whole configuration: a run goes on only with the one that it began with.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn config(&self) -> Result<serde_json::Value>;

    /// Builds the network from named parameters (random ones or a checkpoint's).
    ///
    /// # Errors
    /// As the network's constructor.
    fn build(&self, weights: Weights) -> Result<Self::Model>;

    /// The parameters that a run begins with where none are named; without any, random ones.
    ///
    /// # Errors
    /// They cannot be made.
    fn begin(&self) -> Result<Option<Named>> {
        Ok(None)
    }

    /// The parameters to train, from the network as it ships; the reverse of its export.
    ///
    /// # Errors
    /// A parameter is absent.
    fn import(&self, shipped: Named) -> Result<Named> {
        Ok(shipped)
    }

    /// `examples` examples, numbered from `first`: data is a function of these numbers and the seed.
    fn batch(&self, first: u64, examples: usize) -> Self::Batch<'_>;

    /// The loss of a batch. `device` records gradients and holds the model.
    fn loss(&self, model: &Self::Model, batch: Self::Batch<'_>, device: &Device) -> Loss;

    /// Writes a sheet of samples; the model comes without gradients, on the processor.
    ///
    /// # Errors
    /// The file cannot be written.
    fn sample(&self, model: &Self::Model, path: &Path) -> Result<()>;
}
