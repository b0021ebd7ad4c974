//! Where a network's tensors come from: a checkpoint, a bundle's shards, or a seed.
//!
//! A network takes its tensors by name and shape while it is built, so that a missing, surplus or misshapen tensor
//! is refused with its name before anything is computed.

use std::collections::HashMap;
use std::ops::Range;

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use super::aside::Aside;
use super::error::ModelError;
pub use super::parameters::{Named, named_parameters};
use crate::ops::{Q8Builder, Q8Tensor};

pub(super) enum Stored {
    Float { shape: Vec<usize>, values: Tensor<1> },
    Q8 { shape: Vec<usize>, tensor: Q8Tensor },
}

/// A tensor of which some has come.
pub(super) struct Partial {
    /// Of what is kept.
    pub(super) shape: Vec<usize>,
    /// Elements of a row.
    pub(super) width: usize,
    /// The rows that are kept, of all that come.
    pub(super) kept: Range<usize>,
    /// Copies of some of its rows.
    pub(super) aside: Option<Aside>,
    pub(super) form: PartialForm,
}

pub(super) enum PartialForm {
    /// Elements that have come, and those of them that are on the device.
    Float { seen: usize, parts: Vec<Tensor<1>> },
    /// Rows of values and of scales that have come.
    Q8 { seen: [usize; 2], builder: Q8Builder },
}

/// How a parameter starts when there is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// Normal with this standard deviation.
    Normal(f32),
}

/// Named tensors, handed out one by one while a network is built.
pub struct Weights {
    pub(super) device: Device,
    pub(super) stored: HashMap<String, Stored>,
    /// Tensors that come in parts, until they are whole.
    pub(super) partial: HashMap<String, Partial>,
    /// Rows to keep of some tensors, and how many those have; of all others, all are kept.
    pub(super) kept: HashMap<String, (Range<usize>, usize)>,
    /// Rows of some tensors that are copied, and the names of the copies.
    pub(super) aside: HashMap<String, (Vec<usize>, String)>,
    /// Bytes of the device's largest buffer.
    pub(super) largest_buffer: u64,
    /// When set, a tensor that is not stored is drawn from this seed instead of refused.
    seed: Option<u64>,
}

