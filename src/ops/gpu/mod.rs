//! The operations on a GPU: WGSL of our own, launched through cubecl like burn's kernels, on burn's buffers.
//!
//! The texts use no subgroups and no f16 arithmetic, and workgroup memory only where a whole group sums, so that they
//! run on every WebGPU, software ones included.

mod attention;
mod linear;
mod norm;
mod plain;
mod sample;
mod shader;

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, FloatDType, Shape};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use self::shader::{Shader, spread};
use super::linear::{Rows, Spec};
use super::q8::BLOCK_WORDS;
use super::{Attention, Norm, Ops, Rotate, Unroll};
use crate::bundle::block::blocks;

impl Ops for Cube {
    fn linear_q8_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: Spec,
    ) -> FloatTensor<Self> {
        let x = pad_to_vec4(x, spec.inputs);
        launch_linear(x, linear::Kind::Q8, vec![into_contiguous(packed), into_contiguous(scale)], bias, residual, &spec)
    }

    fn linear_f32_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: Spec,
    ) -> FloatTensor<Self> {
        let kind = if spec.inputs.is_multiple_of(4) { linear::Kind::F32x4 } else { linear::Kind::F32 };
        launch_linear(x, kind, vec![into_contiguous(weight)], bias, residual, &spec)
    }

    fn gather_q8_op(
        into: FloatTensor<Self>,
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        spec: Rows,
    ) -> FloatTensor<Self> {
        let Rows { inputs, out, start } = spec;
        let [count, rows] = [ids.meta.shape()[0], packed.meta.shape()[0]];
        let [ids, packed, scale] = [ids, packed, scale].map(into_contiguous);
        let blocks = blocks(inputs);
        let sizes = [count, out, inputs, blocks * BLOCK_WORDS, blocks.div_ceil(2), start, rows];
        let groups = spread(count * inputs.div_ceil(4));
        launch(plain::gather(), groups, &[&ids, &packed, &scale, &into], &sizes);
        into
    }

    fn unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self> {
        let Unroll { picture: [_, channels, height, width], output, windows, start, count } = unroll;
        let [kh, kw] = windows.kernel;
        let [top, _, left, _] = windows.padding;
        let inputs = channels * kh * kw;
        let y = empty_like(&x, &[count, inputs]);
        let [stride_y, stride_x] = windows.stride;
        let sizes = [
            count,
            start,
            channels,
            height,
            width,
            output[0],
            output[1],
            kh,
            kw,
            stride_y,
            stride_x,
            top,
            left,
            windows.enlarge,
        ];
        launch(plain::unroll(), spread(count * inputs), &[&into_contiguous(x), &y], &sizes);
        y
    }

    fn attention_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self> {
        let Attention { batch, rows, past, columns, heads, head, .. } = spec;
        let y = empty_like(&q, &[batch, rows, heads * head]);
        let [by_sequence, by_row] = spec.bias.unwrap_or_default();
        let (shader, chunks) = attention::attention(head, past > 0, spec.bias.is_some());
        let sizes = [batch, rows, past, columns, heads, by_sequence, by_row];
        let mut tensors = vec![q, k, v];
        if past > 0 {
            tensors.extend([past_k, past_v]);
        }
        if spec.bias.is_some() {
            tensors.push(bias);
        }
        let tensors: Vec<CubeTensor> = tensors.into_iter().map(into_contiguous).collect();
        let tensors: Vec<&CubeTensor> = tensors.iter().chain([&y]).collect();
        launch(shader, spread(batch * heads * rows * chunks), &tensors, &sizes);
        y
    }

    fn norm_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Norm,
    ) -> FloatTensor<Self> {
        let Norm { length, inner, channels, epsilon, activation } = spec;
        let y = empty_like(&x, x.meta.shape());
        let runs = y.meta.shape().num_elements() / length;
        let (shader, groups) = norm::norm(length, runs);
        let sizes = [runs, length, inner, channels, epsilon.to_bits() as usize, activation.number() as usize];
        let [x, weight, bias] = [x, weight, bias].map(into_contiguous);
        launch(shader, groups, &[&x, &weight, &bias, &y], &sizes);
        y
    }

    fn rotate_op(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Rotate,
    ) -> FloatTensor<Self> {
        let Rotate { tokens, heads, head, rotary, epsilon } = spec;
        let y = empty_like(&x, x.meta.shape());
        let threads = y.meta.shape().num_elements() / head;
        let sizes = [threads, tokens, heads, head, rotary, epsilon.unwrap_or_default().to_bits() as usize];
        let [x, table, weight, bias] = [x, table, weight, bias].map(into_contiguous);
        let mut tensors = vec![&x, &table];
        if epsilon.is_some() {
            tensors.extend([&weight, &bias]);
        }
        tensors.push(&y);
        launch(plain::rotate(epsilon.is_some()), spread(threads), &tensors, &sizes);
        y
    }

    fn sample_op(logits: FloatTensor<Self>, noise: FloatTensor<Self>, tokens: IntTensor<Self>) -> FloatTensor<Self> {
        let shape = noise.meta.shape();
        let [candidates, positions, codes] = [shape[0], shape[1], shape[2]];
        let y = empty_like(&logits, &[2, candidates, positions]);
        let sizes = [candidates, positions, codes];
        let (logits, noise, tokens) = (into_contiguous(logits), into_contiguous(noise), into_contiguous(tokens));
        launch(sample::sample(), shader::rows(candidates * positions), &[&logits, &noise, &tokens, &y], &sizes);
        y
    }
}

