//! The optimizer on a LibTorch device: AdamW in one launch for all parameters, Muon's orthogonalization of all matrices of
//! one shape at once. burn's steps, parameter by parameter, are thousands of launches.
//!
//! Parameters are changed where they lie: nothing else may hold their memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::backend::libtorch::LibTorch;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor as BurnTensor;
use tch::{Kind, Tensor};
use torch_ops::AdamW;

use super::config::{BETAS, EPSILON, FitConfig, MATRICES, MOST};

/// The quintic's coefficients, burn's and Jordan's.
const QUINTIC: [f64; 3] = [3.4445, -4.775, 2.0315];
/// Newton–Schulz iterations.
const ITERATIONS: usize = 5;
/// Muon's momentum, Nesterov's.
const MOMENTUM: f64 = 0.95;
/// The least norm that is divided by.
const LEAST_NORM: f64 = 1e-7;

/// What it remembers of every parameter.
pub struct Torch {
    muon: bool,
    in_bf16: bool,
    decay: f64,
    /// By the parameter's id: the running means of gradients and of their squares, and the steps so far.
    adam: BTreeMap<u64, [Tensor; 3]>,
    /// By the matrices' shape: their momenta, `[matrices, rows, columns]`, in the order of the network.
    momenta: BTreeMap<[i64; 2], Tensor>,
}

impl Torch {
    /// With nothing remembered yet; `in_bf16` says whether Muon multiplies in bfloat16.
    pub fn new(config: &FitConfig, in_bf16: bool) -> Self {
        let decay = f64::from(config.weight_decay);
        Self { muon: config.muon, in_bf16, decay, adam: BTreeMap::new(), momenta: BTreeMap::new() }
    }

    /// One step of every parameter that has a gradient.
    ///
    /// # Panics
    /// PyTorch fails: a card without memory, a gradient of another shape.
    #[must_use]
    pub fn step<M: Module>(&mut self, rate: f64, model: M, gradients: GradientsParams) -> M {
        let mut taken =
            Taken { muon: self.muon, path: Vec::new(), gradients, adam: Vec::new(), matrices: BTreeMap::new() };
        model.visit(&mut taken);
        let Taken { adam, matrices, .. } = taken;
        self.step_adam(rate, adam);
        for (shape, pairs) in matrices {
            self.step_muon(rate, shape, pairs);
        }
        model.map(&mut Anew)
    }

    fn step_adam(&mut self, rate: f64, pairs: Vec<(u64, Pair)>) {
        let mut all = AdamW::default();
        for (id, Pair { parameter, gradient }) in pairs {
            let [first, second, steps] = self.adam.entry(id).or_insert_with(|| {
                let zero = || parameter.zeros_like();
                [zero(), zero(), Tensor::zeros([], (Kind::Float, parameter.device()))]
            });
            all.first.push(first.shallow_clone());
            all.second.push(second.shallow_clone());
            all.steps.push(steps.shallow_clone());
            all.parameters.push(parameter);
            all.gradients.push(gradient);
        }
        all.gradients = torch_ops::clip(&all.gradients, f64::from(MOST)).expect("gradients that can be scaled");
        torch_ops::adamw(&all, rate, BETAS.map(f64::from), self.decay, f64::from(EPSILON)).expect("a step of AdamW");
    }

    fn step_muon(&mut self, rate: f64, [rows, columns]: [i64; 2], pairs: Vec<Pair>) {
        let gradients: Vec<&Tensor> = pairs.iter().map(|pair| &pair.gradient).collect();
        let gradients = Tensor::stack(&gradients, 0);
        let momentum = self.momenta.entry([rows, columns]).or_insert_with(|| gradients.zeros_like());
        let _ = momentum.g_mul_scalar_(MOMENTUM);
        let _ = momentum.g_add_(&gradients);
        let update = orthogonalized(&(gradients + &*momentum * MOMENTUM), self.in_bf16);
        // As large, by its mean square, as AdamW's (Liu et al., arXiv 2502.16982).
        let scale = -rate * 0.2 * (rows.max(columns) as f64).sqrt();
        let update = update.to_kind(Kind::Float) * scale;
        for (Pair { mut parameter, .. }, update) in pairs.into_iter().zip(update.unbind(0)) {
            let _ = parameter.g_add_(&update);
        }
    }

