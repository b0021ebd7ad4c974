//! Where networks are loaded to.

use burn::tensor::Device;

use crate::model::Weights;

/// A device with its name and its limit.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// The device in words, as traces name it: `WebGPU: …`, `CPU`.
    pub words: String,
    /// Bytes of the largest buffer that the device gives to a tensor.
    pub largest_buffer: u64,
}

impl Place {
    /// This machine's processor, whose only limit is its memory.
    #[must_use]
    pub fn cpu(words: impl Into<String>) -> Self {
        Self::unlimited(Device::flex(), words)
    }

    /// A device that holds whatever fits into its memory.
    #[must_use]
    pub fn unlimited(device: Device, words: impl Into<String>) -> Self {
        Self { device, words: words.into(), largest_buffer: u64::MAX }
    }

    /// No tensors yet, to be filled on this device.
    #[must_use]
    pub fn weights(&self) -> Weights {
        Weights::new(&self.device).with_largest_buffer(self.largest_buffer)
    }
}
