//! The layers that the networks share. Each names its tensors as the reference checkpoints do.
//!
//! Where gradients are recorded they compute with `differentiable`, everywhere else with [`ops`]; a browser has only
//! the latter, which keeps burn's own products and convolutions out of what visitors download.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::error::ModelError;
use super::weights::{Init, Weights};
use crate::ops::{self, Activation, After, Norm, Q8Tensor, Qkv, Weight};

#[cfg(not(target_arch = "wasm32"))]
use super::differentiable;

/// A weight matrix `[out, in]`: floating point while training, int8 as shipped.
#[derive(Module, Debug)]
pub enum Matrix {
    /// `[out, in]`.
    Float(Param<Tensor<2>>),
    /// int8 blocks of 32 inputs.
    Q8(Q8Tensor),
}

impl Matrix {
    fn take(weights: &mut Weights, name: &str, out: usize, inputs: usize, std: f32) -> Result<Self, ModelError> {
        if let Some(tensor) = weights.take_q8(name, &[out, inputs])? {
            return Ok(Self::Q8(tensor));
        }
        Ok(Self::Float(weights.take(name, [out, inputs], Init::Normal(std))?))
    }

    /// The weight as the operations take it.
    fn weight(&self) -> Weight<'_> {
        match self {
            Self::Float(weight) => Weight::Float(weight.val()),
            Self::Q8(weight) => Weight::Q8(weight),
        }
    }

    /// Some rows of the matrix, as one of its own. On a GPU int8 rows are copied: slice once and keep it.
    #[must_use]
    pub fn rows(&self, start: usize, count: usize) -> Self {
        match self {
            Self::Float(weight) => Self::Float(weight.clone().map(|weight| weight.narrow(0, start, count))),
            Self::Q8(weight) => Self::Q8(weight.slice_rows(start..start + count)),
        }
    }

    /// Rows `ids` of the matrix, `[ids, in]`.
    #[must_use]
    pub fn gather(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        match self {
            Self::Float(weight) => weight.val().select(0, ids),
            Self::Q8(weight) => weight.gather_rows(ids),
        }
    }
}

/// `y = x Wᵀ + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Matrix,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Takes `name.weight` and `name.bias`; a fresh weight has standard deviation `std`.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        out: usize,
        bias: bool,
        std: f32,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            weight: Matrix::take(weights, &format!("{name}.weight"), out, inputs, std)?,
            bias: if bias { Some(weights.take(&format!("{name}.bias"), [out], Init::Zeros)?) } else { None },
        })
    }

    /// `[…, in]` → `[…, out]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_with(x, Activation::None, None)
    }

    /// `activation(x Wᵀ + b) + residual`.
    #[must_use]
    pub fn forward_with<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Activation,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        let mut shape = x.dims();
        let inputs = shape[D - 1];
        let rows = shape.iter().product::<usize>() / inputs.max(1);
        let weight = self.weight.weight();
        let out = weight.dims()[0];
        shape[D - 1] = out;
        let x = x.reshape([rows, inputs]);
        let residual = residual.map(|residual| residual.reshape([rows, out]));
        let bias = self.bias.as_ref().map(Param::val);
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device())
            && let Weight::Float(weight) = weight
        {
            return differentiable::project(x, weight, bias, activation, residual).reshape(shape);
        }
        ops::linear(x, weight, After { bias, activation, residual, plane: None }).reshape(shape)
    }

    /// The same layer with some of its outputs only.
    #[must_use]
    pub fn outputs(&self, start: usize, count: usize) -> Self {
        let bias = self.bias.clone().map(|bias| bias.map(|bias| bias.narrow(0, start, count)));
        Self { weight: self.weight.rows(start, count), bias }
    }

    /// `[rows, in]` → `[rows, outputs]`: the outputs numbered `outputs` alone, in that order.
    #[must_use]
    pub fn forward_some(&self, x: Tensor<2>, outputs: Tensor<1, Int>) -> Tensor<2> {
        let weight = self.weight.gather(outputs.clone());
        let bias = self.bias.as_ref().map(|bias| bias.val().select(0, outputs));
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device()) {
            return differentiable::project(x, weight, bias, Activation::None, None);
        }
        ops::linear(x, Weight::Float(weight), After { bias, ..After::default() })
    }

    /// The same layer with `more` `[out, in]` added to its weight.
    ///
    /// # Panics
    /// An int8 weight.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn plus(self, more: Tensor<2>) -> Self {
        let Matrix::Float(weight) = self.weight else { panic!("an int8 weight cannot be added to") };
        Self { weight: Matrix::Float(weight.map(|weight| weight + more)), bias: self.bias }
    }
}

