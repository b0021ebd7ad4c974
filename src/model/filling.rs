//! Filling a set of weights: tensors whole or in parts, uploaded as they come.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use half::f16;

use super::aside::Aside;
use super::error::ModelError;
use super::weights::{Partial, PartialForm, Stored, Weights, check_shape};
use crate::bundle::block;
use crate::ops::{self, PART_BYTES, Q8Builder};

impl Weights {
    /// Stores a floating-point tensor: uploaded at once, so that the caller may drop its own copy.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`]; [`ModelError::Parts`] when the values are not as many as the shape says.
    pub fn insert_float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), ModelError> {
        self.float_part(name, shape, values)?;
        self.whole(name)
    }

    /// Stores an int8 tensor of shape `[out, in…]` with its scales, uploaded at once.
    ///
    /// # Errors
    /// [`ModelError::Quant`] when the lengths contradict the shape, or the device cannot hold a row.
    pub fn insert_q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), ModelError> {
        let out = shape.first().copied().unwrap_or(0);
        block::check(q, scale, out, shape.iter().skip(1).product())?;
        self.q8_rows(name, shape, q)?;
        self.scale_rows(name, shape, scale)?;
        self.whole(name)
    }

    /// Takes the next values of a floating-point tensor of `shape`.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`]; another shape than before.
    pub fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), ModelError> {
        let device = self.device.clone();
        let partial = self.partial(name, shape, |weights, shape, _| {
            let needed = shape.iter().fold(4u64, |bytes, &size| bytes.saturating_mul(size as u64));
            if needed > weights.largest_buffer {
                return Err(ModelError::TooLarge { name: name.to_owned(), needed, most: weights.largest_buffer });
            }
            Ok(PartialForm::Float { seen: 0, parts: Vec::new() })
        })?;
        let PartialForm::Float { seen, parts } = &mut partial.form else { return Err(two_dtypes(name)) };
        let here = partial.kept.start * partial.width..partial.kept.end * partial.width;
        let wanted = within(&here, *seen, values.len());
        if let Some(aside) = &mut partial.aside {
            aside.floats(*seen, &values);
        }
        *seen += values.len();
        if !wanted.is_empty() {
            let values = if wanted.len() == values.len() { values } else { values[wanted].to_vec() };
            let count = values.len();
            parts.push(Tensor::from_data(TensorData::new(values, [count]), &device));
            ops::uploaded(&device, 4 * count);
        }
        Ok(())
    }

    /// Takes the next whole rows of an int8 tensor's values; see [`Weights::insert_q8`].
    ///
    /// # Errors
    /// A device that cannot hold a row; another shape than before.
    pub fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), ModelError> {
        let partial = self.partial(name, shape, Self::new_q8)?;
        let PartialForm::Q8 { seen: [seen, _], builder } = &mut partial.form else { return Err(two_dtypes(name)) };
        let rows = q.len() / partial.width.max(1);
        let wanted = within(&partial.kept, *seen, rows);
        if let Some(aside) = &mut partial.aside {
            aside.q8(*seen, q);
        }
        *seen += rows;
        builder.values(&q[wanted.start * partial.width..wanted.end * partial.width]);
        Ok(())
    }

    /// Takes the next whole rows of its scales.
    ///
    /// # Errors
    /// As [`Weights::q8_rows`].
    pub fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), ModelError> {
        let partial = self.partial(name, shape, Self::new_q8)?;
        let PartialForm::Q8 { seen: [_, seen], builder } = &mut partial.form else { return Err(two_dtypes(name)) };
        let width = block::blocks(partial.width);
        let rows = scale.len() / width.max(1);
        let wanted = within(&partial.kept, *seen, rows);
        if let Some(aside) = &mut partial.aside {
            aside.scales(*seen, scale);
        }
        *seen += rows;
        builder.scales(&scale[wanted.start * width..wanted.end * width]);
        Ok(())
    }

    fn new_q8(&self, shape: &[usize], width: usize) -> Result<PartialForm, ModelError> {
        let out = shape.first().copied().unwrap_or(0);
        let builder = Q8Builder::new(out, width, PART_BYTES.min(self.largest_buffer), &self.device)?;
        Ok(PartialForm::Q8 { seen: [0; 2], builder })
    }

    /// What has come of a tensor; `form` begins it, from the shape that is kept and the elements of a row.
    fn partial(
        &mut self,
        name: &str,
        shape: &[usize],
        form: impl FnOnce(&Self, &[usize], usize) -> Result<PartialForm, ModelError>,
    ) -> Result<&mut Partial, ModelError> {
        if !self.partial.contains_key(name) {
            let rows = shape.first().copied().unwrap_or(1);
            let (kept, all) = self.kept.get(name).cloned().unwrap_or((0..rows, rows));
            let mut wanted = shape.to_vec();
            wanted.iter_mut().take(1).for_each(|rows| *rows = all);
            check_shape(name, shape, &wanted)?;
            let width = shape.iter().skip(1).product();
            let mut shape = wanted;
            shape.iter_mut().take(1).for_each(|rows| *rows = kept.len());
            let form = form(self, &shape, width)?;
            let aside = self.aside.get(name).map(|(rows, _)| Aside::new(rows.clone(), width));
            self.partial.insert(name.to_owned(), Partial { shape, width, kept, aside, form });
        }
        self.partial.get_mut(name).ok_or_else(|| ModelError::Missing(name.to_owned()))
    }

    /// Everything of a tensor has come: it can be taken.
    ///
    /// # Errors
    /// When it has not.
    pub fn whole(&mut self, name: &str) -> Result<(), ModelError> {
        let partial = self.partial.remove(name).ok_or_else(|| ModelError::Missing(name.to_owned()))?;
        let Partial { mut shape, form, aside, .. } = partial;
        let stored = match form {
            PartialForm::Float { parts, .. } => {
                let (count, found) =
                    (shape.iter().product::<usize>(), parts.iter().map(|part| part.dims()[0]).sum::<usize>());
                if found != count {
                    let why = format!("{found} values came, but its shape {shape:?} has {count}");
                    return Err(ModelError::Parts { name: name.to_owned(), why });
                }
                let mut parts = parts;
                let values = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(parts, 0) };
                Stored::Float { shape: shape.clone(), values }
            }
            PartialForm::Q8 { builder, .. } => Stored::Q8 { shape: shape.clone(), tensor: builder.finish()? },
        };
        self.stored.insert(name.to_owned(), stored);
        if let (Some(aside), Some((_, into))) = (aside, self.aside.get(name).cloned()) {
            let (rows, values) = aside.finish();
            shape.iter_mut().take(1).for_each(|all| *all = rows);
            self.insert_float(&into, &shape, values)?;
        }
        Ok(())
    }

    /// Drops what has come of a tensor.
    pub fn forget(&mut self, name: &str) {
        self.partial.remove(name);
        self.stored.remove(name);
        if let Some((_, into)) = self.aside.get(name) {
            self.stored.remove(into);
        }
    }
}

/// Of `count` rows that come after `seen` others, those in `kept`.
fn within(kept: &Range<usize>, seen: usize, count: usize) -> Range<usize> {
    let at = |row: usize| row.saturating_sub(seen).min(count);
    at(kept.start)..at(kept.end)
}

fn two_dtypes(name: &str) -> ModelError {
    ModelError::Parts { name: name.to_owned(), why: "some are int8 and some are not".into() }
}
