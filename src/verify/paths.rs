//! The paper's tasks over whole paths: which states are clear enough to be judged, and which judgement lets a path go on.

use crate::trace::MASK;

/// The part of a picture's tokens that must be known before its potential is judged. What is masked cannot be judged, and
/// the paper's PARM learns the same as a task of its own, "clarity", from blurred previews; our states say themselves how
/// much of them is there. A network that has learnt the task is asked instead ([`says_clear`]).
const CLEAR: f32 = 0.3;

/// The chance of ending well below which a path is given up. At even odds, as a yes or no would have it, a prompt that the
/// generator finds hard loses all of its paths early, the good ones too: on 120 prompts of which 98 were drawn right, the 25 that
/// kept one path at most were right in 12 (`train results`, N = 8, 2026-11-26).
pub const PROMISING: f32 = 0.2;

/// Whether a network that was asked for the clarity of a state finds that it can be judged.
#[must_use]
pub fn says_clear(chance: f32) -> bool {
    chance >= 0.5
}

/// Whether enough of a state is known for a judgement.
#[must_use]
pub fn is_clear(tokens: &[i32]) -> bool {
    let known = tokens.iter().filter(|&&token| token != MASK).count();
    known as f32 >= CLEAR * tokens.len() as f32
}

/// Whether a path with this score, 0 to 1, goes on.
#[must_use]
pub fn is_promising(score: f32) -> bool {
    score >= PROMISING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tenths_known_are_clear() {
        let known = |known: usize| (0..10).map(|at| if at < known { 4 } else { MASK }).collect::<Vec<_>>();
        assert!(!is_clear(&known(2)) && is_clear(&known(3)) && is_clear(&known(10)));
    }
}
