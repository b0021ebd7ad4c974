//! The same functions from burn's own operations: for graphics cards, and for the test of ours.

use burn::tensor::activation::{log_softmax, sigmoid, silu};
use burn::tensor::module::layer_norm;
use burn::tensor::{Int, Tensor};

use super::super::Activation;

pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
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

pub fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    layer_norm(x, weight, Some(bias), epsilon)
}

pub fn softmax(x: Tensor<4>, bias: Option<Tensor<4>>, scale: f64) -> Tensor<4> {
    let scores = x * scale;
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    burn::tensor::activation::softmax(scores, 3)
}

pub fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let (head, rotary) = (width / heads, table.dims()[1]);
    let half = rotary / 2;
    let x = x.reshape([batch, tokens, heads, head]);
    let angles = |from: usize| table.clone().narrow(1, from, half).reshape([1, tokens, 1, half]);
    let (cos, sin) = (angles(0), angles(half));
    let (left, right) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
    let mut parts = vec![left.clone() * cos.clone() - right.clone() * sin.clone(), right * cos + left * sin];
    if rotary < head {
        parts.push(x.narrow(3, rotary, head - rotary));
    }
    Tensor::cat(parts, 3).reshape([batch, tokens, width])
}

pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let rows = labels.dims()[0];
    log_softmax(logits, 1).gather(1, labels.reshape([rows, 1])).reshape([rows]).neg()
}
