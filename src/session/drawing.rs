//! Where a drawing stands: plain data on the host, and a fold of its own events.
//!
//! The running session and a recording change it by the same function, so that going on from any recorded event is
//! the same as never having stopped.

use crate::reflect::redraw_steps;
use crate::settings::Settings;
use crate::trace::{Event, MASK, Picture, TRACE_VERSION, Totals};
use crate::verify::best;
use crate::verify::paths::is_promising;

/// A drawing, somewhere between its first event and its last.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Everything that decides the picture.
    pub settings: Settings,
    /// The prompt's token ids.
    pub prompt_ids: Vec<u32>,
    pub(super) shape: Shape,
    pub(super) phase: Phase,
    /// Whole pictures among which one is picked.
    pub(super) paths: Vec<Whole>,
    /// Paths that were given up on their way.
    given_up: Vec<GivenUp>,
    /// Whether every path was given up, and the least bad of them goes on for want of a better one.
    rescued: bool,
    /// The picture so far, once there is one.
    pub(super) whole: Option<Whole>,
    /// What it cost so far.
    pub(super) totals: Totals,
}

/// The numbers of the model that states must agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Side of the token grid.
    pub grid: usize,
    /// Codes of the codebook.
    pub codes: usize,
}

/// A path that was given up, and where it would go on.
#[derive(Debug, Clone, PartialEq)]
struct GivenUp {
    path: u32,
    next_step: u32,
    tokens: Vec<i32>,
    score: f32,
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Whole {
    pub path: u32,
    pub tokens: Vec<i32>,
    pub picture: Picture,
    pub score: Option<f32>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// A decoding step.
    Step { path: u32, step: u32, tokens: Vec<i32> },
    /// Decoding a whole draw to pixels; `score` is what the last step's verifier said.
    Image { path: u32, tokens: Vec<i32>, score: Option<f32> },
    /// Picking one of the paths.
    Choose,
    /// A look at the picture, or a step of redrawing it.
    Reflect { rounds: u32, distance: Option<f32>, score: Option<f32>, redraw: Option<Redraw> },
    /// The last event.
    Finish,
    /// Nothing.
    Done,
}

/// A round of reflection under way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Redraw {
    pub weak: Vec<bool>,
    pub patch_scores: Vec<f32>,
    /// Pixels before, `[3, side, side]`.
    pub before: Vec<f32>,
    pub score_before: Option<f32>,
    /// The tokens, those under Ω masked until they are drawn again.
    pub tokens: Vec<i32>,
    /// How many were masked at first.
    pub masked: usize,
    pub step: u32,
    pub steps: u32,
}

impl Drawing {
    /// Before the first step.
    pub(super) fn new(settings: Settings, prompt_ids: Vec<u32>, shape: Shape) -> Self {
        let tokens = vec![MASK; shape.grid * shape.grid];
        let phase = Phase::Step { path: 0, step: 0, tokens };
        Self {
            settings,
            prompt_ids,
            shape,
            phase,
            paths: Vec::new(),
            given_up: Vec::new(),
            rescued: false,
            whole: None,
            totals: Totals::default(),
        }
    }

    /// From a recording that begins with `started`; it may end anywhere, also with `cancelled`.
    ///
    /// # Errors
    /// The index of the first event that cannot have come there, and why.
    pub(super) fn from_events(events: &[Event], shape: Shape) -> Result<Self, (usize, String)> {
        let Some(Event::Started { version, settings, prompt_ids, grid, .. }) = events.first() else {
            return Err((0, "a recording begins with `started`".into()));
        };
        if *version != TRACE_VERSION {
            return Err((0, format!("its form has version {version}, this program reads version {TRACE_VERSION}")));
        }
        if *grid as usize != shape.grid {
            let why = format!("it was drawn on {grid} × {grid} tokens, this model draws on {0} × {0}", shape.grid);
            return Err((0, why));
        }
        settings.validate(shape.grid as u32).map_err(|error| (0, error.to_string()))?;
        let mut drawing = Self::new(settings.clone(), prompt_ids.clone(), shape);
        for (index, event) in events.iter().enumerate().skip(1) {
            drawing.apply(event).map_err(|why| (index, why))?;
            if let Event::Step { milliseconds, .. } = event {
                drawing.totals.seconds += milliseconds / 1000.0;
            }
        }
        Ok(drawing)
    }

    /// Whole pictures that are drawn.
    pub(super) fn path_count(&self) -> u32 {
        if self.settings.verifier.draws_paths() { self.settings.candidates } else { 1 }
    }

    /// Candidates of a step.
    pub(super) fn candidate_count(&self) -> u32 {
        if self.settings.verifier.is_stepwise() { self.settings.candidates } else { 1 }
    }

    /// The step that comes next, counted in its path; T once the drawing is complete.
    #[must_use]
    pub fn next_step(&self) -> u32 {
        match &self.phase {
            Phase::Step { step, .. } => *step,
            _ => self.settings.steps,
        }
    }

