//! Batches: on the processor made by the workers that learn from them, for a graphics card by every core while it computes.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use super::pools::on_pools;
use super::task::Task;

/// Batches that wait at most for each thread that makes them.
const WAITING: usize = 2;

/// Threads that make batches for a card: all cores but two, which feed it.
pub fn makers() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().saturating_sub(2).clamp(1, 14))
}

/// Where the shards of steps come from.
pub enum Batches<'a, T: Task + 'a> {
    /// Each worker makes its own.
    Workers,
    /// Threads make whole batches in turn, ahead of the card.
    Ahead {
        /// What each thread makes.
        makers: Vec<Receiver<T::Batch<'a>>>,
        /// The thread whose turn it is.
        next: usize,
    },
}

impl<'a, T: Task> Batches<'a, T> {
    /// `steps` batches of `examples`, from the example `first` on, made by threads that end when the batches are dropped.
    pub fn ahead<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        task: &'a T,
        first: u64,
        examples: usize,
        steps: u64,
    ) -> Self {
        let threads = makers();
        let maker = |thread: usize| {
            let (send, receive) = sync_channel(WAITING);
            scope.spawn(move || {
                for step in (thread as u64..steps).step_by(threads) {
                    let batch = task.batch(first + step * examples as u64, examples);
                    if send.send(batch).is_err() {
                        return;
                    }
                }
            });
            receive
        };
        Self::Ahead { makers: (0..threads).map(maker).collect(), next: 0 }
    }

    /// The next step's shards, from the example `first` on, each with its part of the examples.
    ///
    /// # Panics
    /// A thread that makes batches did.
    pub fn next(
        &mut self,
        task: &'a T,
        first: u64,
        examples: usize,
        pools: &[rayon::ThreadPool],
    ) -> Vec<(f64, T::Batch<'a>)> {
        match self {
            Self::Workers => {
                let count = pools.len().min(examples);
                let shards = (0..count).map(|index| examples * index / count..examples * (index + 1) / count);
                on_pools(pools, shards, |shard: Range<usize>| {
                    let share = shard.len() as f64 / examples as f64;
                    (share, task.batch(first + shard.start as u64, shard.len()))
                })
            }
            Self::Ahead { makers, next } => {
                let batch = makers[*next].recv().expect("a thread that makes batches panicked");
                *next = (*next + 1) % makers.len();
                vec![(1.0, batch)]
            }
        }
    }
}
