//! Ours against burn's: the same values, and the same gradients of every input.

use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use super::{bf16, in_bf16};
use crate::ops::{self, Activation, Qkv};

/// Numbers around 0, different for each `seed`.
fn random<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = crate::check::noise::noise(count, seed).into_iter().map(|x| 2.0 * x).collect();
    Tensor::from_data(TensorData::new(values, shape), device).require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Reads one input's gradient.
type GradientOf<'a> = dyn Fn(&Gradients) -> Vec<f32> + 'a;

/// The value of `of()` and what it gives back to `inputs` for one fixed gradient.
fn run<const D: usize>(of: impl FnOnce() -> Tensor<D>, inputs: &[&GradientOf]) -> Vec<Vec<f32>> {
    let y = of();
    let shape = y.dims();
    let weights: Vec<f32> = crate::check::noise::noise(shape.iter().product(), 99);
    let weights = Tensor::<D>::from_data(TensorData::new(weights, shape), &y.device());
    let gradients = (y.clone() * weights).sum().backward();
    let mut all = vec![values(y)];
    all.extend(inputs.iter().map(|input| input(&gradients)));
    all
}

fn assert_same(ours: &[Vec<f32>], theirs: &[Vec<f32>], what: &str) {
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "{what}: {index}");
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 2e-5 * (1.0 + b.abs()), "{what}: {index}: {a} against {b}");
        }
    }
}

fn gradient_of<'a, const D: usize>(x: &'a Tensor<D>) -> impl Fn(&Gradients) -> Vec<f32> + 'a {
    move |gradients| values(x.grad(gradients).expect("a gradient"))
}

#[test]
fn activations() {
    let device = Device::flex().autodiff();
    for activation in [Activation::None, Activation::GeluNew, Activation::QuickGelu, Activation::Swish] {
        let x = random([5, 7, 9], 1, &device);
        let ours = run(|| ops::activation::gradient::own(x.clone(), activation), &[&gradient_of(&x)]);
        let theirs = run(|| ops::activation::gradient::composed(x.clone(), activation), &[&gradient_of(&x)]);
        assert_same(&ours, &theirs, &format!("{activation:?}"));
    }
}

#[test]
fn normalization() {
    let device = Device::flex().autodiff();
    let (x, weight, bias) = (random([3, 5, 40], 1, &device), random([40], 2, &device), random([40], 3, &device));
    let gradients: [&GradientOf; 3] = [&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)];
    let ours = run(|| ops::norm::gradient::own(x.clone(), weight.clone(), bias.clone(), 1e-5), &gradients);
    let theirs = run(|| ops::norm::gradient::composed(x.clone(), weight.clone(), bias.clone(), 1e-5), &gradients);
    assert_same(&ours, &theirs, "normalization");
}

/// Against burn's product of the same numbers rounded. The gradient that arrives is rounded, too, hence fewer digits.
#[test]
fn projection() {
    if !bf16::available() {
        eprintln!("not tested: this processor has no AVX-512 BF16");
        return;
    }
    let device = Device::flex().autodiff();
    let rounded = |seed, shape: [usize; 2]| {
        let values: Vec<f32> =
            values(random(shape, seed, &device)).into_iter().map(|x| half::bf16::from_f32(x).to_f32()).collect();
        Tensor::<2>::from_data(TensorData::new(values, shape), &device).require_grad()
    };
    let (x, weight, bias) = (rounded(1, [19, 40]), rounded(2, [70, 40]), random([70], 3, &device));
    let inputs: [&GradientOf; 3] = [&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)];
    for (bias, inputs) in [(Some(bias.clone()), &inputs[..]), (None, &inputs[..2])] {
        let ours = run(|| ops::linear::gradient::own(x.clone(), weight.clone(), bias.clone()), inputs);
        let theirs = run(|| burn::tensor::module::linear(x.clone(), weight.clone().transpose(), bias.clone()), inputs);
        assert_same(&ours[..1], &theirs[..1], "projection");
        for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
            let size = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() < 4e-3 * size, "projection's gradient: {a} against {b}");
            }
        }
    }
}

/// What a card computes against burn's own, where rows are cut into parts and where they cannot be.
#[test]
fn projection_and_normalization_in_parts() {
    let device = Device::flex().autodiff();
    for rows in [1, 24, 67, 130] {
        let (x, weight, bias) =
            (random([rows, 20], 1, &device), random([30, 20], 2, &device), random([30], 3, &device));
        let inputs: [&GradientOf; 3] = [&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)];
        for (bias, inputs) in [(Some(bias.clone()), &inputs[..]), (None, &inputs[..2])] {
            let ours = run(|| ops::linear::gradient::composed(x.clone(), weight.clone(), bias.clone()), inputs);
            let linear = || burn::tensor::module::linear(x.clone(), weight.clone().transpose(), bias.clone());
            assert_same(&ours, &run(linear, inputs), "projection");
        }
        let (gain, shift) = (random([20], 4, &device), random([20], 5, &device));
        let inputs: [&GradientOf; 3] = [&gradient_of(&x), &gradient_of(&gain), &gradient_of(&shift)];
        let ours = run(|| ops::norm::gradient::composed(x.clone(), gain.clone(), shift.clone(), 1e-5), &inputs);
        let burn = || burn::tensor::module::layer_norm(x.clone(), gain.clone(), Some(shift.clone()), 1e-5);
        assert_same(&ours, &run(burn, &inputs), "normalization");
    }
}

