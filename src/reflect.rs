//! Reflection (PARM++, METHOD.md): which patches are weak, which tokens lie under them, when to stop.
//!
//! `S_ij = CLIPScore(p, I_ij)` on an M×M grid; `Ω = {(i,j) : S_ij < τ}`; the tokens under Ω are masked and decoded again
//! in `⌈T·|Ω|/N⌉` steps, everything else fixed. The session runs the rounds; the decisions are here.

use crate::settings::{AcceptRule, ReflectionSettings};
use crate::trace::ReflectionStop;

/// Fewest steps of a redrawing: with one, its tokens could not look at each other.
const FEWEST_STEPS: u32 = 2;
/// Rewards are probabilities.
const EVEN_ODDS: f32 = 0.5;

/// Ω as one flag a patch: those that score below τ. NaN is weak.
#[must_use]
pub fn weak_patches(scores: &[f32], threshold: f32) -> Vec<bool> {
    scores.iter().map(|&score| score.is_nan() || score < threshold).collect()
}

/// The patch that holds a token's centre, in a row or column of `grid` tokens and `patch_grid` patches.
#[must_use]
pub fn patch_of(token: usize, grid: usize, patch_grid: usize) -> usize {
    ((2 * token + 1) * patch_grid) / (2 * grid.max(1))
}

/// The tokens of a `grid × grid` picture with those under Ω masked (−1), and how many those are.
#[must_use]
pub fn mask_weak(tokens: &[i32], grid: usize, weak: &[bool], patch_grid: usize) -> (Vec<i32>, usize) {
    let mut masked = 0;
    let tokens = tokens.iter().enumerate().map(|(at, &token)| {
        let patch =
            patch_of(at / grid.max(1), grid, patch_grid) * patch_grid + patch_of(at % grid.max(1), grid, patch_grid);
        if weak.get(patch).copied().unwrap_or(false) {
            masked += 1;
            -1
        } else {
            token
        }
    });
    let tokens = tokens.collect();
    (tokens, masked)
}

/// Steps of a redrawing: `⌈T·|Ω|/N⌉`, |Ω| counted in tokens, at least 2.
#[must_use]
pub fn redraw_steps(steps: u32, masked: usize, positions: usize) -> u32 {
    let share = (steps as usize * masked).div_ceil(positions.max(1));
    u32::try_from(share).unwrap_or(u32::MAX).max(FEWEST_STEPS)
}

/// `‖a − b‖₂` as root mean square over values in −1…1; 0 for nothing.
#[must_use]
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    let count = a.len().min(b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    if count == 0 { 0.0 } else { (sum / count as f64).sqrt() as f32 }
}

/// Whether a round is kept.
#[must_use]
pub fn keeps(rule: AcceptRule, before: Option<f32>, after: Option<f32>) -> bool {
    match (rule, before, after) {
        (AcceptRule::Every, ..) => true,
        // Without scores there is nothing to fall; NaN counts as a fall.
        (AcceptRule::IfNotWorse | AcceptRule::IfDoubted, Some(before), Some(after)) => after >= before,
        (AcceptRule::IfNotWorse | AcceptRule::IfDoubted, ..) => true,
    }
}

/// Whether reflection ends after `rounds` rounds, the last of which changed the picture by `distance`. `score` is the
/// verifier's of the picture as it is.
#[must_use]
pub fn stops(
    settings: &ReflectionSettings,
    rounds: u32,
    distance: Option<f32>,
    score: Option<f32>,
) -> Option<ReflectionStop> {
    if settings.accept == AcceptRule::IfDoubted && score.is_some_and(|score| score >= EVEN_ODDS) {
        return Some(ReflectionStop::Satisfied);
    }
    if distance.is_some_and(|distance| distance < settings.epsilon) {
        return Some(ReflectionStop::Converged);
    }
    (rounds >= settings.rounds).then_some(ReflectionStop::RoundsSpent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_the_patch_that_holds_its_centre() {
        let row = |grid: usize, patches| (0..grid).map(|token| patch_of(token, grid, patches)).collect::<Vec<_>>();
        assert_eq!(row(8, 4), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(row(4, 3), [0, 1, 1, 2]);
        assert_eq!(row(5, 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn only_tokens_under_weak_patches_are_masked() {
        let tokens: Vec<i32> = (0..16).collect();
        let weak = weak_patches(&[0.1, 0.5, f32::NAN, 0.2], 0.2);
        assert_eq!(weak, [true, false, true, false]);
        let (masked, count) = mask_weak(&tokens, 4, &weak, 2);
        assert_eq!(count, 8);
        assert_eq!(masked, [-1, -1, 2, 3, -1, -1, 6, 7, -1, -1, 10, 11, -1, -1, 14, 15]);
    }

    #[test]
    fn a_redrawing_takes_its_share_of_the_steps() {
        assert_eq!(redraw_steps(18, 64, 64), 18);
        assert_eq!(redraw_steps(18, 16, 64), 5);
        assert_eq!(redraw_steps(18, 4, 64), 2);
        assert_eq!(redraw_steps(1, 64, 64), 2);
    }

    #[test]
    fn rounds_are_kept_by_the_rule() {
        assert!(keeps(AcceptRule::Every, Some(0.9), Some(0.1)));
        assert!(keeps(AcceptRule::IfNotWorse, Some(0.5), Some(0.5)));
        assert!(!keeps(AcceptRule::IfNotWorse, Some(0.5), Some(0.4)));
        assert!(!keeps(AcceptRule::IfNotWorse, Some(0.5), Some(f32::NAN)));
    }

    #[test]
    fn it_stops_when_nothing_changes_or_rounds_are_spent() {
        let settings = ReflectionSettings { epsilon: 0.1, rounds: 3, ..ReflectionSettings::default() };
        assert_eq!(stops(&settings, 0, None, Some(0.9)), None);
        assert_eq!(stops(&settings, 1, Some(0.05), None), Some(ReflectionStop::Converged));
        assert_eq!(stops(&settings, 2, Some(0.5), None), None);
        assert_eq!(stops(&settings, 3, Some(0.5), None), Some(ReflectionStop::RoundsSpent));
        let doubting = ReflectionSettings { accept: AcceptRule::IfDoubted, ..settings };
        assert_eq!(stops(&doubting, 0, None, Some(0.5)), Some(ReflectionStop::Satisfied));
        assert_eq!(stops(&doubting, 0, None, Some(0.49)), None);
        assert_eq!(stops(&doubting, 0, None, Some(f32::NAN)), None);
        assert!((distance(&[1.0, -1.0], &[0.0, 0.0]) - 1.0).abs() < 1e-6);
    }
}
