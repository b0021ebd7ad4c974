//! PyTorch's kernels, on its device for the processor, against burn's own operations on burn's: the same values, and the
//! same gradients of every input.

use burn::tensor::{Device, FloatDType, Gradients, Int, Tensor, TensorData};

use super::super::in_bf16;
use crate::model::differentiable;
use crate::ops::{Activation, Qkv, Windows};

/// Numbers around 0, different for each `seed`.
fn random<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = crate::check::noise::noise(count, seed).into_iter().map(|x| 2.0 * x).collect();
    Tensor::from_data(TensorData::new(values, shape), device).require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.cast(FloatDType::F32).into_data().iter::<f32>().collect()
}

/// The value and the gradients of `inputs` for one fixed gradient.
fn measured<const D: usize>(y: Tensor<D>, inputs: &[&dyn Fn(&Gradients) -> Vec<f32>]) -> Vec<Vec<f32>> {
    let shape = y.dims();
    let weights: Vec<f32> = crate::check::noise::noise(shape.iter().product(), 99);
    let weights = Tensor::<D>::from_data(TensorData::new(weights, shape), &y.device());
    let gradients = (y.clone().cast(FloatDType::F32) * weights).sum().backward();
    let mut all = vec![values(y)];
    all.extend(inputs.iter().map(|input| input(&gradients)));
    all
}

fn gradient_of<'a, const D: usize>(x: &'a Tensor<D>) -> impl Fn(&Gradients) -> Vec<f32> + 'a {
    move |gradients| {
        let gradient = x.grad(gradients).expect("a gradient");
        assert_eq!(gradient.dtype(), x.dtype(), "a gradient's kind");
        values(gradient)
    }
}

fn devices() -> [Device; 2] {
    [Device::libtorch().autodiff(), Device::flex().autodiff()]
}

/// `of` a device, on PyTorch's in f32 and in bfloat16 against burn's in f32.
fn assert_same(what: &str, of: impl Fn(&Device) -> Vec<Vec<f32>>) {
    let [torch, flex] = devices();
    let wanted = of(&flex);
    for (half, tolerance) in [(false, 5e-5), (true, 3e-2)] {
        let found = in_bf16(half, || of(&torch));
        assert_eq!(found.len(), wanted.len(), "{what}");
        for (index, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            assert_eq!(found.len(), wanted.len(), "{what}: {index}");
            let size = wanted.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
            for (a, b) in found.iter().zip(wanted) {
                assert!((a - b).abs() < tolerance * size, "{what}, bf16 {half}: {index}: {a} against {b} of {size}");
            }
        }
    }
}

#[test]
fn activations() {
    for activation in [Activation::None, Activation::GeluNew, Activation::QuickGelu, Activation::Swish] {
        assert_same(&format!("{activation:?}"), |device| {
            let x = random([5, 7, 9], 1, device);
            measured(super::super::activate(x.clone(), activation), &[&gradient_of(&x)])
        });
    }
}

#[test]
fn normalization() {
    assert_same("normalization", |device| {
        let (x, weight, bias) = (random([3, 5, 40], 1, device), random([40], 2, device), random([40], 3, device));
        let y = super::super::normalize(x.clone(), weight.clone(), bias.clone(), 1e-5);
        measured(y, &[&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)])
    });
}

#[test]
fn normalization_of_groups() {
    for activation in [Activation::None, Activation::Swish] {
        assert_same("normalization of groups", |device| {
            let (x, weight, bias) = (random([3, 8, 6, 5], 1, device), random([8], 2, device), random([8], 3, device));
            let y = differentiable::normalize_groups(x.clone(), weight.clone(), bias.clone(), 4, 1e-5, activation);
            measured(y, &[&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)])
        });
    }
}

