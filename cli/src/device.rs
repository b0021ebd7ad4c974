//! Which device computes.

use clap::ValueEnum;
use showo::load::Place;

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
    /// The device, with its name and limits.
    pub fn open(self) -> Result<Place, Failure> {
        match self {
            Self::Cpu => Ok(Place::cpu("CPU")),
            Self::Webgpu => webgpu(),
        }
    }
}

#[cfg(feature = "webgpu")]
fn webgpu() -> Result<Place, Failure> {
    let (device, setup) = burn::tensor::Device::wgpu_options()
        .init_with_setup()
        .map_err(|error| Failure::Device(format!("no graphics device can be used: {error}; try --device cpu")))?;
    let limits = setup.device.limits();
    Ok(Place {
        device,
        words: format!("WebGPU: {}", setup.adapter.get_info().name),
        largest_buffer: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
    })
}

#[cfg(not(feature = "webgpu"))]
fn webgpu() -> Result<Place, Failure> {
    let message =
        "this build has no WebGPU; build it with `cargo build --release --features webgpu`, or use --device cpu";
    Err(Failure::Device(message.to_owned()))
}