    /// Whether the last event has been.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Changes the state by an event.
    ///
    /// # Errors
    /// Why the event cannot come here; the state is then as it was.
    pub(super) fn apply(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Started { .. } => Err("a drawing starts once".into()),
            Event::Step { path, step, candidates, chosen, clarity, .. } => {
                match &self.phase {
                    Phase::Step { path: p, step: s, .. } if (p, s) == (path, step) => {}
                    _ => return Err(format!("step {step} of path {path} is not what comes here")),
                }
                let kept = candidates.get(*chosen as usize).ok_or("it chose a draw that is not there")?;
                let last = step + 1 >= self.settings.steps;
                self.check_tokens(&kept.tokens, !last)?;
                let scored = candidates.iter().filter(|candidate| candidate.score.is_some()).count();
                let shown = candidates.iter().filter(|candidate| candidate.preview.is_some()).count();
                self.totals.generator_forwards += 1;
                self.totals.reward_forwards += scored as u32 + u32::from(clarity.is_some());
                self.totals.decoded_pictures += shown as u32;
                let (path, tokens, next_step) = (*path, kept.tokens.clone(), step + 1);
                self.phase = match kept.score {
                    score if last => Phase::Image { path, tokens, score },
                    Some(score) if self.gives_up(score) => {
                        self.given_up.push(GivenUp { path, next_step, tokens, score });
                        self.after_path(path)
                    }
                    _ => Phase::Step { path, step: next_step, tokens },
                };
                Ok(())
            }
            Event::Image { path, tokens, picture, score } => {
                match &self.phase {
                    Phase::Image { path: p, .. } if p == path => {}
                    _ => return Err(format!("the picture of path {path} is not what comes here")),
                }
                self.check_tokens(tokens, false)?;
                self.totals.decoded_pictures += 1;
                let whole = Whole { path: *path, tokens: tokens.clone(), picture: picture.clone(), score: *score };
                if !self.settings.verifier.draws_paths() {
                    self.whole = Some(whole);
                    self.phase = self.after_choice();
                    return Ok(());
                }
                let at_the_end = self.settings.verifier.judges_at_the_end();
                self.totals.reward_forwards += u32::from(at_the_end && score.is_some());
                self.paths.push(whole);
                self.phase = self.after_path(*path);
                Ok(())
            }
            Event::PathChosen { path } => {
                if !matches!(self.phase, Phase::Choose) {
                    return Err("there is no path to choose yet".into());
                }
                let whole = self.paths.iter().find(|whole| whole.path == *path);
                let whole = whole.ok_or("it chose a path that is not there")?;
                self.whole = Some(whole.clone());
                self.phase = self.after_choice();
                Ok(())
            }
            Event::Reflection {
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
            } => {
                let (rounds, judged) = match &self.phase {
                    Phase::Reflect { rounds, score, .. } if rounds + 1 == *round => (*rounds, *score),
                    _ => return Err(format!("round {round} is not what comes here")),
                };
                self.check_tokens(tokens_after, false)?;
                let asked = self.settings.reflection.map(|reflection| reflection.patch_grid);
                if asked != Some(*patch_grid) || weak.len() != (*patch_grid as usize).pow(2) {
                    return Err(format!("it has another patch grid than the settings ask for: {patch_grid}"));
                }
                let (_, masked) = crate::reflect::mask_weak(tokens_after, self.shape.grid, weak, *patch_grid as usize);
                let steps = redraw_steps(self.settings.steps, masked, tokens_after.len());
                let first_look = judged.is_none() && score_before.is_some();
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
                self.phase = Phase::Reflect { rounds: rounds + 1, distance: Some(*distance), score, redraw: None };
                Ok(())
            }
            Event::ReflectionEnded { patch_scores, .. } => {
                if !matches!(self.phase, Phase::Reflect { .. }) {
                    return Err("reflection has not begun".into());
                }
                self.totals.decoded_pictures += u32::from(!patch_scores.is_empty());
                self.totals.reward_forwards += patch_scores.len() as u32;
                self.phase = Phase::Finish;
                Ok(())
            }
            Event::Finished { .. } => {
                if self.phase != Phase::Finish {
                    return Err("the picture is not finished here".into());
                }
                self.phase = Phase::Done;
                Ok(())
            }
            Event::Cancelled { .. } => Ok(()),
        }
    }

    /// Whether a path with this score ends here.
    fn gives_up(&self, score: f32) -> bool {
        self.settings.verifier.gives_paths_up() && !self.rescued && !is_promising(score)
    }

    /// What comes after the end of a path: the next one, the choice, or, where none was finished, the least bad again.
    fn after_path(&mut self, path: u32) -> Phase {
        if !self.rescued && path + 1 < self.path_count() {
            return Phase::Step { path: path + 1, step: 0, tokens: vec![MASK; self.shape.grid * self.shape.grid] };
        }
        let scores: Vec<f32> = self.given_up.iter().map(|path| path.score).collect();
        match self.given_up.get(best(&scores)) {
            Some(least_bad) if self.paths.is_empty() => {
                self.rescued = true;
                let GivenUp { path, next_step, tokens, .. } = least_bad.clone();
                Phase::Step { path, step: next_step, tokens }
            }
            _ => Phase::Choose,
        }
    }

    fn after_choice(&self) -> Phase {
        match self.settings.reflection {
            Some(_) => Phase::Reflect { rounds: 0, distance: None, score: None, redraw: None },
            None => Phase::Finish,
        }
    }

    fn check_tokens(&self, tokens: &[i32], may_be_masked: bool) -> Result<(), String> {
        let positions = self.shape.grid * self.shape.grid;
        if tokens.len() != positions {
            return Err(format!("it has {} tokens, this model draws {positions}", tokens.len()));
        }
        let lowest = if may_be_masked { MASK } else { 0 };
        match tokens.iter().find(|&&token| token < lowest || token >= self.shape.codes as i32) {
            Some(token) => {
                Err(format!("it holds the token {token}; codes are from {lowest} to {}", self.shape.codes - 1))
            }
            None => Ok(()),
        }
    }
}
