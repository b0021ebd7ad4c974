//! What follows a product.

use super::{each_chunk, threads_for};
use crate::ops::linear::Spec;

/// `activation(y + bias) + residual` for `y [rows, out]`, laid out as `spec.plane` says.
pub fn after(mut y: Vec<f32>, bias: &[f32], residual: &[f32], spec: &Spec) -> Vec<f32> {
    let out = spec.out;
    if spec.bias || spec.activation != crate::ops::Activation::None {
        each_chunk(threads_for(y.len() * spec.activation.cost()), &mut y, out, |_, row| {
            if spec.bias {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
            spec.activation.apply(row);
        });
    }
    if let Some(pixels) = spec.plane {
        let mut planes = vec![0.0; y.len()];
        for (picture, planes) in planes.chunks_exact_mut(out * pixels).enumerate() {
            let rows = &y[picture * out * pixels..][..out * pixels];
            for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
                for (to, from) in plane.iter_mut().zip(rows.iter().skip(channel).step_by(out)) {
                    *to = *from;
                }
            }
        }
        y = planes;
    }
    if spec.residual {
        y.iter_mut().zip(residual).for_each(|(y, r)| *y += r);
    }
    y
}
