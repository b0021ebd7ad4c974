//! A case's three files, read from memory.

use std::collections::BTreeMap;

use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

use super::{Kind, ParityError};
use crate::model::Weights;

enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// One case: its configuration, its weights, and what the reference computed from them.
pub struct Case {
    /// As its files are called.
    pub name: String,
    /// What it is a case of.
    pub kind: Kind,
    config: serde_json::Value,
    golden: BTreeMap<String, (Vec<usize>, Values)>,
    weights: Vec<u8>,
    /// `NAME.hub/tokenizer.json`, of a case that has one.
    tokenizer: Vec<u8>,
}

impl Case {
    /// From the bytes of `NAME.json`, `NAME.golden.safetensors` and `NAME.weights.safetensors` (empty where the case has
    /// none).
    ///
    /// # Errors
    /// An unknown kind; a file that is not what its name says.
    pub fn new(name: &str, config: &[u8], golden: &[u8], weights: Vec<u8>) -> Result<Self, ParityError> {
        let kind = Kind::of(name)?;
        let name = name.to_owned();
        let config = serde_json::from_slice(config)
            .map_err(|error| ParityError::Config { name: name.clone(), why: error.to_string() })?;
        let golden = read_golden(golden).map_err(|why| ParityError::Golden { name: name.clone(), why })?;
        Ok(Self { name, kind, config, golden, weights, tokenizer: Vec::new() })
    }

    /// With the bytes of `NAME.hub/tokenizer.json`.
    #[must_use]
    pub fn with_tokenizer(self, tokenizer: Vec<u8>) -> Self {
        Self { tokenizer, ..self }
    }

    /// The tokenizer of a case that has one.
    ///
    /// # Errors
    /// It was not given.
    pub fn tokenizer(&self) -> Result<&[u8], ParityError> {
        match self.tokenizer.as_slice() {
            [] => Err(self.refuse(format!("{}.hub/tokenizer.json is missing beside it", self.name))),
            json => Ok(json),
        }
    }

    /// The configuration, or a part of it.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, ParityError> {
        serde_path_to_error::deserialize(&self.config).map_err(|error| self.refuse(error))
    }

    /// The configuration is of no use.
    pub(super) fn refuse(&self, why: impl ToString) -> ParityError {
        ParityError::Config { name: self.name.clone(), why: why.to_string() }
    }

    /// The weights, uploaded.
    ///
    /// # Errors
    /// No safetensors file.
    pub fn weights(&self, device: &Device) -> Result<Weights, ParityError> {
        Weights::from_safetensors(&self.weights, device).map_err(|source| self.unbuildable(source))
    }

    /// The network cannot be built.
    pub(super) fn unbuildable(&self, source: crate::model::ModelError) -> ParityError {
        ParityError::Weights { name: self.name.clone(), source }
    }

    fn golden(&self, name: &str) -> Result<&(Vec<usize>, Values), ParityError> {
        self.golden.get(name).ok_or_else(|| self.wrong(format!("there is no tensor `{name}`")))
    }

    /// The golden file is of no use.
    pub(super) fn wrong(&self, why: String) -> ParityError {
        ParityError::Golden { name: self.name.clone(), why }
    }

    /// The shape of a golden tensor of `D` dimensions.
    ///
    /// # Errors
    /// There is none of that name, or it has other dimensions.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D], ParityError> {
        let (shape, _) = self.golden(name)?;
        let shape = shape.as_slice();
        shape.try_into().map_err(|_| self.wrong(format!("`{name}` has the shape {shape:?}, not {D} dimensions")))
    }

    /// A golden tensor of floating-point numbers, row by row.
    ///
    /// # Errors
    /// There is none of that name, or it has another shape or type.
    pub fn floats<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<&[f32], ParityError> {
        self.expect(name, shape)?;
        match self.golden(name)? {
            (_, Values::Floats(values)) => Ok(values),
            (_, Values::Ints(_)) => Err(self.wrong(format!("`{name}` holds integers, not F32"))),
        }
    }

    /// A golden tensor of ids, row by row.
    ///
    /// # Errors
    /// As [`Case::floats`].
    pub fn ints<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<&[i64], ParityError> {
        self.expect(name, shape)?;
        match self.golden(name)? {
            (_, Values::Ints(values)) => Ok(values),
            (_, Values::Floats(_)) => Err(self.wrong(format!("`{name}` holds floating-point numbers, not integers"))),
        }
    }

    /// Codes or token ids, which are small and not negative.
    ///
    /// # Errors
    /// As [`Case::floats`]; a number that is no id.
    pub fn ids<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Vec<u32>, ParityError> {
        let id = |&value: &i64| u32::try_from(value).map_err(|_| self.wrong(format!("`{name}` holds the id {value}")));
        self.ints(name, shape)?.iter().map(id).collect()
    }

    fn expect<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<(), ParityError> {
        let found: [usize; D] = self.shape(name)?;
        if found == shape {
            return Ok(());
        }
        Err(self.wrong(format!("`{name}` has the shape {found:?}, but the configuration asks for {shape:?}")))
    }

    /// Floating-point numbers on a device.
    ///
    /// # Errors
    /// As [`Case::floats`].
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>, ParityError> {
        let shape: [_; D] = self.shape(name)?;
        Ok(Tensor::from_data(TensorData::new(self.floats(name, shape)?.to_vec(), shape), device))
    }

    /// Integers on a device.
    ///
    /// # Errors
    /// As [`Case::ints`].
    pub fn int_tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D, Int>, ParityError> {
        let shape: [_; D] = self.shape(name)?;
        let values: Vec<i32> = self.ints(name, shape)?.iter().map(|&value| value as i32).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }
}

fn read_golden(bytes: &[u8]) -> Result<BTreeMap<String, (Vec<usize>, Values)>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut golden = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::Floats(data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::I64 => Values::Ints(data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
            Dtype::I32 => Values::Ints(data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b).into()).collect()),
            Dtype::U8 | Dtype::BOOL => Values::Ints(data.iter().map(|&byte| byte.into()).collect()),
            other => return Err(format!("`{name}` has the unsupported dtype {other:?}")),
        };
        golden.insert(name, (view.shape().to_vec(), values));
    }
    Ok(golden)
}
