//! What of a rollout an example shows, and rollouts that can be compared.

use std::collections::BTreeMap;

use rng::Rng;
use scenes::{Detection, Spec};
use showo::config::RewardLabel;

use crate::reprompt;
use crate::rollouts::Rollout;
use crate::shuffle::{Picture, Shuffle};

/// How often a pair is looked for.
pub(super) const PAIR_TRIES: usize = 64;
/// How often an order of slots is looked for that gives the wanted verdict.
pub(super) const SHUFFLE_TRIES: usize = 8;

/// Rollouts, and which of them share a prompt.
pub struct Rollouts {
    pub(super) all: Vec<Rollout>,
    pub(super) groups: Vec<Vec<usize>>,
}

impl Rollouts {
    /// Rollouts by their groups; of a group alone in it nothing can be compared.
    #[must_use]
    pub fn new(all: Vec<Rollout>) -> Self {
        let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, rollout) in all.iter().enumerate() {
            groups.entry(rollout.group).or_default().push(index);
        }
        let groups = groups.into_values().filter(|members| members.len() > 1).collect();
        Self { all, groups }
    }

    /// One picture in two orders of its slots, with a prompt whose relation holds in the first and not in the second. Of all
    /// that can be wrong with a picture nothing else differs, so that the answer can only be learnt from where things are.
    pub(super) fn related(&self, ground: &[i32], rng: &mut Rng) -> Option<(Spec, [Picture; 2])> {
        (0..PAIR_TRIES).find_map(|_| {
            let rollout = self.all.get(rng.below(self.all.len().max(1)))?;
            let picture = View::Preview.picture(rollout, View::Preview.step(rollout, rng))?;
            let spec = reprompt::relation(&picture.seen, rng)?;
            let mut sides = [None, None];
            for _ in 0..SHUFFLE_TRIES {
                let shuffle = Shuffle::draw(rng);
                let seen = shuffle.detections(&picture.seen)?;
                let accepted = scenes::judge(seen.clone(), &spec).accepted;
                sides[usize::from(!accepted)] = Some(Picture { tokens: shuffle.tokens(&picture.tokens, ground), seen });
            }
            let [Some(right), Some(wrong)] = sides else { return None };
            Some((spec, [right, wrong]))
        })
    }

    /// A right and a wrong one of one prompt at one step, and the step; `None` where `tries` draws find no such pair.
    pub(super) fn pair(&self, view: View, rng: &mut Rng, tries: usize) -> Option<(&Rollout, &Rollout, usize)> {
        (0..tries).find_map(|_| {
            let (members, step) = self.group_at(view, rng)?;
            let (right, wrong): (Vec<usize>, Vec<usize>) =
                members.iter().partition(|&&index| view.accepted(&self.all[index], step));
            self.differing([rng.pick(&right)?, rng.pick(&wrong)?], view, step)
        })
    }

    /// Two of one prompt at one step, of whose states something is known after `lookahead` more steps and short of the last.
    pub(super) fn any_two(
        &self,
        view: View,
        lookahead: usize,
        rng: &mut Rng,
        tries: usize,
    ) -> Option<(&Rollout, &Rollout, usize)> {
        (0..tries).find_map(|_| {
            let (members, step) = self.group_at(view, rng)?;
            let both = [rng.pick(members)?, rng.pick(members)?];
            both.iter().all(|&index| self.all[index].later(step, lookahead).is_some()).then_some(())?;
            self.differing(both, view, step)
        })
    }

    /// A group and a step of it.
    fn group_at(&self, view: View, rng: &mut Rng) -> Option<(&[usize], usize)> {
        let members = self.groups.get(rng.below(self.groups.len().max(1)))?;
        Some((members, view.step(&self.all[members[0]], rng)))
    }

    /// Both, where their states differ: branches of one rollout are alike before they leave it.
    fn differing(&self, both: [usize; 2], view: View, step: usize) -> Option<(&Rollout, &Rollout, usize)> {
        let [one, other] = both.map(|index| &self.all[index]);
        (view.state(one, step) != view.state(other, step)).then_some((one, other, step))
    }
}

/// What of a rollout is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// What is known after a step; the label is what becomes of it.
    Partial,
    /// The whole draw of a step, as its preview shows it; the label is the preview's.
    Preview,
    /// The finished picture.
    Finished,
}

impl View {
    /// What a label is about.
    pub(super) fn of(label: RewardLabel) -> Self {
        match label {
            RewardLabel::Potential => Self::Partial,
            RewardLabel::Preview => Self::Preview,
            RewardLabel::Outcome => Self::Finished,
        }
    }

