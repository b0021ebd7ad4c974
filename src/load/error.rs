//! Why models could not be loaded.

use crate::bundle::{BundleError, ModelKind};
use crate::model::ModelError;
use crate::prompt::PromptError;

/// Why a bundle's models could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bundle was refused.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A network could not be built from its tensors.
    #[error("the model {kind} cannot be built: {source}")]
    Model {
        /// Its kind in the bundle.
        kind: ModelKind,
        /// Why.
        source: ModelError,
    },
    /// The text tokenizer could not be read.
    #[error("{file}: {source}")]
    TextTokenizer {
        /// The tokenizer's file.
        file: String,
        /// Why.
        source: PromptError,
    },
    /// The models are of another world than the bundle says.
    #[error(transparent)]
    World(#[from] scenes::WorldMismatch),
    /// Two models of the bundle do not fit each other.
    #[error("the models of this bundle do not fit each other: {0}; convert them again from one training run")]
    Mismatch(String),
}
