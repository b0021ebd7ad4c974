//! Checks of the operations beside the int8 product, on any device, against plain f64 loops written here.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{SelfTestRow, read, row};
use crate::check::noise::noise;
use crate::ops::sample::counted;
use crate::ops::{Activation, After, Noise, Norm, Qkv, Weight, attention, linear, norm, rotate, sample};

/// Every check of them.
///
/// # Errors
/// A result that could not be read.
pub async fn rows(device: &Device) -> Result<Vec<SelfTestRow>, String> {
    let mut table = Vec::new();
    for inputs in [96, 27] {
        for activation in [Activation::None, Activation::GeluNew, Activation::QuickGelu, Activation::Swish] {
            table.push(after_row(inputs, activation, activation == Activation::Swish, device).await?);
        }
    }
    table.push(attention_row([2, 5, 7, 11, 2, 8], true, device).await?);
    table.push(attention_row([1, 9, 0, 9, 1, 128], false, device).await?);
    table.push(attention_row([2, 33, 0, 33, 3, 64], true, device).await?);
    // Heads that no vector of 4 or of 2 channels divides.
    table.push(attention_row([2, 5, 7, 11, 3, 10], true, device).await?);
    table.push(attention_row([1, 5, 3, 5, 2, 7], false, device).await?);
    table.push(norm_row(Norm::layer(48, 1e-5), 7, device).await?);
    table.push(norm_row(Norm::layer(700, 1e-5), 3, device).await?);
    table.push(norm_row(Norm::group(8, 2, 25, 1e-6, Activation::Swish), 6, device).await?);
    table.push(norm_row(Norm::group(8, 2, 225, 1e-6, Activation::Swish), 6, device).await?);
    table.push(rotate_row(false, device).await?);
    table.push(rotate_row(true, device).await?);
    table.push(sample_row(device).await?);
    table.push(sample_counted_row(device).await?);
    Ok(table)
}

fn floats<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

fn activated(x: f64, activation: Activation) -> f64 {
    match activation {
        Activation::None => x,
        Activation::GeluNew => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        Activation::Swish => x / (1.0 + (-x).exp()),
    }
}

/// An f32 product with bias, activation and residual; with `plane`, laid out as pictures of 5 pixels.
async fn after_row(inputs: usize, activation: Activation, plane: bool, device: &Device) -> Result<SelfTestRow, String> {
    const PIXELS: usize = 5;
    let (rows, out) = (3 * PIXELS, 11);
    let (x, w) = (noise(rows * inputs, 31), noise(out * inputs, 32));
    let (bias, residual) = (noise(out, 33), noise(rows * out, 34));
    let after = After {
        bias: Some(floats(&bias, [out], device)),
        activation,
        residual: Some(floats(&residual, [rows, out], device)),
        plane: plane.then_some(PIXELS),
    };
    let weight = Weight::Float(floats(&w, [out, inputs], device));
    let got = read(linear(floats(&x, [rows, inputs], device), weight, after)).await?;
    let mut expected = wide(&residual);
    for r in 0..rows {
        for o in 0..out {
            let products = x[r * inputs..][..inputs].iter().zip(&w[o * inputs..][..inputs]);
            let sum: f64 = products.map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
            let at = if plane { (r / PIXELS * out + o) * PIXELS + r % PIXELS } else { r * out + o };
            expected[at] += activated(sum + f64::from(bias[o]), activation);
        }
    }
    row("after", [rows, inputs, out], &got, &expected)
}

