//! The operations on the CPU: plain loops over slices that the compiler turns into AVX2 or wasm SIMD, on rayon's threads
//! natively and on one thread in a browser.

mod after;
mod attention;
#[cfg(not(target_arch = "wasm32"))]
pub mod gradient;
mod linear;
mod math;
mod norm;
mod rotate;
mod sample;
mod unroll;

pub use after::after;
pub use attention::{Keys, attention};
pub use linear::{Blocks, gather, linear_f32, linear_q8};
pub use norm::norm;
pub use rotate::rotate;
pub use sample::sample;
pub use unroll::unroll;

use super::Activation;
use math::sigmoid;

/// Multiplications below which waking other threads costs more than they save (about 20 µs of work).
#[cfg(not(target_arch = "wasm32"))]
const WORTH_THREADS: usize = 1 << 19;

/// Threads worth using for this many multiplications.
fn threads_for(_multiplications: usize) -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    if _multiplications >= WORTH_THREADS {
        return rayon::current_num_threads();
    }
    1
}

/// Calls `work(index, chunk)` for every chunk of `data`.
fn each_chunk(threads: usize, data: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    #[cfg(not(target_arch = "wasm32"))]
    if threads > 1 {
        use rayon::prelude::*;
        return data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }
    let _ = threads;
    data.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

impl Activation {
    /// Replaces every value by the function at it.
    fn apply(self, values: &mut [f32]) {
        // A loop for each function: inside of one, the choice would keep it scalar.
        match self {
            Self::None => {}
            Self::GeluNew => {
                values.iter_mut().for_each(|x| *x *= sigmoid(1.595_769_2 * (*x + 0.044_715 * *x * *x * *x)));
            }
            Self::QuickGelu => values.iter_mut().for_each(|x| *x *= sigmoid(1.702 * *x)),
            Self::Swish => values.iter_mut().for_each(|x| *x *= sigmoid(*x)),
        }
    }

    /// Multiplications that the function is worth, for [`threads_for`].
    fn cost(self) -> usize {
        if self == Self::None { 1 } else { 16 }
    }
}
