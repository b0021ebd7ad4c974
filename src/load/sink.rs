//! What takes a model's tensors from a bundle.

use half::f16;

use crate::bundle::block::{Quantized, dequantize};
use crate::bundle::{Bundle, BundleError, ModelKind, PartSink, Reader, TensorSink};
use crate::model::weights::Named;
use crate::model::{ModelError, Weights};

/// Uploads tensors as they come, in parts where a shard is long.
pub struct WeightSink<'a> {
    /// What has come.
    pub weights: Weights,
    /// Whether a tensor of this name is wanted; the others are passed over.
    wanted: &'a dyn Fn(&str) -> bool,
}

impl<'a> WeightSink<'a> {
    /// Fills `weights` with every tensor.
    #[must_use]
    pub fn new(weights: Weights) -> Self {
        Self::only(weights, &|_| true)
    }

    /// Fills `weights` with the tensors whose names are `wanted`.
    #[must_use]
    pub fn only(weights: Weights, wanted: &'a dyn Fn(&str) -> bool) -> Self {
        Self { weights, wanted }
    }

    fn if_wanted(
        &mut self,
        name: &str,
        take: impl FnOnce(&mut Weights) -> Result<(), ModelError>,
    ) -> Result<(), String> {
        if (self.wanted)(name) { take(&mut self.weights).map_err(|error| error.to_string()) } else { Ok(()) }
    }
}

impl TensorSink for WeightSink<'_> {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.insert_float(name, shape, values))
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.insert_q8(name, shape, q, scale))
    }

    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        Some(self)
    }
}

impl PartSink for WeightSink<'_> {
    fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.float_part(name, shape, values))
    }

    fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.q8_rows(name, shape, q))
    }

    fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.scale_rows(name, shape, scale))
    }

    fn whole(&mut self, name: &str) -> Result<(), String> {
        self.if_wanted(name, |weights| weights.whole(name))
    }

    fn forget(&mut self, name: &str) {
        self.weights.forget(name);
    }
}

/// Hands on every tensor in f32, int8 ones decoded: to train on from them, or to write them elsewhere.
pub struct F32Sink<F>(F);

impl<F: FnMut(&str, &[usize], Vec<f32>) -> Result<(), String>> F32Sink<F> {
    /// `take` is given each tensor's name, shape and values.
    pub fn new(take: F) -> Self {
        Self(take)
    }
}

impl<F: FnMut(&str, &[usize], Vec<f32>) -> Result<(), String>> TensorSink for F32Sink<F> {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        (self.0)(name, shape, values)
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        let (out, inputs) = (shape.first().copied().unwrap_or(0), shape.iter().skip(1).product());
        let blocks = Quantized { q: q.to_vec(), scale: scale.to_vec(), out, inputs };
        (self.0)(name, shape, dequantize(&blocks))
    }
}

/// The tensors of a bundle's model in f32, under their own names.
///
/// # Errors
/// The bundle is damaged or holds no such model.
pub async fn named_tensors<R: Reader>(bundle: &Bundle<R>, kind: ModelKind) -> Result<Named, BundleError> {
    let mut named = Named::new();
    let mut sink = F32Sink::new(|name, shape, values| {
        named.insert(name.to_owned(), (shape.to_vec(), values));
        Ok(())
    });
    bundle.load(kind, &mut sink, &mut |_| {}).await?;
    Ok(named)
}