/// `[batch, rows, past, columns, heads, head]`.
async fn attention_row(
    [batch, rows, past, columns, heads, head]: [usize; 6],
    biased: bool,
    device: &Device,
) -> Result<SelfTestRow, String> {
    let (width, all) = (heads * head, past + columns);
    let q = noise(batch * rows * width, 41);
    let (k, v) = (noise(batch * all * width, 42), noise(batch * all * width, 43));
    let mut bias = noise(batch * rows * all, 44);
    bias.iter_mut().step_by(3).for_each(|bias| *bias = -1e9);
    // Cached keys first, then new ones, sequence by sequence.
    let cut = |values: &[f32], from: usize, count: usize| -> Tensor<3> {
        let part: Vec<f32> =
            values.chunks(all * width).flat_map(|s| s[from * width..][..count * width].to_vec()).collect();
        floats(&part, [batch, count, width], device)
    };
    let cached = (past > 0).then(|| (cut(&k, 0, past), cut(&v, 0, past)));
    let additive = biased.then(|| floats(&bias, [batch, 1, rows, all], device));
    let queries = floats(&q, [batch, rows, width], device);
    let (k_new, v_new) = (cut(&k, past, columns), cut(&v, past, columns));
    let got = read(attention(Qkv { q: queries, past: cached, k: k_new, v: v_new, bias: additive, heads })).await?;
    let mut expected = vec![0f64; q.len()];
    for (at, expected) in expected.chunks_exact_mut(head).enumerate() {
        let (b, r, h) = (at / heads / rows, at / heads % rows, at % heads);
        let channels = |values: &[f32], token: usize| wide(&values[(b * all + token) * width + h * head..][..head]);
        let query = wide(&q[at * head..][..head]);
        let scores: Vec<f64> = (0..all)
            .map(|c| {
                let product: f64 = query.iter().zip(channels(&k, c)).map(|(q, k)| q * k).sum();
                let added = if biased { f64::from(bias[(b * rows + r) * all + c]) } else { 0.0 };
                product / (head as f64).sqrt() + added
            })
            .collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
        for (c, score) in scores.iter().enumerate() {
            let p = (score - largest).exp() / sum;
            expected.iter_mut().zip(channels(&v, c)).for_each(|(y, v)| *y += p * v);
        }
    }
    row("attention", [batch * rows, all, width], &got, &expected)
}

async fn norm_row(spec: Norm, runs: usize, device: &Device) -> Result<SelfTestRow, String> {
    let Norm { length, inner, channels, epsilon, activation } = spec;
    let x: Vec<f32> = noise(runs * length, 51).into_iter().map(|x| 3.0 * x + 2.0).collect();
    let (weight, bias) = (noise(channels, 52), noise(channels, 53));
    let affine = |values: &[f32]| floats(values, [channels], device);
    let got = read(norm(floats(&x, [runs, length], device), affine(&weight), affine(&bias), spec)).await?;
    let mut expected = wide(&x);
    for (run, part) in expected.chunks_exact_mut(length).enumerate() {
        let mean = part.iter().sum::<f64>() / length as f64;
        let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / length as f64;
        for (at, x) in part.iter_mut().enumerate() {
            let channel = (run * length + at) / inner % channels;
            let normal = (*x - mean) / (variance + f64::from(epsilon)).sqrt();
            *x = activated(normal * f64::from(weight[channel]) + f64::from(bias[channel]), activation);
        }
    }
    row("norm", [runs, length, channels], &got, &expected)
}

async fn rotate_row(normalize: bool, device: &Device) -> Result<SelfTestRow, String> {
    let (batch, tokens, heads, head, rotary) = (2, 5, 3, 12, 8);
    let half = rotary / 2;
    let x = noise(batch * tokens * heads * head, 61);
    let angles: Vec<f32> = noise(tokens * half, 62);
    let table: Vec<f32> =
        angles.chunks(half).flat_map(|a| a.iter().map(|a| a.cos()).chain(a.iter().map(|a| a.sin()))).collect();
    let (weight, bias) = (noise(head, 63), noise(head, 64));
    let affine = normalize.then(|| (floats(&weight, [head], device), floats(&bias, [head], device), 1e-5));
    let input = floats(&x, [batch, tokens, heads * head], device);
    let got = read(rotate(input, floats(&table, [tokens, rotary], device), heads, affine)).await?;
    let mut expected = wide(&x);
    for (at, part) in expected.chunks_exact_mut(head).enumerate() {
        if normalize {
            let mean = part.iter().sum::<f64>() / head as f64;
            let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / head as f64;
            for (channel, x) in part.iter_mut().enumerate() {
                let normal = (*x - mean) / (variance + 1e-5).sqrt();
                *x = normal * f64::from(weight[channel]) + f64::from(bias[channel]);
            }
        }
        for channel in 0..half {
            let (sin, cos) = f64::from(angles[at / heads % tokens * half + channel]).sin_cos();
            let (a, b) = (part[channel], part[channel + half]);
            (part[channel], part[channel + half]) = (a * cos - b * sin, b * cos + a * sin);
        }
    }
    row("rotate", [batch * tokens, head, heads * head], &got, &expected)
}