#[test]
fn attention() {
    let device = Device::flex().autodiff();
    // Three heads of four channels, five tokens that ask nineteen, or eleven and eight that come before them.
    let (q, k, v) = (random([2, 5, 12], 1, &device), random([2, 19, 12], 2, &device), random([2, 19, 12], 3, &device));
    let [past_k, past_v] = [4, 5].map(|seed| random([2, 8, 12], seed, &device));
    let [new_k, new_v] = [6, 7].map(|seed| random([2, 11, 12], seed, &device));
    let inputs: [&GradientOf; 3] = [&gradient_of(&q), &gradient_of(&k), &gradient_of(&v)];
    let of_past: [&GradientOf; 5] =
        [&gradient_of(&q), &gradient_of(&past_k), &gradient_of(&past_v), &gradient_of(&new_k), &gradient_of(&new_v)];
    let bias = |shape: [usize; 4]| {
        let count: usize = shape.iter().product();
        let forbidden: Vec<f32> = (0..count).map(|at| if at % 7 == 3 { -1e9 } else { 0.0 }).collect();
        Some(Tensor::<4>::from_data(TensorData::new(forbidden, shape), &device))
    };
    for bias in [None, bias([2, 1, 5, 19]), bias([2, 1, 1, 19]), bias([1, 1, 5, 19])] {
        let qkv = Qkv { q: q.clone(), past: None, k: k.clone(), v: v.clone(), bias, heads: 3 };
        let [ours, theirs] = [ops::attention::gradient::own, ops::attention::gradient::composed]
            .map(|of| run(|| of(qkv.clone()), &inputs));
        assert_same(&ours, &theirs, "attention");
        let past = Some((past_k.clone(), past_v.clone()));
        let qkv = Qkv { past, k: new_k.clone(), v: new_v.clone(), ..qkv };
        let [ours, theirs] = [ops::attention::gradient::own, ops::attention::gradient::composed]
            .map(|of| run(|| of(qkv.clone()), &of_past));
        assert_same(&ours, &theirs, "attention to a past");
    }
}

/// Products of rounded numbers against f32's: a number has 8 bits, and the largest of many is off by one in a hundred at most.
#[test]
fn attention_in_bf16() {
    let device = Device::flex().autodiff();
    let (q, k, v) = (random([2, 66, 64], 1, &device), random([2, 50, 64], 2, &device), random([2, 50, 64], 3, &device));
    let [past_k, past_v] = [4, 5].map(|seed| random([2, 13, 64], seed, &device));
    let inputs: [&GradientOf; 5] =
        [&gradient_of(&q), &gradient_of(&past_k), &gradient_of(&past_v), &gradient_of(&k), &gradient_of(&v)];
    let past = Some((past_k.clone(), past_v.clone()));
    let qkv = Qkv { q: q.clone(), past, k: k.clone(), v: v.clone(), bias: None, heads: 2 };
    let attend = || ops::attention::gradient::own(qkv.clone());
    let (ours, theirs) = (run(|| in_bf16(true, attend), &inputs), run(attend, &inputs));
    assert_eq!(ours == theirs, !bf16::available(), "other numbers, where the processor can");
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let size = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-2 * size, "{index}: {a} against {b} of {size}");
        }
    }
}

#[test]
fn rotation() {
    let device = Device::flex().autodiff();
    // Four heads of ten channels, six of which turn.
    let (x, table) = (random([2, 5, 40], 1, &device), random([5, 6], 2, &device));
    // Cosines and sines of one angle each: only then is the inverse the transpose.
    let angles = table.detach().narrow(1, 0, 3);
    let table = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1);
    let ours = run(|| ops::rotate::gradient::own(x.clone(), table.clone(), 4), &[&gradient_of(&x)]);
    let theirs = run(|| ops::rotate::gradient::composed(x.clone(), table.clone(), 4), &[&gradient_of(&x)]);
    assert_same(&ours, &theirs, "rotation");
}

#[test]
fn cross_entropy() {
    let device = Device::flex().autodiff();
    let logits = random([6, 33], 1, &device);
    let labels = Tensor::<1, Int>::from_data([0i32, 32, 5, 5, 17, 31], &device);
    let ours = run(|| super::cross_entropy::own(logits.clone(), labels.clone()), &[&gradient_of(&logits)]);
    let theirs = run(|| super::cross_entropy::composed(logits.clone(), labels.clone()), &[&gradient_of(&logits)]);
    assert_same(&ours, &theirs, "cross entropy");
}