impl Weights {
    /// An empty set for `device`, to be filled from a checkpoint or a bundle.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            stored: HashMap::new(),
            partial: HashMap::new(),
            kept: HashMap::new(),
            aside: HashMap::new(),
            largest_buffer: u64::MAX,
            seed: None,
        }
    }

    /// For a device whose largest buffer has this many bytes.
    #[must_use]
    pub fn with_largest_buffer(self, bytes: u64) -> Self {
        Self { largest_buffer: bytes, ..self }
    }

    /// Keeps only these rows of the tensor `name`, which must come with `all` of them and is then as if it had no
    /// others; to be said before it comes.
    pub fn keep_rows(&mut self, name: &str, rows: Range<usize>, all: usize) {
        self.kept.insert(name.to_owned(), (rows, all));
    }

    /// Copies these rows of the tensor `name`, whichever of them are kept, as a tensor `into` in f32; to be said before it
    /// comes. They are copied in the tensor's order.
    pub fn copy_rows(&mut self, name: &str, mut rows: Vec<usize>, into: &str) {
        rows.sort_unstable();
        rows.dedup();
        self.aside.insert(name.to_owned(), (rows, into.to_owned()));
    }

    /// The rows of the tensor `name` that are copied, in the copy's order.
    #[must_use]
    pub fn copied_rows(&self, name: &str) -> &[usize] {
        self.aside.get(name).map_or(&[], |(rows, _)| rows)
    }

    /// The shape of a tensor that is there to be taken.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.stored.get(name).map(|stored| match stored {
            Stored::Float { shape, .. } | Stored::Q8 { shape, .. } => shape.as_slice(),
        })
    }

    /// Bytes that the stored tensors take on the device.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = |stored: &Stored| match stored {
            Stored::Float { values, .. } => 4 * values.dims()[0],
            Stored::Q8 { tensor, .. } => tensor.bytes(),
        };
        self.stored.values().map(|stored| bytes(stored) as u64).sum()
    }

    /// Fresh parameters for training, a function of `seed` and each parameter's name alone.
    #[must_use]
    pub fn random(device: &Device, seed: u64) -> Self {
        Self { seed: Some(seed), ..Self::new(device) }
    }

    /// Reads every floating-point tensor of a safetensors file held in memory.
    ///
    /// # Errors
    /// [`ModelError::File`] when the bytes are no such file or hold another dtype than F32, F16 or BF16 (integer
    /// tensors, such as LFQ's `quantize.power_vals`, are constants and passed over).
    pub fn from_safetensors(bytes: &[u8], device: &Device) -> Result<Self, ModelError> {
        use safetensors::{Dtype, SafeTensors};
        let file = SafeTensors::deserialize(bytes).map_err(|error| ModelError::File(error.to_string()))?;
        let mut weights = Self::new(device);
        for (name, view) in file.tensors() {
            let data = view.data();
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                Dtype::F16 => data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
                Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
                Dtype::I64 => continue,
                other => return Err(ModelError::File(format!("`{name}` has the unsupported dtype {other:?}"))),
            };
            weights.insert_float(&name, view.shape(), values)?;
        }
        Ok(weights)
    }

    /// The tensors whose names begin with `prefix`, without it; fresh ones keep their own streams.
    #[must_use]
    pub fn within(self, prefix: &str) -> Self {
        let stored = self
            .stored
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor)))
            .collect();
        Self { stored, ..self }
    }

    /// The device on which the tensors lie.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether a tensor of that name is there to be taken.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.stored.contains_key(name)
    }

    /// Takes a floating-point tensor out.
    ///
    /// # Errors
    /// Missing, misshapen, or int8.
    pub fn take<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Result<Param<Tensor<D>>, ModelError> {
        match self.stored.remove(name) {
            Some(Stored::Float { shape: found, values }) => {
                check_shape(name, &found, &shape)?;
                Ok(parameter(name, values.reshape(shape)))
            }
            Some(Stored::Q8 { .. }) => Err(ModelError::UnexpectedQ8(name.to_owned())),
            None => {
                let seed = self.seed.ok_or_else(|| ModelError::Missing(name.to_owned()))?;
                let count: usize = shape.iter().product();
                let values = match init {
                    Init::Zeros => vec![0.0; count],
                    Init::Ones => vec![1.0; count],
                    Init::Normal(std) => normals(seed ^ name_key(name), count, std),
                };
                let data = TensorData::new(values, [count]);
                Ok(parameter(name, Tensor::<1>::from_data(data, &self.device).reshape(shape)))
            }
        }
    }

    /// Takes a tensor of one element that checkpoints may store without dimensions; `None` when it is absent.
    ///
    /// # Errors
    /// A wrong shape, or int8.
    pub fn take_scalar(&mut self, name: &str) -> Result<Option<Param<Tensor<1>>>, ModelError> {
        match self.stored.remove(name) {
            Some(Stored::Float { shape, values }) if shape.iter().product::<usize>() == 1 => {
                Ok(Some(parameter(name, values)))
            }
            Some(Stored::Float { shape, .. }) => {
                Err(ModelError::Shape { name: name.to_owned(), found: shape, wanted: vec![1] })
            }
            Some(Stored::Q8 { .. }) => Err(ModelError::UnexpectedQ8(name.to_owned())),
            None => Ok(None),
        }
    }

    /// Takes an int8 tensor out, or `None` when the tensor of that name is not int8 (or absent).
    ///
    /// # Errors
    /// A wrong shape.
    pub fn take_q8(&mut self, name: &str, shape: &[usize]) -> Result<Option<Q8Tensor>, ModelError> {
        if !matches!(self.stored.get(name), Some(Stored::Q8 { .. })) {
            return Ok(None);
        }
        match self.stored.remove(name) {
            Some(Stored::Q8 { shape: found, tensor }) => {
                check_shape(name, &found, shape)?;
                Ok(Some(tensor))
            }
            _ => Ok(None),
        }
    }

    /// Ends the building: whatever is left must match one of `allowed` (parts of names of constants and of
    /// layers that are switched off).
    ///
    /// # Errors
    /// [`ModelError::Surplus`], by name.
    pub fn finish(self, allowed: &[&str]) -> Result<(), ModelError> {
        let mut surplus: Vec<String> =
            self.stored.into_keys().filter(|name| !allowed.iter().any(|part| name.contains(part))).collect();
        if surplus.is_empty() {
            return Ok(());
        }
        surplus.sort();
        Err(ModelError::Surplus(surplus))
    }
}

pub(super) fn check_shape(name: &str, found: &[usize], wanted: &[usize]) -> Result<(), ModelError> {
    if found == wanted {
        return Ok(());
    }
    Err(ModelError::Shape { name: name.to_owned(), found: found.to_vec(), wanted: wanted.to_vec() })
}

/// A parameter whose id follows from its name, so that an optimizer's saved state finds it again.
fn parameter<const D: usize>(name: &str, value: Tensor<D>) -> Param<Tensor<D>> {
    let value = if value.device().is_autodiff() { value.require_grad() } else { value };
    Param::initialized(ParamId::from(name_key(name)), value)
}

/// FNV-1a: one stream of random numbers for each parameter's name.
fn name_key(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |key, byte| (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn normals(seed: u64, count: usize, std: f32) -> Vec<f32> {
    let mut rng = rng::Rng::new(seed);
    (0..count).map(|_| rng.normal() * std).collect()
}
