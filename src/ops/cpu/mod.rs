//! The processor: plain loops over slices that the compiler turns into AVX2 or wasm SIMD, on rayon's threads natively and
//! on one thread in a browser. The loops are each operation's own (its `cpu.rs`); here is what they share.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | work cut into chunks, and how many threads it is worth |
//! | `math.rs` | exponentials and sums that the compiler turns into vector instructions |
//! | `flex.rs` | burn's CPU backend: its tensors handed to the loops |

mod flex;
pub mod math;

#[cfg(not(target_arch = "wasm32"))]
pub use flex::{shape, slice, tensor};

/// Multiplications below which waking other threads costs more than they save (about 20 µs of work).
#[cfg(not(target_arch = "wasm32"))]
const WORTH_THREADS: usize = 1 << 19;

/// Threads worth using for this many multiplications.
pub fn threads_for(_multiplications: usize) -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    if _multiplications >= WORTH_THREADS {
        return rayon::current_num_threads();
    }
    1
}

/// Calls `work(index, chunk)` for every chunk of `data`.
pub fn each_chunk(threads: usize, data: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    #[cfg(not(target_arch = "wasm32"))]
    if threads > 1 {
        use rayon::prelude::*;
        return data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }
    let _ = threads;
    data.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}
