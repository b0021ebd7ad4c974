//! Where a drawing stands: plain data on the host. Its own events change it (`apply`).

use crate::decode::step::StepPlan;
use crate::settings::Settings;
use crate::trace::{MASK, Picture, Totals};

/// A drawing, somewhere between its first event and its last.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Everything that decides the picture.
    pub settings: Settings,
    /// The prompt's token ids.
    pub prompt_ids: Vec<u32>,
    /// The N tokens that every path begins from, masked where it draws.
    pub(super) begin: Vec<i32>,
    pub(super) shape: Shape,
    pub(super) phase: Phase,
    /// Whole pictures among which one is picked.
    pub(super) paths: Vec<Whole>,
    /// Paths that were given up on their way.
    pub(super) given_up: Vec<GivenUp>,
    /// Whether every path was given up, and the least bad of them goes on for want of a better one.
    pub(super) rescued: bool,
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
pub(super) struct GivenUp {
    pub path: u32,
    pub next_step: u32,
    pub tokens: Vec<i32>,
    pub score: f32,
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
    Reflect(Reflection),
    /// The last event.
    Finish,
    /// Nothing.
    Done,
}

/// Reflection between its rounds, or within one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reflection {
    /// Rounds that have ended.
    pub rounds: u32,
    /// How much the last of them changed the picture.
    pub distance: Option<f32>,
    /// What the verifier says of the picture as it is, once it was asked.
    pub score: Option<f32>,
    /// The round under way.
    pub redraw: Option<Redraw>,
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
    /// Before the first step; `begin` holds what is there already, and nothing where all is drawn.
    ///
    /// # Errors
    /// Why nothing can be drawn from there.
    pub(super) fn new(settings: Settings, prompt_ids: Vec<u32>, begin: Vec<i32>, shape: Shape) -> Result<Self, String> {
        let begin = if begin.is_empty() { vec![MASK; shape.grid * shape.grid] } else { begin };
        shape.check(&begin, true)?;
        if !begin.contains(&MASK) {
            return Err("none of them is to be drawn".into());
        }
        let phase = Phase::Step { path: 0, step: 0, tokens: begin.clone() };
        Ok(Self {
            settings,
            prompt_ids,
            begin,
            shape,
            phase,
            paths: Vec::new(),
            given_up: Vec::new(),
            rescued: false,
            whole: None,
            totals: Totals::default(),
        })
    }

    /// A step of the drawing or of a round of reflection: `total` positions were masked before step 0, as the schedule
    /// counts them. That is all of the picture in a drawing, wherever it begins, as the reference has it; a round counts what
    /// it draws again.
    pub(super) fn plan(&self, path: u32, step: u32, steps: u32, total: usize) -> StepPlan {
        let Settings { seed, temperature, .. } = self.settings;
        let (pass, candidates) = (self.round(), self.candidate_count());
        StepPlan { seed, pass, step, steps, total, temperature, first: path, candidates }
    }

    /// The round of reflection under way, from 1; 0 outside of reflection.
    pub(super) fn round(&self) -> u32 {
        match &self.phase {
            Phase::Reflect(reflection) => reflection.rounds + 1,
            _ => 0,
        }
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

    /// Whether a state or a picture can be one of this model's.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check_tokens(&self, tokens: &[i32], may_be_masked: bool) -> Result<(), String> {
        self.shape.check(tokens, may_be_masked)
    }
}

impl Shape {
    fn check(self, tokens: &[i32], may_be_masked: bool) -> Result<(), String> {
        let positions = self.grid * self.grid;
        if tokens.len() != positions {
            return Err(format!("it has {} tokens, this model draws {positions}", tokens.len()));
        }
        let lowest = if may_be_masked { MASK } else { 0 };
        match tokens.iter().find(|&&token| token < lowest || token >= self.codes as i32) {
            Some(token) => Err(format!("it holds the token {token}; codes are from {lowest} to {}", self.codes - 1)),
            None => Ok(()),
        }
    }
}
