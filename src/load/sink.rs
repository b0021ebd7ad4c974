//! What takes a model's tensors from a bundle.

use half::f16;

use crate::bundle::{Bundle, BundleError, ModelKind, PartSink, Reader, TensorSink};
use crate::model::weights::Named;
use crate::model::{ModelError, Weights};
use crate::quant::{Quantized, dequantize};

/// Uploads tensors as they come, in parts where a shard is long.
pub struct WeightSink {
    /// What has come.
    pub weights: Weights,
    /// Tensors of parts that this program does not build begin with this; empty where all are built.
    passed_over: &'static str,
}

impl WeightSink {
    /// Fills `weights`.
    #[must_use]
    pub fn new(weights: Weights) -> Self {
        Self::without(weights, "")
    }

    /// Fills `weights`, but for tensors whose names begin with `passed_over`.
    #[must_use]
    pub fn without(weights: Weights, passed_over: &'static str) -> Self {
        Self { weights, passed_over }
    }

    fn unless_passed_over(
        &mut self,
        name: &str,
        take: impl FnOnce(&mut Weights) -> Result<(), ModelError>,
    ) -> Result<(), String> {
        if !self.passed_over.is_empty() && name.starts_with(self.passed_over) {
            return Ok(());
        }
        take(&mut self.weights).map_err(|error| error.to_string())
    }
}

impl TensorSink for WeightSink {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.insert_float(name, shape, values))
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.insert_q8(name, shape, q, scale))
    }

    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        Some(self)
    }
}

impl PartSink for WeightSink {
    fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.float_part(name, shape, values))
    }

    fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.q8_rows(name, shape, q))
    }

    fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.scale_rows(name, shape, scale))
    }

    fn whole(&mut self, name: &str) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.whole(name))
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
