//! The loops.

use super::Activation;
use crate::ops::cpu::math::sigmoid;

impl Activation {
    /// Replaces every value by the function at it.
    pub fn apply(self, values: &mut [f32]) {
        // A loop for each function: inside of one, the choice would keep it scalar.
        match self {
            Self::None => {}
            Self::GeluNew => {
                values.iter_mut().for_each(|x| *x *= sigmoid(1.595_769_2 * (*x + 0.044_715 * *x * *x * *x)));
            }
            Self::QuickGelu => values.iter_mut().for_each(|x| *x *= sigmoid(1.702 * *x)),
            Self::Swish => values.iter_mut().for_each(|x| *x *= sigmoid(*x)),
        }
    }

    /// Multiplications that the function is worth, for the number of threads.
    pub fn cost(self) -> usize {
        if self == Self::None { 1 } else { 16 }
    }
}