/// Two layers with an activation between them.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[inner, width]`.
    pub fc1: Linear,
    /// `[width, inner]`.
    pub fc2: Linear,
}

impl Mlp {
    /// Takes `name.fc1` and `name.fc2`, each with bias; `stds` are the standard deviations of fresh weights.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(
        weights: &mut Weights,
        name: &str,
        [width, inner]: [usize; 2],
        stds: [f32; 2],
    ) -> Result<Self, ModelError> {
        Ok(Self {
            fc1: Linear::take(weights, &format!("{name}.fc1"), width, inner, true, stds[0])?,
            fc2: Linear::take(weights, &format!("{name}.fc2"), inner, width, true, stds[1])?,
        })
    }

    /// `fc2(activation(fc1(x))) + residual`, `[batch, tokens, width]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, activation: Activation, residual: Tensor<3>) -> Tensor<3> {
        let inner = self.fc1.forward_with(x, activation, None);
        self.fc2.forward_with(inner, Activation::None, Some(residual))
    }
}

/// A look-up table `[entries, width]`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[entries, width]`.
    pub weight: Matrix,
}

impl Embedding {
    /// Takes `name.weight`.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(weights: &mut Weights, name: &str, entries: usize, width: usize, std: f32) -> Result<Self, ModelError> {
        Ok(Self { weight: Matrix::take(weights, &format!("{name}.weight"), entries, width, std)? })
    }

    /// `[batch, tokens]` → `[batch, tokens, width]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, tokens] = ids.dims();
        let rows = self.weight.gather(ids.reshape([batch * tokens]));
        let width = rows.dims()[1];
        rows.reshape([batch, tokens, width])
    }
}

/// Layer normalization over the last dimension.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    /// `[width]`.
    pub bias: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    /// Takes `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(weights: &mut Weights, name: &str, width: usize, epsilon: f64) -> Result<Self, ModelError> {
        Ok(Self {
            weight: weights.take(&format!("{name}.weight"), [width], Init::Ones)?,
            bias: weights.take(&format!("{name}.bias"), [width], Init::Zeros)?,
            epsilon,
        })
    }

    /// `[…, width]` → the same shape.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device()) {
            return ops::gradient::normalize(x, weight, bias, self.epsilon);
        }
        ops::norm(x, weight, bias, Norm::layer(self.weight.dims()[0], self.epsilon))
    }

    /// Weight, bias and ε, for operations that normalize on the way.
    #[must_use]
    pub fn parts(&self) -> (Tensor<1>, Tensor<1>, f64) {
        (self.weight.val(), self.bias.val(), self.epsilon)
    }
}

/// As layers hand it to each other where they compute in fewer bits
/// ([`in_bf16`](crate::ops::gradient::in_bf16) on a LibTorch device); elsewhere as it is.
#[must_use]
pub fn narrowed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(all(feature = "libtorch", not(target_arch = "wasm32")))]
    if ops::gradient::is_torch(&x.device()) {
        return ops::gradient::torch::narrowed(x);
    }
    x
}

/// In f32 again, for what a network gives to those who compute losses with it: the reverse of [`narrowed`].
#[must_use]
pub fn widened<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(all(feature = "libtorch", not(target_arch = "wasm32")))]
    if ops::gradient::is_torch(&x.device()) {
        return x.cast(burn::tensor::FloatDType::F32);
    }
    x
}

/// Scaled dot-product attention, heads side by side: see [`ops::attention()`].
#[must_use]
pub fn attend(qkv: Qkv) -> Tensor<3> {
    #[cfg(not(target_arch = "wasm32"))]
    if !ops::available(&qkv.q.device()) {
        return ops::gradient::attend(qkv);
    }
    ops::attention(qkv)
}

/// Rotary embedding, after each head's normalization where there is one: see [`ops::rotate()`].
#[must_use]
pub fn rotate(x: Tensor<3>, table: Tensor<2>, heads: usize, normalize: Option<&LayerNorm>) -> Tensor<3> {
    let normalize = normalize.map(LayerNorm::parts);
    #[cfg(not(target_arch = "wasm32"))]
    if !ops::available(&x.device()) {
        return differentiable::rotate(x, table, heads, normalize);
    }
    ops::rotate(x, table, heads, normalize)
}
