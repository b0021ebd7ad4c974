//! Int8 blocks: the product, the look-up, slices, weights in several parts, convolution; and how fast the product is.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::{SelfTestRow, read, row};
use crate::bundle::block::{BLOCK, Quantized, blocks, dequantize, quantize};
use crate::check::noise::noise;
use crate::ops::{After, Q8Builder, Q8Tensor, Weight, Windows, conv2d, linear};

/// Shapes that are checked, `[rows, inputs, out]`: one row and a few, whole and partial blocks, an odd number
/// of blocks, widths that are no multiple of 4, tiles that do not divide.
pub const SHAPES: &[[usize; 3]] = &[
    [1, 32, 1],
    [1, 512, 1024],
    [1, 144, 67],
    [3, 96, 7],
    [3, 2048, 130],
    [4, 144, 130],
    [7, 27, 5],
    [77, 512, 67],
    [77, 144, 1024],
    [130, 32, 130],
    [130, 96, 1],
    [130, 2048, 67],
    [128, 192, 768],
];

/// Shapes that are timed too: a batch of rows, and the few-rows kernels.
pub const TIMED: &[[usize; 3]] = &[[128, 512, 2048], [4, 512, 2048], [1, 512, 2048]];

/// Every check of them.
///
/// # Errors
/// A result that could not be read.
pub async fn rows(device: &Device) -> Result<Vec<SelfTestRow>, String> {
    let mut table = Vec::new();
    for &shape in SHAPES {
        table.push(linear_row(shape, device).await?);
    }
    for &shape in TIMED {
        let row = linear_row(shape, device).await?;
        table.push(SelfTestRow { gflops: time_linear(shape, device, 0.5).await?, ..row });
    }
    table.push(gather_row(device).await?);
    table.push(slice_row(device).await?);
    table.extend(parts_rows(device).await?);
    for windows in [
        Windows::same(3),
        Windows::same(1),
        Windows { kernel: [3, 3], stride: [2, 2], padding: [0, 1, 0, 1], enlarge: 1 },
        Windows { kernel: [2, 5], stride: [1, 3], padding: [1, 0, 3, 2], enlarge: 1 },
        Windows { enlarge: 2, ..Windows::same(3) },
    ] {
        table.push(conv_row(windows, device).await?);
    }
    Ok(table)
}

/// Times `q8_linear` at `[rows, inputs, out]` for at least `seconds`, in GFLOP/s: the best of the repeats, so that a
/// busy machine is not held against the kernel.
///
/// # Errors
/// When a result could not be read.
pub async fn time_linear([rows, inputs, out]: [usize; 3], device: &Device, seconds: f64) -> Result<f64, String> {
    let weight = weight(out, inputs, 1);
    let w = upload(&weight, device)?;
    let x = Tensor::<2>::from_data(TensorData::new(noise(rows * inputs, 2), [rows, inputs]), device);
    read(product_of(x.clone(), &w)).await?;
    let (begin, mut best) = (clock(), f64::INFINITY);
    loop {
        // Several products a read-back: with one, a browser would mostly measure its own round trip.
        const REPEATS: usize = 8;
        let start = clock();
        let mut y = product_of(x.clone(), &w);
        for _ in 1..REPEATS {
            y = product_of(x.clone(), &w);
        }
        read(y.slice([0..1, 0..1])).await?;
        best = best.min((clock() - start) / REPEATS as f64);
        if clock() - begin >= seconds {
            return Ok(2e-9 * (rows * inputs * out) as f64 / best);
        }
    }
}

/// The product alone.
fn product_of(x: Tensor<2>, w: &Q8Tensor) -> Tensor<2> {
    linear(x, Weight::Q8(w), After::default())
}

/// Seconds since some moment in the past.
fn clock() -> f64 {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Date::now() / 1000.0;
    #[cfg(not(target_arch = "wasm32"))]
    return std::time::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64());
}

async fn linear_row([rows, inputs, out]: [usize; 3], device: &Device) -> Result<SelfTestRow, String> {
    let weight = weight(out, inputs, 3 + out as u64);
    let x = noise(rows * inputs, 5 + rows as u64);
    let w = upload(&weight, device)?;
    let input = Tensor::<2>::from_data(TensorData::new(x.clone(), [rows, inputs]), device);
    let got = read(product_of(input, &w)).await?;
    let expected = product(&x, &dequantize(&weight), inputs);
    row("linear", [rows, inputs, out], &got, &expected)
}

async fn gather_row(device: &Device) -> Result<SelfTestRow, String> {
    let (out, inputs) = (67, 150);
    let weight = weight(out, inputs, 11);
    let table = dequantize(&weight);
    let ids = [0i32, 66, 3, 3, 31, 65];
    let on_device = Tensor::<1, Int>::from_data(TensorData::new(ids.to_vec(), [ids.len()]), (device, DType::I32));
    let got = read(upload(&weight, device)?.gather_rows(on_device)).await?;
    let expected: Vec<f64> =
        ids.iter().flat_map(|&id| table[id as usize * inputs..][..inputs].iter().map(|&v| f64::from(v))).collect();
    row("gather", [ids.len(), inputs, out], &got, &expected)
}

