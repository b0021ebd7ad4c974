//! A drawing as a fold of its own events, a function an event.
//!
//! The running session and a recording change it by the same functions, so that going on from any recorded event is
//! the same as never having stopped.

use super::drawing::{Drawing, GivenUp, Phase, Reflection, Shape, Whole};
use crate::trace::{Candidate, Event, Picture, TRACE_VERSION, is_readable};
use crate::verify::best;
use crate::verify::paths::is_promising;

impl Drawing {
    /// From a recording that begins with `started`; it may end anywhere, also with `cancelled`.
    ///
    /// # Errors
    /// The index of the first event that cannot have come there, and why.
    pub(super) fn from_events(events: &[Event], shape: Shape) -> Result<Self, (usize, String)> {
        let Some(Event::Started { version, settings, prompt_ids, begin, grid, .. }) = events.first() else {
            return Err((0, "a recording begins with `started`".into()));
        };
        if !is_readable(*version) {
            return Err((
                0,
                format!("its form has version {version}, this program reads versions up to {TRACE_VERSION}"),
            ));
        }
        if *grid as usize != shape.grid {
            let why = format!("it was drawn on {grid} × {grid} tokens, this model draws on {0} × {0}", shape.grid);
            return Err((0, why));
        }
        settings.validate(shape.grid as u32).map_err(|error| (0, error.to_string()))?;
        let mut drawing = Self::new(settings.clone(), prompt_ids.clone(), begin.clone(), shape)
            .map_err(|why| (0, format!("it cannot begin from its tokens: {why}")))?;
        for (index, event) in events.iter().enumerate().skip(1) {
            drawing.apply(event).map_err(|why| (index, why))?;
            if let Event::Step { milliseconds, .. } = event {
                drawing.totals.seconds += milliseconds / 1000.0;
            }
        }
        Ok(drawing)
    }

    /// Changes the state by an event.
    ///
    /// # Errors
    /// Why the event cannot come here; the state is then as it was.
    pub(super) fn apply(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Started { .. } => Err("a drawing starts once".into()),
            Event::Step { path, step, candidates, chosen, clarity, .. } => {
                self.apply_step((*path, *step), candidates, *chosen, clarity.is_some())
            }
            Event::Image { path, tokens, picture, score } => self.apply_image(*path, tokens, picture, *score),
            Event::PathChosen { path } => self.apply_choice(*path),
            Event::Reflection { .. } => self.apply_round(event),
            Event::ReflectionEnded { patch_scores, .. } => self.apply_end_of_reflection(patch_scores.len() as u32),
            Event::Finished { .. } if self.phase == Phase::Finish => {
                self.phase = Phase::Done;
                Ok(())
            }
            Event::Finished { .. } => Err("the picture is not finished here".into()),
            Event::Cancelled { .. } => Ok(()),
        }
    }

    fn apply_step(
        &mut self,
        (path, step): (u32, u32),
        candidates: &[Candidate],
        chosen: u32,
        asked_for_clarity: bool,
    ) -> Result<(), String> {
        match &self.phase {
            Phase::Step { path: p, step: s, .. } if (*p, *s) == (path, step) => {}
            _ => return Err(format!("step {step} of path {path} is not what comes here")),
        }
        let kept = candidates.get(chosen as usize).ok_or("it chose a draw that is not there")?;
        let last = step + 1 >= self.settings.steps;
        self.check_tokens(&kept.tokens, !last)?;
        let scored = candidates.iter().filter(|candidate| candidate.score.is_some()).count();
        let shown = candidates.iter().filter(|candidate| candidate.preview.is_some()).count();
        self.totals.generator_forwards += 1;
        self.totals.reward_forwards += scored as u32 + u32::from(asked_for_clarity);
        self.totals.decoded_pictures += shown as u32;
        let (tokens, next_step) = (kept.tokens.clone(), step + 1);
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

    fn apply_image(&mut self, path: u32, tokens: &[i32], picture: &Picture, score: Option<f32>) -> Result<(), String> {
        match &self.phase {
            Phase::Image { path: p, .. } if *p == path => {}
            _ => return Err(format!("the picture of path {path} is not what comes here")),
        }
        self.check_tokens(tokens, false)?;
        self.totals.decoded_pictures += 1;
        let whole = Whole { path, tokens: tokens.to_vec(), picture: picture.clone(), score };
        if !self.settings.verifier.draws_paths() {
            self.whole = Some(whole);
            self.phase = self.after_choice();
            return Ok(());
        }
        let at_the_end = self.settings.verifier.judges_at_the_end();
        self.totals.reward_forwards += u32::from(at_the_end && score.is_some());
        self.paths.push(whole);
        self.phase = self.after_path(path);
        Ok(())
    }

    fn apply_choice(&mut self, path: u32) -> Result<(), String> {
        if !matches!(self.phase, Phase::Choose) {
            return Err("there is no path to choose yet".into());
        }
        let whole = self.paths.iter().find(|whole| whole.path == path);
        let whole = whole.ok_or("it chose a path that is not there")?;
        self.whole = Some(whole.clone());
        self.phase = self.after_choice();
        Ok(())
    }

    /// Whether a path with this score ends here.
    fn gives_up(&self, score: f32) -> bool {
        self.settings.verifier.gives_paths_up() && !self.rescued && !is_promising(score)
    }

    /// What comes after the end of a path: the next one, the choice, or, where none was finished, the least bad again.
    fn after_path(&mut self, path: u32) -> Phase {
        if !self.rescued && path + 1 < self.path_count() {
            return Phase::Step { path: path + 1, step: 0, tokens: self.begin.clone() };
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
            Some(_) => Phase::Reflect(Reflection::default()),
            None => Phase::Finish,
        }
    }
}
