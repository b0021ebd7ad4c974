//! When one thing lies left of, right of, above or below another: GenEval's rule.

use super::spec::Relation;

/// A box in pixels: left, top, right and bottom, the last two exclusive.
pub type Extent = [f32; 4];

/// How much of both sizes the offset of the centres is shortened by.
const SHORTENED: f32 = 0.1;
/// How much of the shortened offset, by the offset's whole length, has to point the right way.
const SHARE: f32 = 0.5;

/// Whether `first` lies so, seen from `second`: the centres' offset, on each axis less a tenth of both sizes, divided by
/// the offset's length, is more than a half in that direction.
#[must_use]
pub fn lies(first: Extent, relation: Relation, second: Extent) -> bool {
    let axis = |low: usize| {
        let (a, b) = (first[low + 2] - first[low], second[low + 2] - second[low]);
        let offset = (first[low] + first[low + 2] - second[low] - second[low + 2]) / 2.0;
        (offset, (offset.abs() - SHORTENED * (a + b)).max(0.0) * offset.signum())
    };
    let ((dx, short_x), (dy, short_y)) = (axis(0), axis(1));
    let length = (dx * dx + dy * dy).sqrt();
    if length <= 0.0 {
        return false;
    }
    let along = match relation {
        Relation::LeftOf => -short_x,
        Relation::RightOf => short_x,
        Relation::Above => -short_y,
        Relation::Below => short_y,
    };
    along / length > SHARE
}
