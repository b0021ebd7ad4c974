//! The running mean of the weights, kept on the device that trains: reading every parameter back would stop a card.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Steps between updates of the running mean: it need not see every one.
pub const EMA_EVERY: u64 = 8;

/// `mean`, moved towards `now` by what [`EMA_EVERY`] steps weigh.
pub fn moved<M: Module>(mean: M, now: &M, decay: f64, step: u64) -> M {
    // While there are few steps, a shorter memory: the first weights are noise.
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64)).powi(EMA_EVERY as i32);
    let mut towards = Towards { now: GradientsParams::new(), weight: 1.0 - decay };
    now.visit(&mut towards);
    mean.map(&mut towards)
}

/// Takes the parameters of one network, then moves those of another.
struct Towards {
    /// The numbers, by the parameter's id; burn's bag of tensors of any rank.
    now: GradientsParams,
    weight: f64,
}

impl ModuleVisitor for Towards {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let value = if value.device().is_autodiff() { value.inner() } else { value };
        self.now.register(param.id, value);
    }
}

impl ModuleMapper for Towards {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, mean, mapper) = param.consume();
        let moved = match self.now.remove::<D>(id) {
            Some(now) => mean.clone() + (now - mean) * self.weight,
            None => mean,
        };
        Param::from_mapped_value(id, moved, mapper)
    }
}