/// `x` and the weight's tensors are bound first, then bias and residual, then the result. A bias or a residual that is
/// absent is some other tensor, as in [`Ops`], and not read.
fn launch_linear(
    x: CubeTensor,
    kind: linear::Kind,
    weight: Vec<CubeTensor>,
    bias: CubeTensor,
    residual: CubeTensor,
    spec: &Spec,
) -> CubeTensor {
    let rows = x.meta.shape()[0];
    let y = empty_like(&x, &[rows, spec.out]);
    let (tile, shader) = linear::linear(rows, kind);
    let blocks = blocks(spec.inputs);
    let sizes = [
        rows,
        spec.out,
        spec.inputs.next_multiple_of(4),
        blocks,
        blocks.div_ceil(2),
        spec.inputs,
        spec.plane.unwrap_or(1),
        linear::flags(spec),
    ];
    let x = into_contiguous(x);
    let bias = if spec.bias { into_contiguous(bias) } else { x.clone() };
    let residual = if spec.residual { into_contiguous(residual) } else { x.clone() };
    let tensors: Vec<&CubeTensor> = [&x].into_iter().chain(&weight).chain([&bias, &residual, &y]).collect();
    launch(shader, tile.groups(rows, spec.out), &tensors, &sizes);
    y
}

/// `x [rows, inputs]` with zeros up to a multiple of 4 inputs: the product reads four at a time.
fn pad_to_vec4(x: CubeTensor, inputs: usize) -> CubeTensor {
    let missing = inputs.next_multiple_of(4) - inputs;
    if missing == 0 {
        return x;
    }
    let shape = Shape::from([x.meta.shape()[0], missing]);
    let zeros = Cube::float_zeros(shape, &x.device, FloatDType::F32);
    Cube::float_cat(vec![x, zeros], 1)
}

/// An f32 tensor of this shape beside `other`, not yet written.
fn empty_like(other: &CubeTensor, shape: &[usize]) -> CubeTensor {
    let count: usize = shape.iter().product();
    let buffer = other.client.empty(count * size_of::<f32>());
    let shape = Shape::from(shape.to_vec());
    CubeTensor::new_contiguous(other.client.clone(), other.device.clone(), shape, buffer, DType::F32)
}

/// Runs the shader over `groups` with the tensors as bindings 0, 1, … and `sizes` as the binding after them.
fn launch(shader: Shader, groups: [u32; 2], tensors: &[&CubeTensor], sizes: &[usize]) {
    let words: Vec<u64> =
        sizes.chunks(2).map(|pair| pair[0] as u64 | pair.get(1).map_or(0, |&high| (high as u64) << 32)).collect();
    let buffers = tensors.iter().map(|tensor| tensor.handle.clone().binding()).collect();
    let arguments = KernelArguments::new().with_buffers(buffers).with_info(MetadataBindingInfo::custom(words));
    let [x, y] = groups;
    tensors[0].client.launch(Box::new(Launch(shader)), CubeCount::Static(x, y, 1), arguments);
}

/// A finished shader in the form that cubecl compiles and caches.
struct Launch(Shader);

impl KernelMetadata for Launch {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn id(&self) -> KernelId {
        // Everything that changes a shader's text, so that the cache never confuses two of them.
        KernelId::new::<Self>().info((self.0.name, self.0.variant, self.0.group)).cube_dim(*self.dim())
    }

    fn address_type(&self) -> burn_cubecl::cubecl::ir::ElemType {
        burn_cubecl::cubecl::ir::UIntKind::U32.into()
    }
}

impl Launch {
    fn dim(&self) -> CubeDim {
        let [x, y] = self.0.group;
        CubeDim::new_2d(x, y)
    }
}

impl CubeKernel for Launch {
    fn define(&self) -> KernelDefinition {
        // Only the settings are read: the source below stands in for a body.
        let settings = KernelSettings::new(*self.dim(), ExecutionMode::Checked, AddressType::U32);
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Default::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        let (source, entrypoint_name) = (self.0.source(), "main".to_string());
        Some(PrecompiledSource { source, entrypoint_name, lang: "wgsl" })
    }
}
