//! Reflection (PARM++; docs/method.md, "Reflection"): which patches are weak, which tokens lie under them, when to stop.
//!
//! `S_ij = CLIPScore(p, I_ij)` on an M×M grid; `Ω = {(i,j) : S_ij < τ}`; the tokens under Ω are masked and decoded again
//! in `⌈T·|Ω|/N⌉` steps, everything else fixed. First the rounds as the session runs them, then what they do to the drawing, then
//! the decisions.

use super::drawing::{Drawing, Phase, Redraw, Reflection, Whole};
use super::error::StepError;
use super::run::{Run, read_scores};
use crate::decode::sampling::read_floats;
use crate::settings::{AcceptRule, ReflectionSettings};
use crate::trace::{Event, ReflectionStop};
use crate::verify::{Candidates, best};

enum Looked {
    Weak(Redraw),
    Ended(Event),
}

impl Run {
    /// What comes next in reflection: a look at the picture, a step of redrawing what is weak in it, or the end of a round. Gives
    /// the event of it, or nothing where a part of a round was done.
    pub(super) async fn reflect(&self, drawing: &mut Drawing) -> Result<Option<Event>, StepError> {
        let Phase::Reflect(reflection) = &drawing.phase else { return Ok(None) };
        let after = match &reflection.redraw {
            Some(redraw) if redraw.step >= redraw.steps => return self.end_round(drawing, redraw).await.map(Some),
            Some(redraw) => {
                let tokens = self.redraw_step(drawing, redraw).await?;
                Redraw { tokens, step: redraw.step + 1, ..redraw.clone() }
            }
            None => match self.find_weak(drawing, reflection).await? {
                Looked::Ended(event) => return Ok(Some(event)),
                Looked::Weak(redraw) => redraw,
            },
        };
        if let Phase::Reflect(reflection) = &mut drawing.phase {
            reflection.redraw = Some(after);
        }
        Ok(None)
    }

    /// Looks for weak patches, unless it is over.
    async fn find_weak(&self, drawing: &Drawing, reflection: &Reflection) -> Result<Looked, StepError> {
        let Reflection { rounds, distance, score, .. } = *reflection;
        let ended = |reason, patch_scores| Looked::Ended(Event::ReflectionEnded { reason, patch_scores, rounds });
        let (Some(settings), Some(clip), Some(whole)) =
            (&drawing.settings.reflection, &self.patch_scorer, &drawing.whole)
        else {
            return Ok(ended(ReflectionStop::RoundsSpent, Vec::new()));
        };
        // A reward network said already what it thinks of a picture that no round has changed.
        let odds = score.or(whole.score).filter(|_| drawing.settings.verifier.gives_odds());
        if let Some(reason) = stops(settings, rounds, distance, odds) {
            return Ok(ended(reason, Vec::new()));
        }
        let grid = settings.patch_grid as usize;
        let picture = Candidates::whole(&self.models.image_tokenizer, &whole.tokens);
        let patch_scores = read_floats(clip.score_patches(picture.pixels(), grid)).await?;
        let weak = weak_patches(&patch_scores, settings.threshold);
        let (tokens, masked) = mask_weak(&whole.tokens, drawing.shape.grid, &weak, grid);
        if masked == 0 {
            return Ok(ended(ReflectionStop::NothingWeak, patch_scores));
        }
        let score_before = match score {
            Some(score) => Some(score),
            None => self.score_whole(&picture).await?,
        };
        Ok(Looked::Weak(Redraw {
            weak,
            patch_scores,
            before: read_floats(picture.pixels()).await?,
            score_before,
            steps: redraw_steps(drawing.settings.steps, masked, tokens.len()),
            tokens,
            masked,
            step: 0,
        }))
    }

    /// One step of a round: the same candidates and verifier as in the drawing.
    async fn redraw_step(&self, drawing: &Drawing, redraw: &Redraw) -> Result<Vec<i32>, StepError> {
        let plan = drawing.plan(0, redraw.step, redraw.steps, redraw.masked);
        let mut drawn = self.draw(&redraw.tokens, &plan).await?;
        // All but the weak patches is there: clear enough.
        let picks = drawing.settings.verifier.is_stepwise();
        let scores = self.stepwise().filter(|_| picks).map(|verifier| verifier.score(&self.candidates(&drawn)));
        let chosen = best(&read_scores(scores).await?);
        Ok(drawn.swap_remove(chosen).tokens)
    }

