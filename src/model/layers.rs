//! The layers that the networks share. Each names its tensors as the reference checkpoints do.

use burn::module::{Module, Param};
use burn::tensor::activation::{sigmoid, silu, softmax};
use burn::tensor::module::{conv2d, layer_norm, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor};

use super::weights::{Init, ModelError, Weights};
use crate::quant::{Q8Tensor, q8_linear};

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

    /// `x · Wᵀ` for `x` of shape `[rows, in]`.
    #[must_use]
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Float(weight) => linear(x, weight.val().transpose(), None),
            Self::Q8(weight) => q8_linear(x, weight),
        }
    }

    /// `x · W[start..start + count]ᵀ`: some rows of the matrix only.
    #[must_use]
    pub fn apply_rows(&self, x: Tensor<2>, start: usize, count: usize) -> Tensor<2> {
        match self {
            Self::Float(weight) => linear(x, weight.val().narrow(0, start, count).transpose(), None),
            Self::Q8(weight) => q8_linear(x, &weight.slice_rows(start..start + count)),
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
        let mut shape = x.dims();
        let inputs = shape[D - 1];
        let rows = shape.iter().product::<usize>() / inputs.max(1);
        let y = match (&self.weight, &self.bias) {
            (Matrix::Float(weight), bias) => {
                linear(x.reshape([rows, inputs]), weight.val().transpose(), bias.as_ref().map(|b| b.val()))
            }
            (Matrix::Q8(weight), None) => q8_linear(x.reshape([rows, inputs]), weight),
            (Matrix::Q8(weight), Some(bias)) => {
                q8_linear(x.reshape([rows, inputs]), weight) + bias.val().unsqueeze::<2>()
            }
        };
        shape[D - 1] = y.dims()[1];
        y.reshape(shape)
    }

    /// Some of the outputs only: `[rows, in]` → `[rows, count]`.
    #[must_use]
    pub fn forward_outputs(&self, x: Tensor<2>, start: usize, count: usize) -> Tensor<2> {
        let y = self.weight.apply_rows(x, start, count);
        match &self.bias {
            Some(bias) => y + bias.val().narrow(0, start, count).unsqueeze::<2>(),
            None => y,
        }
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
        layer_norm(x, self.weight.val(), Some(self.bias.val()), self.epsilon)
    }
}

/// Group normalization over `[batch, channels, height, width]`.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// `[channels]`.
    pub bias: Param<Tensor<1>>,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// Takes `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Weights::take`]; channels that the groups do not divide.
    pub fn take(
        weights: &mut Weights,
        name: &str,
        channels: usize,
        groups: usize,
        epsilon: f64,
    ) -> Result<Self, ModelError> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let why = format!("`{name}` has {channels} channels, which {groups} groups do not divide");
            return Err(ModelError::Config { model: "magvit", why });
        }
        Ok(Self {
            weight: weights.take(&format!("{name}.weight"), [channels], Init::Ones)?,
            bias: weights.take(&format!("{name}.bias"), [channels], Init::Zeros)?,
            groups,
            epsilon,
        })
    }

    /// Normalizes each group of channels to mean 0 and variance 1, then scales and shifts each channel.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let grouped = x.reshape([batch, self.groups, channels / self.groups * height * width]);
        let centred = grouped.clone() - grouped.mean_dim(2);
        let variance = (centred.clone() * centred.clone()).mean_dim(2);
        let normal = centred / (variance + self.epsilon).sqrt();
        normal.reshape([batch, channels, height, width]) * self.weight.val().reshape([1, channels, 1, 1])
            + self.bias.val().reshape([1, channels, 1, 1])
    }
}

/// A two-dimensional convolution.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`, int8 over its flattened input.
    pub weight: Kernel,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    kernel: usize,
}

/// A convolution's weight: floating point or int8.
#[derive(Module, Debug)]
pub enum Kernel {
    /// `[out, in, kernel, kernel]`.
    Float(Param<Tensor<4>>),
    /// `[out, in·kernel·kernel]`.
    Q8(Q8Tensor),
}

/// Shape and stride of a [`Conv2d`].
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub out: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Zeros around the picture.
    pub padding: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

impl ConvShape {
    /// A convolution that keeps the picture's size, with bias.
    #[must_use]
    pub fn same(inputs: usize, out: usize, kernel: usize) -> Self {
        Self { inputs, out, kernel, stride: 1, padding: kernel / 2, bias: true }
    }
}

impl Conv2d {
    /// Takes `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(weights: &mut Weights, name: &str, shape: ConvShape) -> Result<Self, ModelError> {
        let ConvShape { inputs, out, kernel, stride, padding, bias } = shape;
        let weight_name = format!("{name}.weight");
        let dims = [out, inputs, kernel, kernel];
        // He initialization for the SiLU networks around.
        let std = (1.0 / (inputs * kernel * kernel) as f32).sqrt();
        let weight = match weights.take_q8(&weight_name, &dims)? {
            Some(tensor) => Kernel::Q8(tensor),
            None => Kernel::Float(weights.take(&weight_name, dims, Init::Normal(std))?),
        };
        let bias = if bias { Some(weights.take(&format!("{name}.bias"), [out], Init::Zeros)?) } else { None };
        Ok(Self { weight, bias, stride, padding, kernel })
    }

    /// `[batch, in, height, width]` → `[batch, out, height′, width′]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.weight {
            Kernel::Float(weight) => conv2d(
                x,
                weight.val(),
                self.bias.as_ref().map(|b| b.val()),
                ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1),
            ),
            Kernel::Q8(weight) => {
                let y = crate::quant::q8_conv2d(x, weight, self.kernel, self.stride, self.padding);
                match &self.bias {
                    Some(bias) => {
                        let channels = bias.dims()[0];
                        y + bias.val().reshape([1, channels, 1, 1])
                    }
                    None => y,
                }
            }
        }
    }
}

/// GELU in its tanh form, `gelu_new` of the reference: `½x(1 + tanh(√(2/π)(x + 0.044715x³)))`.
///
/// Written as `x·σ(2√(2/π)(x + 0.044715x³))`, which is the same function with fewer passes over memory.
#[must_use]
pub fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const TWO_ROOT_TWO_OVER_PI: f64 = 1.595_769_121_605_731;
    let cubic = (x.clone() * x.clone() * 0.044_715 + 1.0) * x.clone() * TWO_ROOT_TWO_OVER_PI;
    x * sigmoid(cubic)
}

/// `x·σ(1.702x)`, CLIP's activation.
#[must_use]
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * sigmoid(x * 1.702)
}

/// `x·σ(x)`, MAGVIT-v2's activation.
#[must_use]
pub fn swish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    silu(x)
}

/// Scaled dot-product attention: `softmax(QKᵀ/√head + bias)·V`.
///
/// `q` `[batch, heads, rows, head]`, `k` and `v` `[batch, heads, columns, head]`, `bias` broadcast to
/// `[batch, heads, rows, columns]` (0 where attention is allowed, a large negative number elsewhere).
#[must_use]
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Option<Tensor<4>>) -> Tensor<4> {
    let head = q.dims()[3];
    let scores = (q * (head as f64).powf(-0.5)).matmul(k.swap_dims(2, 3));
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    softmax(scores, 3).matmul(v)
}

/// `[batch, tokens, heads·head]` → `[batch, heads, tokens, head]`.
#[must_use]
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = x.dims();
    x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
}

/// `[batch, heads, tokens, head]` → `[batch, tokens, heads·head]`.
#[must_use]
pub fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, head] = x.dims();
    x.swap_dims(1, 2).reshape([batch, tokens, heads * head])
}
