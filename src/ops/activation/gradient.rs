//! The activation with its gradient.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu};

use super::Activation;
use crate::ops::cpu::math;
use crate::ops::gradient::{self, Differentiable};

/// The activation of every value.
#[must_use]
pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) && activation != Activation::None {
        return gradient::torch::activate(x, activation);
    }
    match activation {
        Activation::None => x,
        _ if gradient::on_processor(&x) => own(x, activation),
        _ => composed(x, activation),
    }
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Differentiable>::activate_op(x.into_dispatch(), activation))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    const TWO_ROOT_TWO_OVER_PI: f64 = 1.595_769_121_605_731;
    match activation {
        Activation::None => x,
        Activation::GeluNew => {
            let cubic = (x.clone() * x.clone() * 0.044_715 + 1.0) * x.clone() * TWO_ROOT_TWO_OVER_PI;
            x * sigmoid(cubic)
        }
        Activation::QuickGelu => x.clone() * sigmoid(x * 1.702),
        Activation::Swish => silu(x),
    }
}

/// `activation(x)`.
#[must_use]
pub fn forward(x: &[f32], activation: Activation) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    // A piece at a time, which is still in the first cache when it is looked at again.
    for x in x.chunks(2048) {
        let done = y.len();
        y.extend_from_slice(x);
        activation.apply(&mut y[done..]);
    }
    y
}

/// d`x` of `activation(x)`.
#[must_use]
pub fn backward(x: &[f32], dy: &[f32], activation: Activation) -> Vec<f32> {
    // x·σ(z): σ + x·σ·(1 − σ)·z′.
    let slope = |x: f32, z: f32, dz: f32| {
        let s = math::sigmoid(z);
        s + x * s * (1.0 - s) * dz
    };
    let each = |of: &dyn Fn(&f32, &f32) -> f32| -> Vec<f32> { x.iter().zip(dy).map(|(x, dy)| of(x, dy)).collect() };
    match activation {
        Activation::None => dy.to_vec(),
        Activation::GeluNew => {
            const A: f32 = 0.044_715;
            const TWICE_ROOT: f32 = 1.595_769_2;
            let dx = |(&x, dy): (&f32, &f32)| {
                let square = x * x;
                let z = TWICE_ROOT * x * (1.0 + A * square);
                dy * slope(x, z, TWICE_ROOT * (1.0 + 3.0 * A * square))
            };
            x.iter().zip(dy).map(dx).collect()
        }
        Activation::QuickGelu => each(&|x, dy| dy * slope(*x, 1.702 * x, 1.702)),
        Activation::Swish => each(&|x, dy| dy * slope(*x, *x, 1.0)),
    }
}
