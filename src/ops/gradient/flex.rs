//! burn's CPU backend: its tensors handed to the loops over slices.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::DType;

use super::bf16::{Operand, product};
use super::{Differentiable, Gradients, cross_entropy};
use crate::ops::attention::cpu::Keys;
use crate::ops::cpu::{shape, slice, tensor};
use crate::ops::rotate::cpu::rotate;
use crate::ops::{Activation, Attention, Norm, Rotate, activation, attention, norm};

impl Differentiable for Flex {
    fn activate_op(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        tensor(activation::gradient::forward(slice(&x), activation), shape(&x))
    }

    fn normalize_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let spec = Norm::layer(shape(&weight)[0], epsilon.into());
        tensor(norm::cpu::norm(slice(&x), slice(&weight), slice(&bias), &spec), shape(&x))
    }

    fn attend_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self> {
        let [y, _] = Self::attend_with_shares([q, past_k, past_v, k, v], bias, spec);
        y
    }

    fn project_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        biased: bool,
    ) -> FloatTensor<Self> {
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let (rows, out, inputs) = (shape(&x)[0], shape(&weight)[0], shape(&weight)[1]);
        let bias = if biased { slice(&bias) } else { &[] };
        let y = product(Operand::Inner(slice(&x)), Operand::Inner(slice(&weight)), bias, [rows, inputs, out]);
        tensor(y, vec![rows, out])
    }

    fn turn_op(x: FloatTensor<Self>, table: FloatTensor<Self>, heads: usize, back: bool) -> FloatTensor<Self> {
        let (x, table) = (x.to_contiguous(), table.to_contiguous());
        let (shape, table_shape) = (shape(&x), shape(&table));
        let (tokens, rotary) = (table_shape[0], table_shape[1]);
        let spec = Rotate { tokens, heads, head: shape[2] / heads, rotary, epsilon: None };
        let mut angles = slice::<f32>(&table).to_vec();
        if back {
            // The inverse of a rotation, which is also its transpose.
            for row in angles.chunks_exact_mut(rotary) {
                row[rotary / 2..].iter_mut().for_each(|sine| *sine = -*sine);
            }
        }
        tensor(rotate(slice(&x), &angles, &[], &[], &spec), shape)
    }

    fn cross_entropy_op(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let labels = indices(&labels);
        let losses = cross_entropy::forward(slice(&logits.to_contiguous()), &labels);
        let rows = losses.len();
        tensor(losses, vec![rows])
    }
}

impl Gradients for Flex {
    fn activate_grad(x: FloatTensor<Self>, dy: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        tensor(activation::gradient::backward(slice(&x), slice(&dy), activation), shape(&x))
    }

    fn normalize_grad(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        epsilon: f32,
    ) -> [FloatTensor<Self>; 3] {
        let [x, weight, dy] = [x, weight, dy].map(|tensor| tensor.to_contiguous());
        let [dx, dw, db] = norm::gradient::backward(slice(&x), slice(&weight), slice(&dy), epsilon);
        [tensor(dx, shape(&x)), tensor(dw, shape(&weight)), tensor(db, shape(&weight))]
    }

    fn attend_with_shares(
        inputs: [FloatTensor<Self>; 5],
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> [FloatTensor<Self>; 2] {
        let [q, past_k, past_v, k, v] = inputs.map(|tensor| tensor.to_contiguous());
        let bias = bias.to_contiguous();
        let keys = keys([&past_k, &past_v, &k, &v], &spec);
        let [y, shares] = attention::gradient::forward(slice(&q), &keys, slice(&bias), &spec);
        let all = vec![spec.batch, spec.heads, spec.rows, spec.past + spec.columns];
        [tensor(y, shape(&q)), tensor(shares, all)]
    }

    fn attend_grad(
        inputs: [FloatTensor<Self>; 5],
        shares: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        spec: Attention,
    ) -> [FloatTensor<Self>; 5] {
        let [q, past_k, past_v, k, v] = inputs.map(|tensor| tensor.to_contiguous());
        let dy = dy.to_contiguous();
        let keys = keys([&past_k, &past_v, &k, &v], &spec);
        let (dq, mut given) = attention::gradient::backward(slice(&q), &keys, slice(&shares), slice(&dy), &spec);
        let (k, v) = given.pop().unwrap_or_default();
        let (past_k, past_v) = given.pop().unwrap_or_default();
        let of = |values, tokens| tensor(values, vec![spec.batch, tokens, spec.heads * spec.head]);
        [of(dq, spec.rows), of(past_k, spec.past), of(past_v, spec.past), of(k, spec.columns), of(v, spec.columns)]
    }

    fn project_grad_x(weight: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let (weight, dy) = (weight.to_contiguous(), dy.to_contiguous());
        let (rows, out, inputs) = (shape(&dy)[0], shape(&weight)[0], shape(&weight)[1]);
        let dx = product(Operand::Inner(slice(&dy)), Operand::Outer(slice(&weight)), &[], [rows, out, inputs]);
        tensor(dx, vec![rows, inputs])
    }

    fn project_grad_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        let (rows, out, inputs) = (shape(&dy)[0], shape(&dy)[1], shape(&x)[1]);
        let dw = product(Operand::Outer(slice(&dy)), Operand::Outer(slice(&x)), &[], [out, rows, inputs]);
        tensor(dw, vec![out, inputs])
    }

    fn project_grad_bias(dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let dy = dy.to_contiguous();
        let out = shape(&dy)[1];
        let mut sums = vec![0f32; out];
        slice(&dy)
            .chunks_exact(out)
            .for_each(|line: &[f32]| sums.iter_mut().zip(line).for_each(|(sum, dy)| *sum += dy));
        tensor(sums, vec![out])
    }

    fn cross_entropy_grad(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, dy) = (logits.to_contiguous(), dy.to_contiguous());
        tensor(cross_entropy::backward(slice(&logits), &indices(&labels), slice(&dy)), shape(&logits))
    }
}

/// The groups of keys that there are: new ones, and before them those of the past.
fn keys<'a>([past_k, past_v, k, v]: [&'a FlexTensor; 4], spec: &Attention) -> Vec<Keys<'a>> {
    let past = Keys { k: slice(past_k), v: slice(past_v), tokens: spec.past };
    let new = Keys { k: slice(k), v: slice(v), tokens: spec.columns };
    [past, new].into_iter().filter(|keys| keys.tokens > 0).collect()
}

/// Integers of either width as indices; a negative one is no index of anything and fails where it is used.
fn indices(tensor: &FlexTensor) -> Vec<usize> {
    let tensor = tensor.to_contiguous();
    match tensor.dtype() {
        DType::I32 => slice::<i32>(&tensor).iter().map(|&id| id as usize).collect(),
        _ => slice::<i64>(&tensor).iter().map(|&id| id as usize).collect(),
    }
}
