//! Loss and gradients of one batch, a shard on each core.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use showo::ops::gradient::in_bf16;

use super::pools::on_pools;
use super::step::Step;
use super::task::Task;

/// One worker's share: its part of the batch, loss, logged numbers, gradients.
type Part = (f64, Tensor<1>, Vec<(&'static str, f32)>, GradientsParams);

/// Loss and summed gradients of one batch, each worker on its own shard.
pub fn gradients<T: Task>(
    task: &T,
    model: &T::Model,
    pools: &[rayon::ThreadPool],
    shards: Vec<(f64, T::Batch<'_>)>,
    bf16: bool,
    device: &Device,
) -> (Step, GradientsParams) {
    let mut accumulator = GradientsAccumulator::<T::Model>::new();
    let results: Vec<Part> = on_pools(pools, shards, |(share, batch)| {
        // Its own leaves, so that the workers' graphs never meet.
        let copy = model.clone().fork(device);
        let loss = in_bf16(bf16, || task.loss(&copy, batch, device));
        let value = loss.total.clone().inner();
        let scaled = if share == 1.0 { loss.total } else { loss.total * share };
        let gradients = GradientsParams::from_grads(scaled.backward(), &copy);
        (share, value, loss.logged, gradients)
    });
    let mut step = Step::default();
    for (share, loss, logged, gradients) in results {
        step.losses.push((share, loss));
        for (name, value) in logged {
            step.log(name, value * share as f32);
        }
        accumulator.accumulate(model, gradients);
    }
    (step, accumulator.grads())
}
