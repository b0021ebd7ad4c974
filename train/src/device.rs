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
    /// An NVIDIA card through PyTorch's kernels (a build with `--features libtorch`; see train/README.md)
    Libtorch,
    /// PyTorch's kernels on the processor: for tests of what a card will do
    LibtorchCpu,
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
            Self::Libtorch => libtorch(true),
            Self::LibtorchCpu => libtorch(false),
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

#[cfg(feature = "libtorch")]
#[allow(deprecated)] // burn's own word on its backend; nothing else of it drives a card with what this needs
fn libtorch(card: bool) -> Result<Device> {
    use anyhow::Context;
    if !card {
        return Ok(Device::libtorch());
    }
    torch_ops::load_cuda().context(
        "PyTorch's CUDA libraries cannot be loaded: put torch/lib and every nvidia/*/lib beside it into LD_LIBRARY_PATH, as train/card/run.sh does",
    )?;
    anyhow::ensure!(
        tch::Cuda::is_available(),
        "PyTorch finds no NVIDIA card here; try --device libtorch-cpu, or --device cpu"
    );
    // Convolutions come in a few shapes over and over: the quickest kernel of each is worth finding out.
    tch::Cuda::cudnn_set_benchmark(true);
    Ok(Device::libtorch_cuda(0))
}

#[cfg(not(feature = "libtorch"))]
fn libtorch(_card: bool) -> Result<Device> {
    anyhow::bail!(
        "this build has no PyTorch; run it as `cargo run --release -p train --features libtorch -- …` with LIBTORCH set, see train/README.md"
    )
}

#[cfg(all(test, not(any(feature = "cuda", feature = "vulkan", feature = "libtorch"))))]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_built_in_names_the_build_that_has_it() {
        let others = [
            (DeviceName::Cuda, "cuda"),
            (DeviceName::Vulkan, "vulkan"),
            (DeviceName::Libtorch, "libtorch"),
            (DeviceName::LibtorchCpu, "libtorch"),
        ];
        for (device, feature) in others {
            let error = device.open().unwrap_err().to_string();
            assert!(error.contains(&format!("--features {feature}")), "{error}");
        }
        assert!(DeviceName::Cpu.open().is_ok());
    }
}