    /// Goes on from what [`Torch::save`] wrote.
    ///
    /// # Errors
    /// The file is absent or damaged, or was made on another device.
    pub fn load(mut self, folder: &Path) -> Result<Self> {
        let path = file(folder);
        let read =
            || format!("cannot read the optimizer's state in {}; go on with the device that wrote it", path.display());
        let device = if tch::Cuda::is_available() { tch::Device::Cuda(0) } else { tch::Device::Cpu };
        let mut parts: BTreeMap<String, Tensor> = Tensor::read_safetensors(&path)
            .with_context(read)?
            .into_iter()
            .map(|(name, tensor)| (name, tensor.to_device(device)))
            .collect();
        let names: Vec<String> = parts.keys().cloned().collect();
        for name in names {
            let numbers = || -> Option<[i64; 2]> {
                let (rows, columns) = name.strip_prefix("momenta.")?.split_once('x')?;
                Some([rows.parse().ok()?, columns.parse().ok()?])
            };
            if let Some(shape) = numbers() {
                self.momenta.extend(parts.remove(&name).map(|momenta| (shape, momenta)));
            } else if let Some(id) = name.strip_suffix(".first").and_then(|id| id.parse().ok()) {
                let mut part = |what: &str| parts.remove(&format!("{id}.{what}")).with_context(read);
                self.adam.insert(id, [part("first")?, part("second")?, part("steps")?]);
            }
        }
        Ok(self)
    }

    /// Writes what it remembers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let mut parts: Vec<(String, Tensor)> = Vec::new();
        for ([rows, columns], momenta) in &self.momenta {
            parts.push((format!("momenta.{rows}x{columns}"), momenta.to_device(tch::Device::Cpu)));
        }
        for (id, means) in &self.adam {
            for (what, tensor) in ["first", "second", "steps"].into_iter().zip(means) {
                parts.push((format!("{id}.{what}"), tensor.to_device(tch::Device::Cpu)));
            }
        }
        Tensor::write_safetensors(&parts, file(folder)).context("cannot save the optimizer's state")
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("optimizer.safetensors")
}

/// The orthogonal matrices nearest to `x`, `[matrices, rows, columns]`, with singular values between about 0.7 and 1.2.
fn orthogonalized(x: &Tensor, in_bf16: bool) -> Tensor {
    let size = x.size();
    // Short side first: half the work, or less.
    let tall = size[1] > size[2];
    let norm = (x * x).sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Float).sqrt().clamp_min(LEAST_NORM);
    let x = x / norm;
    let x = if in_bf16 { x.to_kind(Kind::BFloat16) } else { x };
    let mut x = if tall { x.transpose(1, 2).contiguous() } else { x };
    let [a, b, c] = QUINTIC;
    for _ in 0..ITERATIONS {
        let gram = x.bmm(&x.transpose(1, 2));
        let polynomial = gram.baddbmm(&gram, &gram, b, c);
        x = x.baddbmm(&polynomial, &x, a, 1.0);
    }
    if tall { x.transpose(1, 2) } else { x }
}

/// A parameter and its gradient.
struct Pair {
    parameter: Tensor,
    gradient: Tensor,
}

/// Takes parameters with their gradients, each to the method that steps it.
struct Taken {
    muon: bool,
    path: Vec<String>,
    gradients: GradientsParams,
    adam: Vec<(u64, Pair)>,
    matrices: BTreeMap<[i64; 2], Vec<Pair>>,
}

impl ModuleVisitor for Taken {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<BurnTensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let value = param.val();
        let value = if value.device().is_autodiff() { value.inner() } else { value };
        let pair = Pair { parameter: torch(value), gradient: torch(gradient).to_kind(Kind::Float).contiguous() };
        let path = self.path.join(".");
        let size = pair.parameter.size();
        if let [rows, columns] = size[..]
            && self.muon
            && MATRICES.iter().all(|part| path.contains(part))
        {
            self.matrices.entry([rows, columns]).or_default().push(pair);
        } else {
            self.adam.push((id(param.id), pair));
        }
    }
}

/// The same numbers as new leaves: what was computed with the old ones would stay in burn's graph as long as they do, and
/// every step would take longer than the one before.
struct Anew;

impl ModuleMapper for Anew {
    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let tensor = if tensor.device().is_autodiff() {
            let learnt = tensor.is_require_grad();
            BurnTensor::from_inner(tensor.inner()).set_require_grad(learnt)
        } else {
            tensor
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

fn id(of: ParamId) -> u64 {
    of.val()
}

/// PyTorch's handle of a tensor, whose memory is the same.
fn torch<const D: usize>(tensor: BurnTensor<D>) -> Tensor {
    tensor.try_into_primitive::<LibTorch>().expect("a tensor on a LibTorch device").tensor
}
