//! Convolutions and the norm between them. As in `layers`, tensors are named as the reference checkpoints name them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

#[cfg(not(target_arch = "wasm32"))]
use super::differentiable;
use super::error::ModelError;
use super::weights::{Init, Weights};
use crate::ops::{self, Activation, Norm, Q8Tensor, Weight, Windows};

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

    /// Normalizes each group of channels to mean 0 and variance 1, scales and shifts each channel, then the activation.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let [_, channels, height, width] = x.dims();
        let (weight, bias) = (self.weight.val(), self.bias.val());
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device()) {
            return differentiable::normalize_groups(x, weight, bias, self.groups, self.epsilon, activation);
        }
        ops::norm(x, weight, bias, Norm::group(channels, self.groups, height * width, self.epsilon, activation))
    }
}

/// A two-dimensional convolution.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`, int8 over its flattened input.
    pub weight: Kernel,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    windows: Windows,
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
    /// How often each pixel is repeated in both directions before the convolution.
    pub enlarge: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

impl ConvShape {
    /// A convolution that keeps the picture's size, with bias.
    #[must_use]
    pub fn same(inputs: usize, out: usize, kernel: usize) -> Self {
        Self { inputs, out, kernel, stride: 1, padding: kernel / 2, enlarge: 1, bias: true }
    }
}

impl Conv2d {
    /// Takes `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take(weights: &mut Weights, name: &str, shape: ConvShape) -> Result<Self, ModelError> {
        let ConvShape { inputs, out, kernel, stride, padding, enlarge, bias } = shape;
        let weight_name = format!("{name}.weight");
        let dims = [out, inputs, kernel, kernel];
        // He initialization for the SiLU networks around.
        let std = (1.0 / (inputs * kernel * kernel) as f32).sqrt();
        let weight = match weights.take_q8(&weight_name, &dims)? {
            Some(tensor) => Kernel::Q8(tensor),
            None => Kernel::Float(weights.take(&weight_name, dims, Init::Normal(std))?),
        };
        let bias = if bias { Some(weights.take(&format!("{name}.bias"), [out], Init::Zeros)?) } else { None };
        let windows = Windows { enlarge, ..Windows::square(kernel, stride, padding) };
        Ok(Self { weight, bias, windows })
    }

    /// `[batch, in, height, width]` → `[batch, out, height′, width′]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_plus(x, None)
    }

    /// As [`Conv2d::forward`], and something of the result's shape added.
    #[must_use]
    pub fn forward_plus(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device())
            && let Kernel::Float(weight) = &self.weight
        {
            return differentiable::convolve(x, weight.val(), self.windows, bias, residual);
        }
        ops::conv2d(x, &self.weight.weight(), self.windows, bias, residual)
    }

    /// As [`Conv2d::forward`], laid out `[batch, height′·width′, out]`.
    #[must_use]
    pub fn forward_rows(&self, x: Tensor<4>) -> Tensor<3> {
        #[cfg(not(target_arch = "wasm32"))]
        if !ops::available(&x.device()) {
            return self.forward(x).flatten::<3>(2, 3).swap_dims(1, 2);
        }
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv2d_rows(x, &self.weight.weight(), self.windows, bias)
    }
}

impl Kernel {
    /// The weight as the operations take it.
    fn weight(&self) -> Weight<'_> {
        match self {
            Self::Float(weight) => Weight::Float(weight.val().flatten(1, 3)),
            Self::Q8(weight) => Weight::Q8(weight),
        }
    }
}
