//! Work shared out over the cores.

/// `work` of every item at once, each on its pool.
pub fn on_pools<I: Send, R: Send>(
    pools: &[rayon::ThreadPool],
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> R + Sync,
) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = items
            .into_iter()
            .zip(pools.iter().cycle())
            .map(|(item, pool)| scope.spawn(move || pool.install(|| work(item))))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Threads worth starting.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(8))
}
