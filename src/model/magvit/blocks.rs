//! What encoder and decoder are made of. Field names spell the reference's tensor names.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::model::convolution::{Conv2d, GroupNorm};
use crate::model::layers::attend;
use crate::ops::{Activation, Qkv};

#[derive(Module, Debug)]
pub(super) struct ResnetBlock {
    pub(super) norm1: GroupNorm,
    pub(super) conv1: Conv2d,
    pub(super) norm2: GroupNorm,
    pub(super) conv2: Conv2d,
    pub(super) nin_shortcut: Option<Conv2d>,
}

#[derive(Module, Debug)]
pub(super) struct AttnBlock {
    pub(super) norm: GroupNorm,
    pub(super) q: Conv2d,
    pub(super) k: Conv2d,
    pub(super) v: Conv2d,
    pub(super) proj_out: Conv2d,
}

#[derive(Module, Debug)]
pub(super) struct Resample {
    pub(super) conv: Conv2d,
}

#[derive(Module, Debug)]
pub(super) struct Middle {
    pub(super) block_1: ResnetBlock,
    pub(super) attn_1: AttnBlock,
    pub(super) block_2: ResnetBlock,
}

impl ResnetBlock {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.forward(self.norm1.forward(x.clone(), Activation::Swish));
        let h = self.norm2.forward(h, Activation::Swish);
        let x = self.nin_shortcut.as_ref().map_or(x.clone(), |conv| conv.forward(x));
        self.conv2.forward_plus(h, Some(x))
    }
}

impl AttnBlock {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let normal = self.norm.forward(x.clone(), Activation::None);
        let [q, k, v] = [&self.q, &self.k, &self.v].map(|conv| conv.forward_rows(normal.clone()));
        let h = attend(Qkv { q, past: None, k, v, bias: None, heads: 1 });
        let h = h.swap_dims(1, 2).reshape([batch, channels, height, width]);
        self.proj_out.forward_plus(h, Some(x))
    }
}

impl Middle {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.block_2.forward(self.attn_1.forward(self.block_1.forward(x)))
    }
}

pub(super) fn level(block: &[ResnetBlock], attn: &[AttnBlock], mut x: Tensor<4>) -> Tensor<4> {
    for (index, resnet) in block.iter().enumerate() {
        x = resnet.forward(x);
        if let Some(attn) = attn.get(index) {
            x = attn.forward(x);
        }
    }
    x
}