async fn slice_row(device: &Device) -> Result<SelfTestRow, String> {
    let (rows, inputs, out, part) = (9, 96, 130, 37..91);
    let weight = weight(out, inputs, 13);
    let x = noise(rows * inputs, 17);
    let input = Tensor::<2>::from_data(TensorData::new(x.clone(), [rows, inputs]), device);
    let got = read(product_of(input, &upload(&weight, device)?.slice_rows(part.clone()))).await?;
    let expected = product(&x, &dequantize(&weight)[part.start * inputs..part.end * inputs], inputs);
    row("slice", [rows, inputs, part.len()], &got, &expected)
}

/// A weight in several parts, one of them smaller: look-up, product, and product with all that can follow it.
async fn parts_rows(device: &Device) -> Result<[SelfTestRow; 3], String> {
    let (rows, inputs, out, pixels) = (12, 70, 40, 4);
    let weight = weight(out, inputs, 29);
    let row_bytes = (blocks(inputs) * BLOCK) as u64;
    let mut builder = Q8Builder::new(out, inputs, 9 * row_bytes, device).map_err(|e| e.to_string())?;
    builder.values(&weight.q);
    builder.scales(&weight.scale);
    let w = builder.finish().map_err(|e| e.to_string())?;
    let table = dequantize(&weight);

    let ids = [39i32, 0, 8, 9, 9, 17, 18, 35, 36, 1];
    let on_device = Tensor::<1, Int>::from_data(TensorData::new(ids.to_vec(), [ids.len()]), (device, DType::I32));
    let got = read(w.gather_rows(on_device)).await?;
    let expected: Vec<f64> =
        ids.iter().flat_map(|&id| table[id as usize * inputs..][..inputs].iter().map(|&v| f64::from(v))).collect();
    let gathered = row("parts", [ids.len(), inputs, out], &got, &expected)?;

    let x = noise(rows * inputs, 31);
    let input = Tensor::<2>::from_data(TensorData::new(x.clone(), [rows, inputs]), device);
    let expected = product(&x, &table, inputs);
    let got = read(product_of(input.clone(), &w)).await?;
    let multiplied = row("parts", [rows, inputs, out], &got, &expected)?;

    let (bias, residual) = (noise(out, 37), noise(rows * out, 41));
    let after = After {
        bias: Some(Tensor::from_data(TensorData::new(bias.clone(), [out]), device)),
        residual: Some(Tensor::from_data(TensorData::new(residual.clone(), [rows, out]), device)),
        plane: Some(pixels),
        ..After::default()
    };
    let got = read(linear(input, Weight::Q8(&w), after)).await?;
    let planes: Vec<f64> = grid([rows / pixels, out, pixels, 1])
        .map(|(picture, o, pixel, _)| {
            let sum = expected[(picture * pixels + pixel) * out + o] + f64::from(bias[o]);
            sum + f64::from(residual[(picture * out + o) * pixels + pixel])
        })
        .collect();
    Ok([gathered, multiplied, row("parts", [rows, inputs, out], &got, &planes)?])
}

async fn conv_row(windows: Windows, device: &Device) -> Result<SelfTestRow, String> {
    let picture @ [batch, channels, height, width] = [2, 16, 9, 11];
    let [kh, kw] = windows.kernel;
    let (out, inputs) = (13, channels * kh * kw);
    let weight = weight(out, inputs, 19);
    let x = noise(batch * channels * height * width, 23);
    let input = Tensor::<4>::from_data(TensorData::new(x.clone(), picture), device);
    let got = read(conv2d(input, &Weight::Q8(&upload(&weight, device)?), windows, None, None)).await?;

    let table = dequantize(&weight);
    let [out_h, out_w] = windows.output(height, width).ok_or("the self-test's picture is too small")?;
    let [top, _, left, _] = windows.padding;
    let mut expected = Vec::with_capacity(batch * out * out_h * out_w);
    for (b, o, y, x0) in grid([batch, out, out_h, out_w]) {
        let mut sum = 0f64;
        for (c, ky, kx, _) in grid([channels, kh, kw, 1]) {
            let (sy, sx) = (y * windows.stride[0] + ky, x0 * windows.stride[1] + kx);
            let times = windows.enlarge;
            if (top..top + times * height).contains(&sy) && (left..left + times * width).contains(&sx) {
                let value = x[((b * channels + c) * height + (sy - top) / times) * width + (sx - left) / times];
                sum += f64::from(value) * f64::from(table[o * inputs + (c * kh + ky) * kw + kx]);
            }
        }
        expected.push(sum);
    }
    row("conv", [batch * out_h * out_w, inputs, out], &got, &expected)
}

/// `x [rows, inputs]` times the transposed `w [out, inputs]` in f64.
fn product(x: &[f32], w: &[f32], inputs: usize) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    x.chunks_exact(inputs).flat_map(|x| w.chunks_exact(inputs).map(move |w| dot(x, w))).collect()
}

fn grid([a, b, c, d]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |i| (i / (b * c * d), i / (c * d) % b, i / d % c, i % d))
}

/// A made-up weight whose blocks differ in magnitude by up to 16 times, some of them all zeros.
fn weight(out: usize, inputs: usize, seed: u64) -> Quantized {
    let per_row = blocks(inputs);
    let mut values = noise(out * inputs, seed);
    for (i, value) in values.iter_mut().enumerate() {
        let block = i / inputs * per_row + i % inputs / BLOCK;
        *value *= [1.0, 0.25, 0.0, 4.0, 0.5][block % 5];
    }
    quantize(&values, out, inputs).expect("finite values of ordinary size")
}

fn upload(weight: &Quantized, device: &Device) -> Result<Q8Tensor, String> {
    Q8Tensor::from_quantized(weight, device).map_err(|e| e.to_string())
}
