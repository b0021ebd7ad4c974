//! Which device computes.

use burn::tensor::Device;
use clap::ValueEnum;

use crate::failure::Failure;

/// What `--device` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// This machine's processor
    Cpu,
    /// A graphics device through WebGPU's native form (only in a build with `--features webgpu`)
    Webgpu,
}

impl DeviceName {
    /// The device, and its name in words.
    pub fn open(self) -> Result<(Device, String), Failure> {
        match self {
            Self::Cpu => Ok((Device::flex(), "CPU".to_owned())),
            Self::Webgpu => webgpu(),
        }
    }
}

#[cfg(feature = "webgpu")]
fn webgpu() -> Result<(Device, String), Failure> {
    let (device, setup) = Device::wgpu_options()
        .init_with_setup()
        .map_err(|error| Failure::Device(format!("no graphics device can be used: {error}; try --device cpu")))?;
    Ok((device, format!("WebGPU: {}", setup.adapter.get_info().name)))
}

#[cfg(not(feature = "webgpu"))]
fn webgpu() -> Result<(Device, String), Failure> {
    let message =
        "this build has no WebGPU; build it with `cargo build --release --features webgpu`, or use --device cpu";
    Err(Failure::Device(message.to_owned()))
}
