//! The optimizer, with a share of the parameters on each core: burn's steps through a module on one, and Muon's
//! orthogonalization is a fifth of a training step there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::tensor::{Device, Tensor};

use super::config::{BETAS, EPSILON, FitConfig, MATRICES, MOST};
use super::muon::Muon;
use super::pools::on_pools;

/// Shares of the parameters, on however many cores: a checkpoint holds as many states.
const SHARES: usize = 4;

/// Optimizes every parameter that has a gradient.
pub enum Optimizer {
    /// burn's steps.
    Shares(Vec<ModuleOptimizer>),
    /// PyTorch's, of all parameters at once.
    #[cfg(feature = "libtorch")]
    Torch(Box<super::torch::Torch>),
}

impl Optimizer {
    /// With nothing remembered yet, for parameters on `device`; `in_bf16` says whether Muon multiplies in bfloat16, which
    /// takes a processor that can.
    #[must_use]
    pub fn new(config: &FitConfig, in_bf16: bool, device: &Device) -> Self {
        #[cfg(feature = "libtorch")]
        if showo::ops::gradient::is_torch(device) {
            return Self::Torch(Box::new(super::torch::Torch::new(config, in_bf16)));
        }
        let _ = device;
        Self::Shares((0..SHARES).map(|_| share(config, in_bf16)).collect())
    }

    /// Goes on from what [`Optimizer::save`] wrote.
    ///
    /// # Errors
    /// A file is absent or damaged.
    pub fn load(self, folder: &Path) -> Result<Self> {
        let shares = match self {
            Self::Shares(shares) => shares,
            #[cfg(feature = "libtorch")]
            Self::Torch(torch) => return Ok(Self::Torch(Box::new(torch.load(folder)?))),
        };
        let load = |(index, share): (usize, ModuleOptimizer)| {
            let path = file(folder, index);
            share.load(&path).with_context(|| format!("cannot read the optimizer's state in {}", path.display()))
        };
        Ok(Self::Shares(shares.into_iter().enumerate().map(load).collect::<Result<_>>()?))
    }

    /// Writes what it remembers.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let shares = match self {
            Self::Shares(shares) => shares,
            #[cfg(feature = "libtorch")]
            Self::Torch(torch) => return torch.save(folder),
        };
        for (index, share) in shares.iter().enumerate() {
            share.save(file(folder, index)).context("cannot save the optimizer's state")?;
        }
        Ok(())
    }

    /// One step, each share on one of `pools`.
    #[must_use]
    pub fn step<M: Module + Clone + Send + Sync>(
        &mut self,
        rate: f64,
        model: M,
        gradients: GradientsParams,
        pools: &[rayon::ThreadPool],
    ) -> M {
        let shares = match self {
            Self::Shares(shares) => shares,
            #[cfg(feature = "libtorch")]
            Self::Torch(torch) => {
                return torch.step(rate, model, gradients);
            }
        };
        let mut split = Split::new(gradients);
        model.visit(&mut split);
        let (owners, gradients) = (split.owners, split.shares);
        let shares = shares.iter_mut().zip(gradients);
        let stepped = on_pools(pools, shares, |(share, gradients): (&mut ModuleOptimizer, _)| {
            share.step(rate, model.clone(), gradients)
        });
        let mut taken = Taken { owners, share: 0, parameters: GradientsParams::new() };
        for (share, stepped) in stepped.iter().enumerate() {
            taken.share = share;
            stepped.visit(&mut taken);
        }
        model.map(&mut taken)
    }
}

fn file(folder: &Path, share: usize) -> PathBuf {
    folder.join(format!("optimizer-{share}.bpk"))
}

fn share(config: &FitConfig, in_bf16: bool) -> ModuleOptimizer {
    let clip = GradientClippingConfig::Norm(MOST);
    let [beta_1, beta_2] = BETAS;
    let adam = AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(EPSILON);
    let adam = adam.with_weight_decay(config.weight_decay).init();
    let optimizer = adam.with_grad_clipping(clip.init());
    if !config.muon {
        return optimizer;
    }
    let matrices = ParamGroup::from_predicates(MATRICES.to_vec());
    if in_bf16 {
        return optimizer.with_group(matrices, Muon::new(), None);
    }
    let muon = MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW);
    optimizer.with_group(matrices, muon.build(), None)
}

/// Deals gradients out: each parameter to the share with the fewest numbers, the same at every step.
struct Split {
    from: GradientsParams,
    shares: Vec<GradientsParams>,
    numbers: [usize; SHARES],
    owners: BTreeMap<ParamId, usize>,
}

impl Split {
    fn new(from: GradientsParams) -> Self {
        let shares = (0..SHARES).map(|_| GradientsParams::new()).collect();
        Self { from, shares, numbers: [0; SHARES], owners: BTreeMap::new() }
    }
}

impl ModuleVisitor for Split {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.from.remove::<D>(param.id) else { return };
        let share = (0..SHARES).min_by_key(|&share| self.numbers[share]).unwrap_or(0);
        self.numbers[share] += gradient.shape().num_elements();
        self.owners.insert(param.id, share);
        self.shares[share].register(param.id, gradient);
    }
}

/// Takes each parameter from the model of the share that owns it, and puts it into another.
struct Taken {
    owners: BTreeMap<ParamId, usize>,
    /// Whose model is visited.
    share: usize,
    parameters: GradientsParams,
}

impl ModuleVisitor for Taken {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.owners.get(&param.id) == Some(&self.share) {
            self.parameters.register(param.id, param.val());
        }
    }
}

impl ModuleMapper for Taken {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        Param::from_mapped_value(id, self.parameters.remove(id).unwrap_or(tensor), mapper)
    }
}
