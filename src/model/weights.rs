//! Where a network's tensors come from: a checkpoint, a bundle's shards, or a seed.
//!
//! A network takes its tensors by name and shape while it is built, so that a missing, surplus or misshapen tensor
//! is refused with its name before anything is computed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use crate::bundle::block::{self, QuantError};
use crate::ops::{self, PART_BYTES, Q8Builder, Q8Tensor};

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

enum Stored {
    Float { shape: Vec<usize>, values: Tensor<1> },
    Q8 { shape: Vec<usize>, tensor: Q8Tensor },
}

/// A tensor of which some has come.
struct Partial {
    /// Of what is kept.
    shape: Vec<usize>,
    /// Elements of a row.
    width: usize,
    /// The rows that are kept, of all that come.
    kept: Range<usize>,
    form: PartialForm,
}

enum PartialForm {
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
    device: Device,
    stored: HashMap<String, Stored>,
    /// Tensors that come in parts, until they are whole.
    partial: HashMap<String, Partial>,
    /// Rows to keep of some tensors, and how many those have; of all others, all are kept.
    kept: HashMap<String, (Range<usize>, usize)>,
    /// Bytes of the device's largest buffer.
    largest_buffer: u64,
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

    /// Stores a floating-point tensor: uploaded at once, so that the caller may drop its own copy.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`]; [`ModelError::Parts`] when the values are not as many as the shape says.
    pub fn insert_float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), ModelError> {
        self.float_part(name, shape, values)?;
        self.whole(name)
    }

    /// Stores an int8 tensor of shape `[out, in…]` with its scales, uploaded at once.
    ///
    /// # Errors
    /// [`ModelError::Quant`] when the lengths contradict the shape, or the device cannot hold a row.
    pub fn insert_q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), ModelError> {
        let out = shape.first().copied().unwrap_or(0);
        block::check(q, scale, out, shape.iter().skip(1).product())?;
        self.q8_rows(name, shape, q)?;
        self.scale_rows(name, shape, scale)?;
        self.whole(name)
    }

    /// Takes the next values of a floating-point tensor of `shape`.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`]; another shape than before.
    pub fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), ModelError> {
        let device = self.device.clone();
        let partial = self.partial(name, shape, |weights, shape, _| {
            let needed = shape.iter().fold(4u64, |bytes, &size| bytes.saturating_mul(size as u64));
            if needed > weights.largest_buffer {
                return Err(ModelError::TooLarge { name: name.to_owned(), needed, most: weights.largest_buffer });
            }
            Ok(PartialForm::Float { seen: 0, parts: Vec::new() })
        })?;
        let PartialForm::Float { seen, parts } = &mut partial.form else { return Err(two_dtypes(name)) };
        let here = partial.kept.start * partial.width..partial.kept.end * partial.width;
        let wanted = within(&here, *seen, values.len());
        *seen += values.len();
        if !wanted.is_empty() {
            let values = if wanted.len() == values.len() { values } else { values[wanted].to_vec() };
            let count = values.len();
            parts.push(Tensor::from_data(TensorData::new(values, [count]), &device));
            ops::uploaded(&device, 4 * count);
        }
        Ok(())
    }

    /// Takes the next whole rows of an int8 tensor's values; see [`Weights::insert_q8`].
    ///
    /// # Errors
    /// A device that cannot hold a row; another shape than before.
    pub fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), ModelError> {
        let partial = self.partial(name, shape, Self::new_q8)?;
        let PartialForm::Q8 { seen: [seen, _], builder } = &mut partial.form else { return Err(two_dtypes(name)) };
        let rows = q.len() / partial.width.max(1);
        let wanted = within(&partial.kept, *seen, rows);
        *seen += rows;
        builder.values(&q[wanted.start * partial.width..wanted.end * partial.width]);
        Ok(())
    }

    /// Takes the next whole rows of its scales.
    ///
    /// # Errors
    /// As [`Weights::q8_rows`].
    pub fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), ModelError> {
        let partial = self.partial(name, shape, Self::new_q8)?;
        let PartialForm::Q8 { seen: [_, seen], builder } = &mut partial.form else { return Err(two_dtypes(name)) };
        let width = block::blocks(partial.width);
        let rows = scale.len() / width.max(1);
        let wanted = within(&partial.kept, *seen, rows);
        *seen += rows;
        builder.scales(&scale[wanted.start * width..wanted.end * width]);
        Ok(())
    }

    fn new_q8(&self, shape: &[usize], width: usize) -> Result<PartialForm, ModelError> {
        let out = shape.first().copied().unwrap_or(0);
        let builder = Q8Builder::new(out, width, PART_BYTES.min(self.largest_buffer), &self.device)?;
        Ok(PartialForm::Q8 { seen: [0; 2], builder })
    }

    /// What has come of a tensor; `form` begins it, from the shape that is kept and the elements of a row.
    fn partial(
        &mut self,
        name: &str,
        shape: &[usize],
        form: impl FnOnce(&Self, &[usize], usize) -> Result<PartialForm, ModelError>,
    ) -> Result<&mut Partial, ModelError> {
        if !self.partial.contains_key(name) {
            let rows = shape.first().copied().unwrap_or(1);
            let (kept, all) = self.kept.get(name).cloned().unwrap_or((0..rows, rows));
            let mut wanted = shape.to_vec();
            wanted.iter_mut().take(1).for_each(|rows| *rows = all);
            check_shape(name, shape, &wanted)?;
            let width = shape.iter().skip(1).product();
            let mut shape = wanted;
            shape.iter_mut().take(1).for_each(|rows| *rows = kept.len());
            let form = form(self, &shape, width)?;
            self.partial.insert(name.to_owned(), Partial { shape, width, kept, form });
        }
        self.partial.get_mut(name).ok_or_else(|| ModelError::Missing(name.to_owned()))
    }

    /// Everything of a tensor has come: it can be taken.
    ///
    /// # Errors
    /// When it has not.
    pub fn whole(&mut self, name: &str) -> Result<(), ModelError> {
        let partial = self.partial.remove(name).ok_or_else(|| ModelError::Missing(name.to_owned()))?;
        let Partial { shape, form, .. } = partial;
        let stored = match form {
            PartialForm::Float { parts, .. } => {
                let (count, found) =
                    (shape.iter().product::<usize>(), parts.iter().map(|part| part.dims()[0]).sum::<usize>());
                if found != count {
                    let why = format!("{found} values came, but its shape {shape:?} has {count}");
                    return Err(ModelError::Parts { name: name.to_owned(), why });
                }
                let mut parts = parts;
                let values = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(parts, 0) };
                Stored::Float { shape, values }
            }
            PartialForm::Q8 { builder, .. } => Stored::Q8 { shape, tensor: builder.finish()? },
        };
        self.stored.insert(name.to_owned(), stored);
        Ok(())
    }

    /// Drops what has come of a tensor.
    pub fn forget(&mut self, name: &str) {
        self.partial.remove(name);
        self.stored.remove(name);
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

/// Of `count` rows that come after `seen` others, those in `kept`.
fn within(kept: &Range<usize>, seen: usize, count: usize) -> Range<usize> {
    let at = |row: usize| row.saturating_sub(seen).min(count);
    at(kept.start)..at(kept.end)
}

fn two_dtypes(name: &str) -> ModelError {
    ModelError::Parts { name: name.to_owned(), why: "some are int8 and some are not".into() }
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
                .filter(|part| !["Float", "Q8", "Levels", "Patch"].contains(&part.as_str()))
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
