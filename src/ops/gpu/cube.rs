//! burn's GPU backend: what is bound and launched.

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, FloatDType, Shape};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::sizes::Sizes;
use super::{Kernel, Variant, rows, spread};
use crate::ops::attention::{self, Attention};
use crate::ops::conv::{self, Unroll};
use crate::ops::linear::gpu::{Gather, GatherSizes, Kind, Product};
use crate::ops::linear::{Rows, Spec};
use crate::ops::norm::{self, Norm};
use crate::ops::rotate::{self, Rotate};
use crate::ops::{Ops, sample};

/// Whether one buffer may hold several tensors.
const SHARED: bool = !cfg!(target_arch = "wasm32");

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
        launch_linear(x, Kind::Q8, vec![into_contiguous(packed), into_contiguous(scale)], bias, residual, &spec)
    }

    fn linear_f32_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: Spec,
    ) -> FloatTensor<Self> {
        let kind = if spec.inputs.is_multiple_of(4) { Kind::F32x4 } else { Kind::F32 };
        launch_linear(x, kind, vec![into_contiguous(weight)], bias, residual, &spec)
    }

    fn gather_q8_op(
        into: FloatTensor<Self>,
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        spec: Rows,
    ) -> FloatTensor<Self> {
        let [count, rows] = [ids.meta.shape()[0], packed.meta.shape()[0]];
        let [ids, packed, scale] = [ids, packed, scale].map(into_contiguous);
        let sizes = GatherSizes::new(count, rows, &spec);
        launch(Gather, spread(count * spec.inputs.div_ceil(4)), &[&ids, &packed, &scale, &into], &sizes);
        into
    }

    fn unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self> {
        let Unroll { picture: [_, channels, ..], windows, count, .. } = unroll;
        let inputs = channels * windows.kernel.iter().product::<usize>();
        let y = empty_like(&x, &[count, inputs]);
        let sizes = conv::gpu::Sizes::from(&unroll);
        launch(conv::gpu::Unrolled, spread(count * inputs), &[&into_contiguous(x), &y], &sizes);
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
        let Attention { batch, rows, past, heads, head, .. } = spec;
        let y = empty_like(&q, &[batch, rows, heads * head]);
        let kernel = attention::gpu::Attend::from(&spec);
        let mut tensors = vec![q];
        if past > 0 {
            tensors.extend([past_k, past_v]);
        }
        tensors.extend([k, v]);
        if spec.bias.is_some() {
            tensors.push(bias);
        }
        let tensors: Vec<CubeTensor> = tensors.into_iter().map(into_contiguous).collect();
        let tensors: Vec<&CubeTensor> = tensors.iter().chain([&y]).collect();
        let sizes = attention::gpu::Sizes::from(&spec);
        launch(kernel, spread(batch * heads * rows * kernel.cut()), &tensors, &sizes);
        y
    }

    fn norm_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Norm,
    ) -> FloatTensor<Self> {
        let y = empty_like(&x, x.meta.shape());
        let runs = y.meta.shape().num_elements() / spec.length;
        let kernel = norm::gpu::Normalize::from(&spec);
        let sizes = norm::gpu::Sizes::new(runs, &spec);
        let [x, weight, bias] = [x, weight, bias].map(into_contiguous);
        launch(kernel, kernel.groups(runs), &[&x, &weight, &bias, &y], &sizes);
        y
    }

    fn rotate_op(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Rotate,
    ) -> FloatTensor<Self> {
        let y = empty_like(&x, x.meta.shape());
        let threads = y.meta.shape().num_elements() / spec.head;
        let sizes = rotate::gpu::Sizes::new(threads, &spec);
        let [x, table, weight, bias] = [x, table, weight, bias].map(into_contiguous);
        let mut tensors = vec![&x, &table];
        if spec.epsilon.is_some() {
            tensors.extend([&weight, &bias]);
        }
        tensors.push(&y);
        launch(rotate::gpu::Turn::from(&spec), spread(threads), &tensors, &sizes);
        y
    }

    fn sample_given_op(
        logits: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let candidates = noise.meta.shape()[0];
        launch_sample(sample::gpu::Draw::Given, candidates, logits, noise, tokens)
    }

    fn sample_counted_op(
        logits: FloatTensor<Self>,
        keys: IntTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let candidates = keys.meta.shape()[0];
        launch_sample(sample::gpu::Draw::Counted, candidates, logits, keys, tokens)
    }
}

fn launch_sample(
    kernel: sample::gpu::Draw,
    candidates: usize,
    logits: CubeTensor,
    noise: CubeTensor,
    tokens: CubeTensor,
) -> CubeTensor {
    let (positions, codes) = (logits.meta.shape()[0], logits.meta.shape()[1]);
    let y = empty_like(&logits, &[2, candidates, positions]);
    let sizes = [candidates, positions, codes].into();
    let [logits, noise, tokens] = [logits, noise, tokens].map(into_contiguous);
    launch(kernel, rows(candidates * positions), &[&noise, &logits, &tokens, &y], &sizes);
    y
}

/// `x` and the weight's tensors are bound first, then bias and residual, then the result. A bias or a residual that is
/// absent is some other tensor, as in [`Ops`], and not read.
fn launch_linear(
    x: CubeTensor,
    kind: Kind,
    weight: Vec<CubeTensor>,
    bias: CubeTensor,
    residual: CubeTensor,
    spec: &Spec,
) -> CubeTensor {
    let rows = x.meta.shape()[0];
    let y = empty_like(&x, &[rows, spec.out]);
    let kernel = Product::new(kind, rows);
    let x = into_contiguous(x);
    let bias = if spec.bias { into_contiguous(bias) } else { x.clone() };
    let residual = if spec.residual { into_contiguous(residual) } else { x.clone() };
    let tensors: Vec<&CubeTensor> = [&x].into_iter().chain(&weight).chain([&bias, &residual, &y]).collect();
    launch(kernel, kernel.groups(rows, spec.out), &tensors, &kernel.sizes(rows, spec));
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

/// Runs the kernel over `groups` with the tensors as bindings 0, 1, … and `sizes` as the binding after them.
fn launch<V: Variant + Into<Kernel>>(kernel: V, groups: [u32; 2], tensors: &[&CubeTensor], sizes: &V::Sizes) {
    let buffers = tensors.iter().map(|tensor| tensor.handle.clone().binding()).collect();
    let arguments = KernelArguments::new().with_buffers(buffers).with_info(MetadataBindingInfo::custom(sizes.words()));
    let [x, y] = groups;
    tensors[0].client.launch(Box::new(Launch(kernel.into())), CubeCount::Static(x, y, 1), arguments);
}

/// A kernel in the form that cubecl compiles and caches.
struct Launch(Kernel);

impl KernelMetadata for Launch {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn id(&self) -> KernelId {
        // It holds everything that changes a text, so that the cache never confuses two of them.
        KernelId::new::<Self>().info(self.0).cube_dim(*self.dim())
    }

    fn address_type(&self) -> burn_cubecl::cubecl::ir::ElemType {
        burn_cubecl::cubecl::ir::UIntKind::U32.into()
    }
}

impl Launch {
    fn dim(&self) -> CubeDim {
        let [x, y] = self.0.group();
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
        let (source, entrypoint_name) = (self.0.source(SHARED), "main".to_string());
        Some(PrecompiledSource { source, entrypoint_name, lang: "wgsl" })
    }
}
