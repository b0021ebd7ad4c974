//! Weights as int8 blocks, and what computes with them.
//!
//! - [`block`]: the format on disk. One f16 scale per [`BLOCK`] inputs; encode, decode, measure the error.
//! - [`tensor`]: [`Q8Tensor`], the same blocks on a burn device, four values to a 32-bit word.
//! - [`mod@self_test`]: checks and times the kernels on whatever device the page or a test hands over.

pub mod block;
pub mod self_test;
pub mod tensor;

pub use block::{BLOCK, QuantError, Quantized, dequantize, quantize};
pub use self_test::{SelfTestRow, self_test};
pub use tensor::{PART_BYTES, Q8Builder, Q8Tensor};
