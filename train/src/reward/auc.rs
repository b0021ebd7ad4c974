//! How well scores tell right from wrong: the area under the ROC curve.

use super::Rollouts;

/// The chance that of two rollouts of one prompt, one right and one wrong, the right one scores higher: the ROC-AUC of
/// each group of a prompt that is `wanted`, weighted by its pairs. `scored` has an entry a rollout.
pub(super) fn within(rollouts: &Rollouts, scored: &[(f32, bool)], wanted: impl Fn(&str) -> bool) -> f64 {
    let (mut above, mut pairs) = (0.0, 0.0);
    for members in rollouts.groups.iter().filter(|members| wanted(&rollouts.all[members[0]].prompt)) {
        let group: Vec<(f32, bool)> = members.iter().map(|&index| scored[index]).collect();
        let right = group.iter().filter(|scored| scored.1).count();
        let weight = (right * (group.len() - right)) as f64;
        if weight > 0.0 {
            pairs += weight;
            above += weight * auc(&group);
        }
    }
    above / pairs
}

/// Area under the ROC curve: the chance that a right example scores above a wrong one, ties counted half.
#[must_use]
pub fn auc(scored: &[(f32, bool)]) -> f64 {
    let (mut above, mut pairs) = (0.0, 0.0);
    for (right, _) in scored.iter().filter(|s| s.1) {
        for (wrong, _) in scored.iter().filter(|s| !s.1) {
            pairs += 1.0;
            above += if right > wrong {
                1.0
            } else if right == wrong {
                0.5
            } else {
                0.0
            };
        }
    }
    if pairs == 0.0 { f64::NAN } else { above / pairs }
}

#[cfg(test)]
mod tests {
    use super::super::views::tests::rollout;
    use super::*;

    #[test]
    fn a_prompt_s_difficulty_does_not_count_within_it() {
        // The second group scores higher throughout; in each, right and wrong are told apart, or not.
        let rollouts = Rollouts::new(vec![rollout(0, true), rollout(0, false), rollout(1, true), rollout(1, false)]);
        let scored = [(0.2, true), (0.1, false), (0.8, true), (0.9, false)];
        assert!((within(&rollouts, &scored, |_| true) - 0.5).abs() < 1e-9);
        assert!((auc(&scored) - 0.5).abs() < 1e-9);
        let scored = [(0.2, true), (0.1, false), (0.9, true), (0.8, false)];
        assert!((within(&rollouts, &scored, |_| true) - 1.0).abs() < 1e-9);
        assert!((auc(&scored) - 0.75).abs() < 1e-9);
    }

    #[test]
    fn auc_counts_pairs() {
        assert!((auc(&[(0.9, true), (0.1, false)]) - 1.0).abs() < 1e-9);
        assert!((auc(&[(0.1, true), (0.9, false)])).abs() < 1e-9);
        assert!((auc(&[(0.5, true), (0.5, false)]) - 0.5).abs() < 1e-9);
    }
}
