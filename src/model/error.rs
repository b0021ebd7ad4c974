//! Why a network could not be built.

use crate::bundle::block::QuantError;

/// Why a network could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The checkpoint lacks a tensor.
    #[error("the weights lack the tensor `{0}`; the checkpoint is of another model or incomplete")]
    Missing(String),
    /// A tensor has another shape than the configuration says.
    #[error("the tensor `{name}` has shape {found:?}, but the configuration asks for {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape in the checkpoint.
        found: Vec<usize>,
        /// The shape of the configuration.
        wanted: Vec<usize>,
    },
    /// Tensors that no part of the network asked for.
    #[error("the weights hold {} that the model has no place for: `{}`", plural(.0.len()), .0.join("`, `"))]
    Surplus(Vec<String>),
    /// A tensor is int8 where the network needs floating point.
    #[error("the tensor `{0}` is int8, but this layer needs floating point; convert it with `--keep f16`")]
    UnexpectedQ8(String),
    /// The configuration contradicts itself.
    #[error("the configuration of {model} is wrong: {why}")]
    Config {
        /// Which network.
        model: &'static str,
        /// What is wrong.
        why: String,
    },
    /// An int8 tensor could not be laid out.
    #[error(transparent)]
    Quant(#[from] QuantError),
    /// A safetensors file could not be read.
    #[error("cannot read the weights: {0}")]
    File(String),
    /// A tensor that the device cannot hold.
    #[error(
        "the tensor `{name}` needs a buffer of {needed} bytes, but this device gives {most} at most; convert the checkpoint to int8 with `--scheme q8`, or use another device"
    )]
    TooLarge {
        /// Its name.
        name: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes of the device's largest buffer.
        most: u64,
    },
    /// Parts of a tensor that contradict each other.
    #[error("the tensor `{name}` came in parts that do not fit together: {why}")]
    Parts {
        /// Its name.
        name: String,
        /// What does not fit.
        why: String,
    },
}

fn plural(count: usize) -> String {
    if count == 1 { "a tensor".into() } else { format!("{count} tensors") }
}
