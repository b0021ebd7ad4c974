//! One picture of a row: drawn by the engine's own session, and what is kept of it.

use anyhow::{Context, Result};
use scenes::Spec;
use serde::{Deserialize, Serialize};
use showo::bundle::block_on;
use showo::picture::Rgb;
use showo::session::{NativeHost, Session};
use showo::settings::Settings;
use showo::trace::{Event, Picture, Totals};

/// A picture in a row's file, a line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// Its place among the row's prompts.
    pub number: usize,
    /// GenEval's category.
    pub category: String,
    /// What was asked for.
    pub prompt: String,
    /// Seed of the picture.
    pub seed: u64,
    /// Whether the checker accepts the finished picture.
    pub accepted: bool,
    /// Whole pictures before a choice among them or a reflection, in order of their paths.
    pub paths: Vec<PathDrawn>,
    /// Which of them went on, where one was picked.
    #[serde(default)]
    pub chosen: Option<u32>,
    /// The chosen candidate's score after every step, in stepwise modes.
    pub step_scores: Vec<f32>,
    /// Rounds of reflection.
    pub rounds: Vec<RoundDrawn>,
    /// What it cost.
    pub totals: Totals,
}

impl Drawn {
    /// Whether the checker accepts the picture that reflection begins with.
    #[must_use]
    pub fn accepted_before_reflection(&self) -> bool {
        let picked = self.chosen.and_then(|chosen| self.paths.iter().find(|path| path.path == chosen));
        picked.or(self.paths.last()).is_some_and(|path| path.accepted)
    }

    /// The same after so many rounds at most.
    #[must_use]
    pub fn accepted_after(&self, rounds: usize) -> bool {
        let kept = self.rounds.iter().take(rounds).rfind(|round| round.kept);
        kept.map_or_else(|| self.accepted_before_reflection(), |round| round.accepted)
    }
}

/// A whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathDrawn {
    /// Its number; a path that was given up has no picture.
    #[serde(default)]
    pub path: u32,
    /// The verifier's word.
    pub score: Option<f32>,
    /// The checker's.
    pub accepted: bool,
}

/// A round of reflection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundDrawn {
    /// Whether its picture went on.
    pub kept: bool,
    /// Whether the checker accepts the picture after it.
    pub accepted: bool,
}

/// Draws.
///
/// # Errors
/// Settings out of range, a verifier that the bundle lacks, a device that fails.
pub fn draw(session: &mut Session, settings: Settings, spec: &Spec) -> Result<Drawn> {
    let mut drawn = Drawn {
        number: 0,
        category: String::new(),
        prompt: settings.prompt.clone(),
        seed: settings.seed,
        accepted: false,
        paths: Vec::new(),
        chosen: None,
        step_scores: Vec::new(),
        rounds: Vec::new(),
        totals: Totals::default(),
    };
    let mut failed = None;
    let mut host = NativeHost::new(|event: &Event| {
        if let Err(error) = note(&mut drawn, event, spec) {
            failed.get_or_insert(error);
        }
    });
    block_on(session.draw(settings, &mut host))?;
    match failed {
        Some(error) => Err(error),
        None => Ok(drawn),
    }
}

fn note(drawn: &mut Drawn, event: &Event, spec: &Spec) -> Result<()> {
    match event {
        Event::Step { candidates, chosen, .. } => {
            drawn.step_scores.extend(candidates.get(*chosen as usize).and_then(|candidate| candidate.score));
        }
        Event::Image { path, picture, score, .. } => {
            drawn.paths.push(PathDrawn { path: *path, score: *score, accepted: accepted(picture, spec)? });
        }
        Event::PathChosen { path } => drawn.chosen = Some(*path),
        Event::Reflection { after, kept, .. } => {
            drawn.rounds.push(RoundDrawn { kept: *kept, accepted: accepted(after, spec)? });
        }
        Event::Finished { picture, totals, .. } => {
            drawn.accepted = accepted(picture, spec)?;
            drawn.totals = *totals;
        }
        _ => {}
    }
    Ok(())
}

/// The checker's word on the pixels that the page shows.
fn accepted(picture: &Picture, spec: &Spec) -> Result<bool> {
    let Rgb { bytes, .. } = picture.rgb().context("the engine's own picture cannot be read")?;
    Ok(scenes::check(&scenes::Picture { rgb: bytes }, spec).accepted)
}