    /// What an example shows: PARM's are now and then finished pictures, and of the others some are previews.
    pub(super) fn drawn(label: RewardLabel, finished: f32, complete: f32, rng: &mut Rng) -> Self {
        match Self::of(label) {
            // No draw where none can succeed: what an older configuration learns from stays the same.
            Self::Partial if finished > 0.0 && rng.chance(finished) => Self::Finished,
            Self::Partial if rng.chance(complete) => Self::Preview,
            view => view,
        }
    }

    /// A later step has more chance (in proportion to its number): there is more to be seen in it.
    pub(super) fn step(self, rollout: &Rollout, rng: &mut Rng) -> usize {
        let steps = rollout.states.len();
        let late = rng.below(steps).max(rng.below(steps));
        // A rollout made without previews has one picture that was looked at.
        if self == Self::Finished || (self == Self::Preview && rollout.preview_accepted.len() < steps) {
            steps - 1
        } else {
            late
        }
    }

    pub(super) fn state(self, rollout: &Rollout, step: usize) -> &[i32] {
        if self == Self::Preview && step + 1 < rollout.states.len() {
            &rollout.sampled[step]
        } else {
            &rollout.states[step]
        }
    }

    pub(super) fn accepted(self, rollout: &Rollout, step: usize) -> bool {
        let preview = rollout.preview_accepted.get(step).filter(|_| self == Self::Preview);
        preview.copied().unwrap_or(rollout.accepted)
    }

    /// A complete picture that the checker has looked at.
    pub(super) fn picture(self, rollout: &Rollout, step: usize) -> Option<Picture> {
        let step = if self == Self::Finished { rollout.states.len() - 1 } else { step };
        Some(Picture { tokens: self.state(rollout, step).to_vec(), seen: self.seen(rollout, step)?.to_vec() })
    }

    /// What the checker sees in the picture that the label is about.
    pub(super) fn seen(self, rollout: &Rollout, step: usize) -> Option<&[Detection]> {
        let step = rollout.detections.get(step).filter(|_| self == Self::Preview);
        step.or(rollout.detections.last()).map(Vec::as_slice)
    }
}

#[cfg(test)]
pub mod tests {
    use scenes::{Colour, Shape};

    use super::*;
    use crate::shuffle::tests::seen;

    /// Three states that say whether it was accepted.
    pub fn rollout(group: u64, accepted: bool) -> Rollout {
        Rollout {
            prompt: "a circle".into(),
            group,
            states: vec![vec![i32::from(accepted)]; 3],
            sampled: Vec::new(),
            preview_accepted: Vec::new(),
            accepted,
            detections: Vec::new(),
        }
    }

    #[test]
    fn a_pair_is_one_right_and_one_wrong_of_one_group() {
        let rollouts = Rollouts::new(vec![
            rollout(0, true),
            rollout(0, true),
            rollout(1, false),
            rollout(2, false),
            rollout(2, true),
        ]);
        let mut rng = Rng::new(1);
        for _ in 0..20 {
            let (right, wrong, step) = rollouts.pair(View::Partial, &mut rng, 64).unwrap();
            assert!(right.accepted && !wrong.accepted && step < 3);
            assert_eq!((right.group, wrong.group), (2, 2));
        }
        let alone = Rollouts::new(vec![rollout(0, true), rollout(1, false)]);
        assert!(alone.pair(View::Partial, &mut rng, 64).is_none());
    }

    /// Of four steps, alike in the first, with what becomes of them.
    fn branch(last: i32, accepted: bool) -> Rollout {
        Rollout { states: vec![vec![-1], vec![last], vec![last + 10], vec![last + 20]], ..rollout(0, accepted) }
    }

    #[test]
    fn branches_are_compared_where_they_differ_and_something_follows() {
        let mut rng = Rng::new(5);
        let branches = Rollouts::new(vec![branch(1, true), branch(2, false)]);
        let mut steps = std::collections::BTreeSet::new();
        for _ in 0..40 {
            steps.insert(branches.pair(View::Partial, &mut rng, 64).unwrap().2);
            let (one, other, step) = branches.any_two(View::Partial, 1, &mut rng, 640).unwrap();
            assert!(step == 1 && one.states[1] != other.states[1], "step {step}");
            assert_eq!(one.later(step, 1), Some(one.states[2].as_slice()));
        }
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(
            branches.any_two(View::Partial, 2, &mut rng, 64).is_none(),
            "two steps after the first that differs is the end"
        );
        let right = Rollouts::new(vec![branch(1, true), branch(2, true)]);
        assert!(right.pair(View::Partial, &mut rng, 64).is_none());
        assert!(right.any_two(View::Partial, 1, &mut rng, 640).is_some(), "who is right the teacher says");
        assert!(Rollouts::new(Vec::new()).any_two(View::Partial, 1, &mut rng, 64).is_none());
    }

