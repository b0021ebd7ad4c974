//! The same operations on a GPU: WGSL of our own, launched through cubecl like burn's kernels, on burn's buffers.

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, FloatDType, Shape};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::Q8Ops;
use super::wgsl::{self, Shader};
use crate::quant::block::blocks;
use crate::quant::conv::Unroll;
use crate::quant::tensor::BLOCK_WORDS;

impl Q8Ops for Cube {
    fn q8_linear_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self> {
        let [rows, out] = [x.meta.shape()[0], packed.meta.shape()[0]];
        let (packed, scale) = (into_contiguous(packed), into_contiguous(scale));
        let blocks = blocks(inputs);
        let (tile, shader) = wgsl::linear(rows);
        let y = empty_like(&x, [rows, out]);
        let sizes = [rows, out, inputs.next_multiple_of(4), blocks, blocks.div_ceil(2)];
        let x = into_contiguous(pad_to_vec4(x, inputs));
        launch(shader, tile.groups(rows, out), &[&x, &packed, &scale, &y], &sizes);
        y
    }

    fn q8_gather_op(
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self> {
        let [count, out] = [ids.meta.shape()[0], packed.meta.shape()[0]];
        let (packed, scale) = (into_contiguous(packed), into_contiguous(scale));
        let blocks = blocks(inputs);
        let y = empty_like(&ids, [count, inputs]);
        let sizes = [count, out, inputs, blocks * BLOCK_WORDS, blocks.div_ceil(2)];
        let groups = wgsl::spread(count * inputs.div_ceil(4));
        launch(wgsl::gather(), groups, &[&into_contiguous(ids), &packed, &scale, &y], &sizes);
        y
    }

    fn q8_unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self> {
        let Unroll { picture: [_, channels, height, width], output, windows, start, count } = unroll;
        let [kh, kw] = windows.kernel;
        let [top, _, left, _] = windows.padding;
        let inputs = channels * kh * kw;
        let y = empty_like(&x, [count, inputs]);
        let [stride_y, stride_x] = windows.stride;
        let sizes =
            [count, start, channels, height, width, output[0], output[1], kh, kw, stride_y, stride_x, top, left];
        launch(wgsl::unroll(), wgsl::spread(count * inputs), &[&into_contiguous(x), &y], &sizes);
        y
    }
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
fn empty_like(other: &CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let buffer = other.client.empty(shape[0] * shape[1] * size_of::<f32>());
    CubeTensor::new_contiguous(other.client.clone(), other.device.clone(), Shape::from(shape), buffer, DType::F32)
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