async fn sample_row(device: &Device) -> Result<SelfTestRow, String> {
    let gumbels = noise(CANDIDATES * POSITIONS * CODES, 72);
    let given = Noise::Given(floats(&gumbels, [CANDIDATES, POSITIONS, CODES], device));
    drawn_row("sample", given, |at, code| f64::from(gumbels[at * CODES + code]), device).await
}

/// Noise that the device makes, beside the same made in f64.
async fn sample_counted_row(device: &Device) -> Result<SelfTestRow, String> {
    let key = |at: usize| [at as u32 * 0x9e37_79b9, !(at as u32)];
    let keys: Vec<i32> = (0..CANDIDATES * POSITIONS).flat_map(key).map(u32::cast_signed).collect();
    let keys = Tensor::from_data(TensorData::new(keys, [CANDIDATES, POSITIONS, 2]), (device, DType::I32));
    let exactly = |at: usize, code: usize| {
        let t = (f64::from(counted::bits(key(at), code as u32)) + 0.5) / 2f64.powi(32);
        -(-(-t).ln_1p()).ln()
    };
    drawn_row("sample with counted noise", Noise::Counted(keys), exactly, device).await
}

const CANDIDATES: usize = 3;
const POSITIONS: usize = 6;
const CODES: usize = 130;

/// Draws with noise whose values `of` gives for each position of each candidate and each code.
async fn drawn_row(
    name: &'static str,
    noise_there: Noise,
    of: impl Fn(usize, usize) -> f64,
    device: &Device,
) -> Result<SelfTestRow, String> {
    let logits = noise(POSITIONS * CODES, 71);
    let tokens = [-1i32, 4, -1, -1, 129, -1];
    let known = Tensor::from_data(TensorData::new(tokens.to_vec(), [POSITIONS]), (device, DType::I32));
    let got = read(sample(floats(&logits, [POSITIONS, CODES], device), noise_there, known)).await?;
    let (mut drawn, mut log_p) = (Vec::new(), Vec::new());
    for at in 0..CANDIDATES * POSITIONS {
        let position = at % POSITIONS;
        let logits = &logits[position * CODES..][..CODES];
        let normalizer = logits.iter().map(|&l| f64::from(l).exp()).sum::<f64>().ln();
        let score = |code: usize| f64::from(logits[code]) + of(at, code);
        let code = usize::try_from(tokens[position])
            .unwrap_or_else(|_| (0..CODES).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(0));
        drawn.push(code as f64);
        log_p.push(f64::from(logits[code]) - normalizer);
    }
    // Codes are exact; both halves are compared on the scale of the codes, so the second is brought up to it.
    let lift = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * 20.0).collect::<Vec<f64>>();
    let (codes_got, log_p_got) = got.split_at(got.len() / 2);
    let mut all_got = codes_got.to_vec();
    all_got.extend(lift(&mut log_p_got.iter().map(|&v| f64::from(v))).iter().map(|&v| v as f32));
    drawn.extend(lift(&mut log_p.into_iter()));
    row(name, [CANDIDATES * POSITIONS, CODES, 1], &all_got, &drawn)
}