    #[test]
    fn related_pictures_differ_in_where_their_things_are_and_in_their_verdict() {
        let thing = |shape, colour, at_px| Detection {
            shape: Some(shape),
            colour: Some(colour),
            centre_y_px: at_px,
            ..seen(at_px)
        };
        let two = vec![thing(Shape::Circle, Colour::Red, 8.0), thing(Shape::Square, Colour::Blue, 40.0)];
        let alike = vec![thing(Shape::Circle, Colour::Red, 8.0), thing(Shape::Circle, Colour::Blue, 40.0)];
        let of = |detections| {
            Rollouts::new(vec![Rollout {
                states: vec![(0..64).collect()],
                detections: vec![detections],
                ..rollout(0, true)
            }])
        };
        let mut rng = Rng::new(4);
        let no_ground = [-1; 64];
        let mut relations = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let (spec, pictures) = of(two.clone()).related(&no_ground, &mut rng).unwrap();
            let verdicts = pictures.each_ref().map(|picture| scenes::judge(picture.seen.clone(), &spec).accepted);
            assert_eq!(verdicts, [true, false], "{spec:?}");
            for Picture { mut tokens, .. } in pictures {
                tokens.sort_unstable();
                assert_eq!(tokens, (0..64).collect::<Vec<i32>>(), "the same codes in another order");
            }
            relations.insert(spec.relation);
        }
        assert_eq!(relations.len(), 4);
        assert_eq!(
            of(alike).related(&no_ground, &mut rng),
            None,
            "of two circles each is left of one and right of one"
        );
        assert_eq!(Rollouts::new(Vec::new()).related(&no_ground, &mut rng), None);
    }

    #[test]
    fn a_preview_is_labelled_by_its_own_verdict_and_a_state_by_what_becomes_of_it() {
        let looked_at = Rollout {
            sampled: vec![vec![7], vec![8], vec![9]],
            states: vec![vec![-1], vec![8], vec![9]],
            preview_accepted: vec![true, false, true],
            detections: vec![vec![seen(1.0)], vec![seen(2.0)], vec![seen(3.0)]],
            ..rollout(0, true)
        };
        let views = [View::Partial, View::Preview, View::Finished];
        assert_eq!(views.map(|view| view.state(&looked_at, 0)[0]), [-1, 7, -1]);
        assert_eq!(views.map(|view| view.accepted(&looked_at, 1)), [true, false, true]);
        assert_eq!(views.map(|view| view.seen(&looked_at, 1).unwrap()[0].centre_x_px), [3.0, 2.0, 3.0]);
        // Without previews there is one picture that was looked at.
        let brief = Rollout { preview_accepted: Vec::new(), detections: vec![vec![seen(3.0)]], ..looked_at.clone() };
        let mut rng = Rng::new(2);
        for _ in 0..20 {
            assert_eq!(View::Preview.step(&brief, &mut rng), 2);
            assert_eq!(View::Finished.step(&looked_at, &mut rng), 2);
        }
        assert!((0..20).any(|_| View::Preview.step(&looked_at, &mut rng) < 2));
    }

    #[test]
    fn parm_sees_finished_pictures_previews_and_states_in_their_parts() {
        let mut rng = Rng::new(3);
        let mut seen = |label, finished, complete| {
            let views: Vec<View> = (0..4000).map(|_| View::drawn(label, finished, complete, &mut rng)).collect();
            [View::Finished, View::Preview, View::Partial]
                .map(|view| views.iter().filter(|&&drawn| drawn == view).count() as f32 / 4000.0)
        };
        for (found, wanted) in seen(RewardLabel::Potential, 0.5, 0.4).into_iter().zip([0.5, 0.2, 0.3]) {
            assert!((found - wanted).abs() < 0.04, "{found}, {wanted} asked for");
        }
        assert_eq!(seen(RewardLabel::Potential, 0.0, 1.0), [0.0, 1.0, 0.0]);
        assert_eq!(seen(RewardLabel::Outcome, 0.0, 0.0), [1.0, 0.0, 0.0]);
        assert_eq!(seen(RewardLabel::Preview, 0.5, 0.4), [0.0, 1.0, 0.0]);
    }
}