#[test]
fn projection() {
    assert_same("projection", |device| {
        let (x, weight, bias) = (random([19, 40], 1, device), random([70, 40], 2, device), random([70], 3, device));
        let y = super::super::project(x.clone(), weight.clone(), Some(bias.clone()));
        let mut all = measured(y, &[&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)]);
        let y = super::super::project(x.clone(), weight.clone(), None);
        all.extend(measured(y, &[&gradient_of(&x), &gradient_of(&weight)]));
        all
    });
    assert_same("projection of many rows", |device| {
        let (x, weight) = (random([8192, 12], 1, device), random([7, 12], 2, device));
        let y = super::super::project(x.clone(), weight.clone(), None);
        measured(y, &[&gradient_of(&x), &gradient_of(&weight)])
    });
}

#[test]
fn convolution() {
    for windows in
        [Windows::same(3), Windows { stride: [2, 2], ..Windows::same(3) }, Windows { enlarge: 2, ..Windows::same(3) }]
    {
        assert_same(&format!("{windows:?}"), |device| {
            let (x, weight, bias) =
                (random([2, 3, 8, 6], 1, device), random([4, 3, 3, 3], 2, device), random([4], 3, device));
            let y = differentiable::convolve(x.clone(), weight.clone(), windows, Some(bias.clone()), None);
            measured(y, &[&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)])
        });
    }
}

#[test]
fn attention() {
    // Three heads of eight channels, five tokens that ask nineteen, eight of which come before.
    let bias = |shape: [usize; 4], device: &Device| {
        let count: usize = shape.iter().product();
        let forbidden: Vec<f32> = (0..count).map(|at| if at % 7 == 3 { -1e9 } else { 0.0 }).collect();
        Tensor::<4>::from_data(TensorData::new(forbidden, shape), device)
    };
    for shape in [None, Some([2, 1, 5, 19]), Some([2, 1, 1, 19]), Some([1, 1, 5, 19])] {
        assert_same(&format!("attention with a bias of {shape:?}"), |device| {
            let q = random([2, 5, 24], 1, device);
            let [past_k, past_v] = [4, 5].map(|seed| random([2, 8, 24], seed, device));
            let [k, v] = [6, 7].map(|seed| random([2, 11, 24], seed, device));
            let past = Some((past_k.clone(), past_v.clone()));
            let bias = shape.map(|shape| bias(shape, device));
            let y = super::super::attend(Qkv { q: q.clone(), past, k: k.clone(), v: v.clone(), bias, heads: 3 });
            measured(
                y,
                &[&gradient_of(&q), &gradient_of(&past_k), &gradient_of(&past_v), &gradient_of(&k), &gradient_of(&v)],
            )
        });
    }
}

#[test]
fn rotation() {
    assert_same("rotation", |device| {
        // Four heads of ten channels, six of which turn.
        let (x, angles) = (random([2, 5, 40], 1, device), random([5, 3], 2, device).detach());
        let table = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1);
        measured(super::super::turn(x.clone(), table, 4), &[&gradient_of(&x)])
    });
}

#[test]
fn cross_entropy() {
    assert_same("cross entropy", |device| {
        let logits = random([6, 33], 1, device);
        let labels = Tensor::<1, Int>::from_data([0i32, 32, 5, 5, 17, 31], device);
        measured(super::super::cross_entropy(logits.clone(), labels), &[&gradient_of(&logits)])
    });
}

/// burn writes into memory that it believes to be nobody else's: what an operation keeps has to be safe from that.
#[test]
fn what_is_kept_is_not_written_into() {
    assert_same("a residual added in place", |device| {
        let (x, weight, bias) = (random([3, 40], 1, device), random([40], 2, device), random([40], 3, device));
        let stream = x.clone() * 1.5;
        let normal = super::super::normalize(stream.clone(), weight.clone(), bias.clone(), 1e-5);
        // The only holder of `stream` that burn knows, so that it may add in place.
        let stream = stream + super::super::activate(normal, Activation::GeluNew);
        let stream = stream + 1.0;
        measured(stream, &[&gradient_of(&x), &gradient_of(&weight), &gradient_of(&bias)])
    });
}
