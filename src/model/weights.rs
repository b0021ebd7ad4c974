//! Where a network's tensors come from: a checkpoint, a bundle's shards, or a seed.
//!
//! A network takes its tensors by name and shape while it is built, so that a missing, surplus or misshapen tensor
//! is refused with its name before anything is computed.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use crate::quant::{Q8Tensor, QuantError};

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
}

fn plural(count: usize) -> String {
    if count == 1 { "a tensor".into() } else { format!("{count} tensors") }
}

enum Stored {
    Float { shape: Vec<usize>, values: Tensor<1> },
    Q8 { shape: Vec<usize>, tensor: Q8Tensor },
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
    device: Device,
    stored: HashMap<String, Stored>,
    /// When set, a tensor that is not stored is drawn from this seed instead of refused.
    seed: Option<u64>,
}

impl Weights {
    /// An empty set for `device`, to be filled from a checkpoint or a bundle.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), stored: HashMap::new(), seed: None }
    }

    /// Fresh parameters for training, a function of `seed` and each parameter's name alone.
    #[must_use]
    pub fn random(device: &Device, seed: u64) -> Self {
        Self { device: device.clone(), stored: HashMap::new(), seed: Some(seed) }
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
            weights.insert_float(&name, view.shape(), values);
        }
        Ok(weights)
    }

    /// Stores a floating-point tensor: uploaded at once, so that the caller may drop its own copy.
    pub fn insert_float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let count = values.len();
        let values = Tensor::<1>::from_data(TensorData::new(values, [count]), &self.device);
        self.stored.insert(name.to_owned(), Stored::Float { shape: shape.to_vec(), values });
    }

    /// Stores an int8 tensor of shape `[out, in…]` with its scales, uploaded at once.
    ///
    /// # Errors
    /// [`ModelError::Quant`] when the lengths contradict the shape.
    pub fn insert_q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), ModelError> {
        let out = shape.first().copied().unwrap_or(0);
        let inputs = shape.iter().skip(1).product();
        let tensor = Q8Tensor::new(q, scale, out, inputs, &self.device)?;
        self.stored.insert(name.to_owned(), Stored::Q8 { shape: shape.to_vec(), tensor });
        Ok(())
    }

    /// The tensors whose names begin with `prefix`, without it; fresh ones keep their own streams.
    #[must_use]
    pub fn within(self, prefix: &str) -> Self {
        let stored = self
            .stored
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor)))
            .collect();
        Self { device: self.device, stored, seed: self.seed }
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

fn check_shape(name: &str, found: &[usize], wanted: &[usize]) -> Result<(), ModelError> {
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
    let mut rng = scenes::Rng::new(seed);
    (0..count).map(|_| rng.normal() * std).collect()
}

/// Parameters by name: shape and values.
pub type Named = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Every floating-point parameter of a network under its checkpoint name, with its shape and values.
///
/// Reads synchronously: for native use (training, conversion).
///
/// # Errors
/// [`ModelError::File`] when the device cannot be read.
pub fn named_parameters<M: Module>(module: &M) -> Result<Named, ModelError> {
    struct Collector {
        path: Vec<String>,
        found: Result<Named, ModelError>,
    }
    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Enum variants and tuple wrappers are ours, not the checkpoint's.
            let name = self
                .path
                .iter()
                .filter(|part| *part != "Float" && *part != "Q8")
                .cloned()
                .collect::<Vec<_>>()
                .join(".");
            let tensor = param.val();
            let shape = tensor.dims().to_vec();
            match (&mut self.found, tensor.try_into_vec_as::<f32>()) {
                (Ok(found), Ok(values)) => {
                    found.insert(name, (shape, values));
                }
                (found, Err(error)) => *found = Err(ModelError::File(format!("`{name}`: {error}"))),
                (Err(_), Ok(_)) => {}
            }
        }
    }
    let mut collector = Collector { path: Vec::new(), found: Ok(BTreeMap::new()) };
    module.visit(&mut collector);
    collector.found
}
