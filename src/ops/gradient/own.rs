//! The functions as tensors see them, on burn's CPU backend.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::super::{Activation, Attention, Qkv, or_else};
use super::{Differentiable, on_processor_in_bf16};

pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Differentiable>::activate_op(x.into_dispatch(), activation))
}

pub fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Differentiable>::normalize_op(x, weight, bias, epsilon as f32))
}

pub fn attend(qkv: Qkv) -> Tensor<3> {
    let ([q, past_k, past_v, k, v], bias, spec) = qkv.operands();
    let spec = Attention { bf16: on_processor_in_bf16(), ..spec };
    Tensor::from_dispatch(<Dispatch as Differentiable>::attend_op(q, past_k, past_v, k, v, bias, spec))
}

pub fn project(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let (biased, bias) = (bias.is_some(), or_else(bias, &x));
    Tensor::from_dispatch(<Dispatch as Differentiable>::project_op(x, weight, bias, biased))
}

pub fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    let (x, table) = (x.into_dispatch(), table.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Differentiable>::turn_op(x, table, heads, false))
}

pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Differentiable>::cross_entropy_op(logits, labels))
}