    /// Compares the picture before and after a round.
    async fn end_round(&self, drawing: &Drawing, redraw: &Redraw) -> Result<Event, StepError> {
        let ReflectionSettings { accept, patch_grid, .. } = drawing.settings.reflection.unwrap_or_default();
        let picture = Candidates::whole(&self.models.image_tokenizer, &redraw.tokens);
        let score_after = self.score_whole(&picture).await?;
        let after = read_floats(picture.pixels()).await?;
        Ok(Event::Reflection {
            round: drawing.round(),
            patch_grid,
            patch_scores: redraw.patch_scores.clone(),
            weak: redraw.weak.clone(),
            before: self.picture(&redraw.before)?,
            after: self.picture(&after)?,
            tokens_after: redraw.tokens.clone(),
            score_before: redraw.score_before,
            score_after,
            kept: keeps(accept, redraw.score_before, score_after),
            distance: distance(&redraw.before, &after),
        })
    }

    async fn score_whole(&self, picture: &Candidates<'_>) -> Result<Option<f32>, StepError> {
        let score = self.round_verifier.as_deref().map(|verifier| verifier.score(picture));
        Ok(read_scores(score).await?.first().copied())
    }
}

impl Drawing {
    /// The end of a round, [`Event::Reflection`].
    ///
    /// # Errors
    /// Why it cannot come here.
    pub(super) fn apply_round(&mut self, event: &Event) -> Result<(), String> {
        let Event::Reflection {
            round,
            weak,
            patch_grid,
            after,
            tokens_after,
            score_before,
            score_after,
            kept,
            distance,
            ..
        } = event
        else {
            return Err("it is no round of reflection".into());
        };
        let (rounds, known_score) = match &self.phase {
            Phase::Reflect(reflection) if reflection.rounds + 1 == *round => (reflection.rounds, reflection.score),
            _ => return Err(format!("round {round} is not what comes here")),
        };
        self.check_tokens(tokens_after, false)?;
        let asked = self.settings.reflection.map(|reflection| reflection.patch_grid);
        if asked != Some(*patch_grid) || weak.len() != (*patch_grid as usize).pow(2) {
            return Err(format!("it has another patch grid than the settings ask for: {patch_grid}"));
        }
        let (_, masked) = mask_weak(tokens_after, self.shape.grid, weak, *patch_grid as usize);
        let steps = redraw_steps(self.settings.steps, masked, tokens_after.len());
        let first_look = known_score.is_none() && score_before.is_some();
        self.totals.generator_forwards += steps;
        self.totals.decoded_pictures += 2;
        self.totals.reward_forwards += patch_grid * patch_grid
            + u32::from(first_look)
            + u32::from(score_after.is_some())
            + if self.settings.verifier.is_stepwise() { steps * self.settings.candidates } else { 0 };
        if *kept {
            let path = self.whole.as_ref().map_or(0, |whole| whole.path);
            let (tokens, picture) = (tokens_after.clone(), after.clone());
            self.whole = Some(Whole { path, tokens, picture, score: *score_after });
        }
        let score = if *kept { *score_after } else { *score_before };
        self.phase = Phase::Reflect(Reflection { rounds: rounds + 1, distance: Some(*distance), score, redraw: None });
        Ok(())
    }

    /// [`Event::ReflectionEnded`] after a last look at so many patches.
    ///
    /// # Errors
    /// Reflection has not begun.
    pub(super) fn apply_end_of_reflection(&mut self, patches: u32) -> Result<(), String> {
        if !matches!(self.phase, Phase::Reflect(_)) {
            return Err("reflection has not begun".into());
        }
        self.totals.decoded_pictures += u32::from(patches > 0);
        self.totals.reward_forwards += patches;
        self.phase = Phase::Finish;
        Ok(())
    }
}

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
