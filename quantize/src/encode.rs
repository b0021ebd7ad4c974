//! One tensor from the checkpoint into the bundle, in parts that both cores work on.

use half::f16;
use rayon::prelude::*;
use showo::bundle::{BundleWriter, block, manifest::StoredDtype};

use crate::{
    checkpoint::{Checkpoint, Tensor},
    error::ToolError,
    measure::Cost,
};

/// Elements that one core holds as f32 at a time, unless a single row has more.
const PART_ELEMENTS: usize = 1 << 18;

/// A tensor's rows and inputs: `[out, in…]` with the inputs flattened; anything flatter is a single row.
pub fn rows_and_inputs(shape: &[usize]) -> (usize, usize) {
    match shape {
        [out, inputs @ ..] if !inputs.is_empty() => (*out, inputs.iter().product()),
        _ => (1, shape.iter().product()),
    }
}

/// Rows of `inputs` values that make one part.
pub fn rows_of_a_part(inputs: usize) -> usize {
    (PART_ELEMENTS / inputs.max(1)).max(1)
}

/// How a tensor was stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// As what.
    pub dtype: StoredDtype,
    /// What that cost.
    pub cost: Cost,
    /// What it would have cost to store it as asked, where that was not done: its values are too small for it.
    pub spared: Option<Cost>,
}

/// Reads a tensor, stores it as asked, and returns what that cost. Unless the user himself `insists`, a tensor whose values
/// are too small for that is stored in single precision: the scales of int8 and half precision end at 6e-8.
pub fn tensor(
    from: &Checkpoint,
    name: &str,
    dtype: StoredDtype,
    insists: bool,
    to: &mut BundleWriter,
    on_progress: &(dyn Fn(usize) + Sync),
) -> Result<Stored, ToolError> {
    match store(from, name, dtype, insists, to, on_progress)? {
        Outcome::Stored(cost) => Ok(Stored { dtype, cost, spared: None }),
        // Its bytes have been counted.
        Outcome::Lost(spared) => match store(from, name, StoredDtype::F32, true, to, &|_| {})? {
            Outcome::Stored(cost) | Outcome::Lost(cost) => {
                Ok(Stored { dtype: StoredDtype::F32, cost, spared: Some(spared) })
            }
        },
    }
}

enum Outcome {
    Stored(Cost),
    /// Nothing was written.
    Lost(Cost),
}

fn store(
    from: &Checkpoint,
    name: &str,
    dtype: StoredDtype,
    insists: bool,
    to: &mut BundleWriter,
    on_progress: &(dyn Fn(usize) + Sync),
) -> Result<Outcome, ToolError> {
    // Long, because each way of storing reads in parts of its own size.
    let Tensor { info, .. } = from.tensors().get(name).ok_or_else(|| from.bad(name, "is not in the checkpoint"))?;
    let (rows, inputs) = rows_and_inputs(&info.shape);
    let step = rows_of_a_part(inputs);
    // Part `index` of the source, and the row where it begins.
    let part = |index: usize| {
        let first = index * step;
        let last = (first + step).min(rows);
        let values = from.read(name, first * inputs..last * inputs)?;
        on_progress(values.len());
        Ok::<_, ToolError>((first, last - first, values))
    };
    let join = |a: Cost, b: Cost| Ok(a.join(b));
    let elements = rows * inputs;
    match dtype {
        StoredDtype::F32 => {
            let mut values = vec![0f32; elements];
            values.par_chunks_mut(step * inputs).enumerate().try_for_each(|(index, out)| {
                out.copy_from_slice(&part(index)?.2);
                Ok::<_, ToolError>(())
            })?;
            to.f32(name, &info.shape, values)?;
            Ok(Outcome::Stored(Cost::default()))
        }
        StoredDtype::F16 => {
            let mut values = vec![f16::ZERO; elements];
            let cost = values
                .par_chunks_mut(step * inputs)
                .enumerate()
                .map(|(index, out)| {
                    let (first, _, source) = part(index)?;
                    let stored: Vec<f32> = out
                        .iter_mut()
                        .zip(&source)
                        .map(|(out, &value)| {
                            *out = f16::from_f32(value);
                            out.to_f32()
                        })
                        .collect();
                    if let Some(at) = stored.iter().position(|value| !value.is_finite()) {
                        let problem = format!(
                            "element {} is {}, beyond half precision; keep it with --keep f32 '{name}'",
                            first * inputs + at,
                            source[at]
                        );
                        return Err(from.bad(name, problem));
                    }
                    Ok(Cost::of(&source, &stored, inputs, first))
                })
                .try_reduce(Cost::default, join)?;
            if cost.is_lost() && !insists {
                return Ok(Outcome::Lost(cost));
            }
            to.f16(name, &info.shape, values, cost.figures())?;
            Ok(Outcome::Stored(cost))
        }
        StoredDtype::Q8 => {
            let blocks = block::blocks(inputs);
            let mut q = vec![0i8; elements];
            let mut scale = vec![f16::ZERO; rows * blocks];
            let cost = q
                .par_chunks_mut(step * inputs)
                .zip(scale.par_chunks_mut(step * blocks))
                .enumerate()
                .map(|(index, (q, scale))| {
                    let (first, rows, source) = part(index)?;
                    let stored = block::quantize(&source, rows, inputs).map_err(|error| {
                        from.bad(name, format!("{error} (rows count from {first}); keep it with --keep f32 '{name}'"))
                    })?;
                    q.copy_from_slice(&stored.q);
                    scale.copy_from_slice(&stored.scale);
                    Ok::<_, ToolError>(Cost::of(&source, &block::dequantize(&stored), inputs, first))
                })
                .try_reduce(Cost::default, join)?;
            if cost.is_lost() && !insists {
                return Ok(Outcome::Lost(cost));
            }
            to.q8(name, &info.shape, q, scale, cost.figures())?;
            Ok(Outcome::Stored(cost))
        }
    }
}
