//! `--device`: who differentiates.

use anyhow::Result;
use burn::tensor::Device;
use clap::ValueEnum;

/// Who computes the gradients, or rollouts. Data, samples and measurements stay on the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// This machine's processor, one worker a core
    Cpu,
    /// An NVIDIA card through CUDA (a build with `--features cuda`)
    Cuda,
    /// A graphics card through Vulkan (a build with `--features vulkan`)
    Vulkan,
}

impl DeviceName {
    /// The device, recording no gradients yet.
    ///
    /// # Errors
    /// This build does not hold the backend: says which one does.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda => cuda(),
            Self::Vulkan => vulkan(),
        }
    }
}

/// Whether a device is a graphics card, which wants wide batches and leaves the processor's cores to others.
#[must_use]
pub fn on_card(device: &Device) -> bool {
    *device != Device::flex()
}

#[cfg(feature = "cuda")]
#[allow(clippy::unnecessary_wraps)] // the other build fails here
fn cuda() -> Result<Device> {
    Ok(Device::cuda(0))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device> {
    anyhow::bail!("this build has no CUDA; run it as `cargo run --release -p train --features cuda -- …`")
}

#[cfg(feature = "vulkan")]
fn vulkan() -> Result<Device> {
    use anyhow::Context;
    let opened = Device::wgpu_options().init_with_setup();
    let (device, setup) = opened.context("no graphics device can be used; try --device cpu")?;
    eprintln!("computing on {}", setup.adapter.get_info().name);
    Ok(device)
}

#[cfg(not(feature = "vulkan"))]
fn vulkan() -> Result<Device> {
    anyhow::bail!("this build has no Vulkan; run it as `cargo run --release -p train --features vulkan -- …`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "vulkan")))]
    fn a_device_that_is_not_built_in_names_the_build_that_has_it() {
        for (device, feature) in [(DeviceName::Cuda, "cuda"), (DeviceName::Vulkan, "vulkan")] {
            let error = device.open().unwrap_err().to_string();
            assert!(error.contains(&format!("--features {feature}")), "{error}");
        }
        assert!(DeviceName::Cpu.open().is_ok());
    }
}
