//! One advance of a drawing at a time: each is a unit of work between two chances to stop.

use std::rc::Rc;

use burn::tensor::Tensor;
use scenes::{CheckError, Judgement, World};

use super::drawing::{Drawing, Phase, Redraw};
use super::error::{SessionError, StepError};
use super::host::Host;
use crate::decode::DeviceError;
use crate::decode::generator::Prompted;
use crate::decode::sampling::read_floats;
use crate::decode::step::{Drawn, StepPlan, draw_candidates};
use crate::models::{Generator, Models};
use crate::picture::Rgb;
use crate::reflect::{distance, keeps, mask_weak, redraw_steps, stops, weak_patches};
use crate::settings::{AcceptRule, ReflectionSettings, Settings, VerifierMode};
use crate::trace::{Candidate, CheckerVerdict, Event, MASK, Picture, ReflectionStop, Totals};
use crate::verify::paths::{is_clear, says_clear};
use crate::verify::{ClipVerifier, Look, Verifier, When, best, clip, judge, verifier};

/// The models bound to one prompt: what is on the device for the length of a run.
pub(super) struct Bound {
    models: Models,
    generator: Rc<Generator>,
    prompted: Prompted,
    verifier: Option<Box<dyn Verifier>>,
    /// Who compares a picture before and after a round of reflection.
    judge: Option<Box<dyn Verifier>>,
    clip: Option<ClipVerifier>,
}

/// Whose weights these settings draw with.
pub(super) fn generator(models: &Models, settings: &Settings) -> Result<Rc<Generator>, SessionError> {
    let missing = || SessionError::GeneratorMissing { asked: settings.generator, available: models.tunings() };
    models.tuned(settings.generator).cloned().ok_or_else(missing)
}

impl Bound {
    /// Computes the prompt's keys, values and embeddings.
    pub fn new(models: &Models, drawing: &Drawing) -> Result<Self, SessionError> {
        let Drawing { settings, prompt_ids, .. } = drawing;
        let generator = generator(models, settings)?;
        let verifier = verifier(models, settings.verifier, prompt_ids)?;
        let (mut patches, mut whole) = (None, None);
        if let Some(reflection) = &settings.reflection {
            patches = Some(clip(models, prompt_ids).ok_or(SessionError::ReflectionNeedsClip)?);
            // Nobody asks: no round is refused, and nothing is verified.
            let nobody = reflection.accept == AcceptRule::Every && settings.verifier == VerifierMode::None;
            whole = if nobody { None } else { judge(models, settings.verifier, prompt_ids) };
        }
        Ok(Self {
            prompted: Prompted::new(
                &generator.showo,
                &generator.config,
                prompt_ids,
                settings.guidance_scale,
                &models.device,
            ),
            verifier,
            judge: whole,
            clip: patches,
            generator,
            models: models.clone(),
        })
    }

    /// Does what comes next. Gives the event of it, or nothing where a part of a round was redrawn. `begin` is the
    /// moment at which the drawing would have begun, had it never paused.
    pub async fn advance<H: Host>(
        &self,
        drawing: &mut Drawing,
        host: &H,
        begin: f64,
    ) -> Result<Option<Event>, StepError> {
        match &drawing.phase {
            Phase::Step { path, step, tokens } => self.step(drawing, *path, *step, tokens, host).await.map(Some),
            Phase::Image { path, tokens, score } => self.image(*path, tokens, *score).await.map(Some),
            Phase::Choose => Ok(Some(choose(drawing))),
            Phase::Reflect { redraw: Some(redraw), .. } if redraw.step < redraw.steps => {
                let tokens = self.redraw_step(drawing, redraw).await?;
                if let Phase::Reflect { redraw: Some(redraw), .. } = &mut drawing.phase {
                    redraw.tokens = tokens;
                    redraw.step += 1;
                }
                Ok(None)
            }
            Phase::Reflect { redraw: Some(redraw), .. } => self.round(drawing, redraw).await.map(Some),
            Phase::Reflect { rounds, distance, score, redraw: None } => {
                let (rounds, distance, score) = (*rounds, *distance, *score);
                match self.look(drawing, rounds, distance, score).await? {
                    Looked::Ended(event) => Ok(Some(event)),
                    Looked::Weak(found) => {
                        if let Phase::Reflect { redraw, .. } = &mut drawing.phase {
                            *redraw = Some(found);
                        }
                        Ok(None)
                    }
                }
            }
            Phase::Finish | Phase::Done => Ok(Some(self.finish(drawing, host, begin).await?)),
        }
    }

    async fn step<H: Host>(
        &self,
        drawing: &Drawing,
        path: u32,
        step: u32,
        tokens: &[i32],
        host: &H,
    ) -> Result<Event, StepError> {
        let begin = host.seconds();
        let settings = &drawing.settings;
        let plan = StepPlan {
            seed: settings.seed,
            pass: 0,
            step,
            steps: settings.steps,
            total: tokens.len(),
            temperature: settings.temperature,
            first: path,
            candidates: drawing.candidate_count(),
        };
        let drawn = self.draw(tokens, &plan).await?;
        let look = self.look_at(&drawn);
        let clarity = self.clarity(&look).await?;
        let judged = match clarity {
            Some(chance) => says_clear(chance),
            None => !settings.verifier.gives_paths_up() || drawn.iter().all(|drawn| is_clear(&drawn.tokens)),
        };
        // Both are under way before either is waited for.
        let scores = self.stepwise().filter(|_| judged).map(|verifier| verifier.score(&look));
        let previews = settings.previews.then(|| match &self.models.preview {
            Some(preview) => preview.decode(&look.draws),
            None => look.pixels(),
        });
        let scores = read_scores(scores).await?;
        let previews = match previews {
            Some(pixels) => Self::pictures(pixels).await?,
            None => Vec::new(),
        };
        drop(look);

        let chosen = best(&scores);
        let masked_after = drawn.get(chosen).map_or(0, |kept| kept.tokens.iter().filter(|&&token| token < 0).count());
        let mut previews = previews.into_iter();
        let mut scores = scores.into_iter();
        let candidates = drawn.into_iter().map(|drawn| Candidate {
            tokens: drawn.tokens,
            sampled: drawn.sampled,
            score: scores.next(),
            preview: previews.next(),
        });
        Ok(Event::Step {
            path,
            step,
            steps: settings.steps,
            known_before: tokens.iter().map(|&token| token >= 0).collect(),
            candidates: candidates.collect(),
            chosen: chosen as u32,
            clarity,
            masked_after: masked_after as u32,
            milliseconds: (host.seconds() - begin) * 1000.0,
        })
    }

    async fn draw(&self, tokens: &[i32], plan: &StepPlan) -> Result<Vec<Drawn>, DeviceError> {
        draw_candidates(self.prompted.logits(&self.generator.showo, tokens), tokens, plan).await
    }

    fn look_at<'a>(&'a self, drawn: &'a [Drawn]) -> Look<'a> {
        let states = drawn.iter().map(|drawn| drawn.tokens.as_slice()).collect();
        let draws = drawn.iter().map(|drawn| drawn.sampled.as_slice()).collect();
        Look::new(&self.models.tokenizer, states, draws)
    }

    /// How clear the states of this step are, where the verifier has learnt to say. A complete state needs no asking.
    async fn clarity(&self, look: &Look<'_>) -> Result<Option<f32>, DeviceError> {
        if look.states.iter().all(|state| !state.contains(&MASK)) {
            return Ok(None);
        }
        let asked = self.stepwise().and_then(|verifier| verifier.clarity(look));
        Ok(read_scores(asked).await?.first().copied())
    }

    /// The verifier, where it looks at every step.
    fn stepwise(&self) -> Option<&dyn Verifier> {
        self.verifier.as_deref().filter(|verifier| verifier.when() == When::EveryStep)
    }

    async fn image(&self, path: u32, tokens: &[i32], step_score: Option<f32>) -> Result<Event, StepError> {
        let look = Look::whole(&self.models.tokenizer, tokens);
        let at_end = self.verifier.as_deref().filter(|verifier| verifier.when() == When::Finished);
        let score = at_end.map(|verifier| verifier.score(&look));
        let picture = self.picture(read_floats(look.pixels()).await?.as_slice())?;
        let score = read_scores(score).await?.first().copied().or(step_score);
        Ok(Event::Image { path, tokens: tokens.to_vec(), picture, score })
    }

    /// Looks for weak patches, unless it is over.
    async fn look(
        &self,
        drawing: &Drawing,
        rounds: u32,
        last_distance: Option<f32>,
        score: Option<f32>,
    ) -> Result<Looked, StepError> {
        let ended = |reason, patch_scores| Looked::Ended(Event::ReflectionEnded { reason, patch_scores, rounds });
        let (Some(settings), Some(clip), Some(whole)) = (&drawing.settings.reflection, &self.clip, &drawing.whole)
        else {
            return Ok(ended(ReflectionStop::RoundsSpent, Vec::new()));
        };
        // A reward network said already what it thinks of a picture that no round has changed.
        let odds = score.or(whole.score).filter(|_| drawing.settings.verifier.gives_odds());
        if let Some(reason) = stops(settings, rounds, last_distance, odds) {
            return Ok(ended(reason, Vec::new()));
        }
        let grid = settings.patch_grid as usize;
        let look = Look::whole(&self.models.tokenizer, &whole.tokens);
        let patch_scores = read_floats(clip.score_patches(look.pixels(), grid)).await?;
        let weak = weak_patches(&patch_scores, settings.threshold);
        let (tokens, masked) = mask_weak(&whole.tokens, drawing.shape.grid, &weak, grid);
        if masked == 0 {
            return Ok(ended(ReflectionStop::NothingWeak, patch_scores));
        }
        let score_before = match score {
            Some(score) => Some(score),
            None => self.judged(&look).await?,
        };
        Ok(Looked::Weak(Redraw {
            weak,
            patch_scores,
            before: read_floats(look.pixels()).await?,
            score_before,
            steps: redraw_steps(drawing.settings.steps, masked, tokens.len()),
            tokens,
            masked,
            step: 0,
        }))
    }

    /// One step of a round: the same candidates and verifier as in the drawing.
    async fn redraw_step(&self, drawing: &Drawing, redraw: &Redraw) -> Result<Vec<i32>, StepError> {
        let Settings { seed, temperature, .. } = drawing.settings;
        let plan = StepPlan {
            seed,
            pass: drawing.round(),
            step: redraw.step,
            steps: redraw.steps,
            total: redraw.masked,
            temperature,
            first: 0,
            candidates: drawing.candidate_count(),
        };
        let mut drawn = self.draw(&redraw.tokens, &plan).await?;
        // All but the weak patches is there: clear enough.
        let picks = drawing.settings.verifier.is_stepwise();
        let scores = self.stepwise().filter(|_| picks).map(|verifier| verifier.score(&self.look_at(&drawn)));
        let chosen = best(&read_scores(scores).await?);
        Ok(drawn.swap_remove(chosen).tokens)
    }

    /// The end of a round: compares the picture before and after.
    async fn round(&self, drawing: &Drawing, redraw: &Redraw) -> Result<Event, StepError> {
        let ReflectionSettings { accept, patch_grid, .. } = drawing.settings.reflection.unwrap_or_default();
        let look = Look::whole(&self.models.tokenizer, &redraw.tokens);
        let score_after = self.judged(&look).await?;
        let after = read_floats(look.pixels()).await?;
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

    async fn judged(&self, look: &Look<'_>) -> Result<Option<f32>, StepError> {
        let score = self.judge.as_deref().map(|judge| judge.score(look));
        Ok(read_scores(score).await?.first().copied())
    }

    /// The last event. The picture was shown before, so that nobody waits for the checker.
    async fn finish<H: Host>(&self, drawing: &Drawing, host: &H, begin: f64) -> Result<Event, StepError> {
        let seconds = host.seconds() - begin;
        let (tokens, picture) = match &drawing.whole {
            Some(whole) => (whole.tokens.clone(), whole.picture.clone()),
            // Only a drawing without steps has none, and settings do not allow it.
            None => (Vec::new(), Picture { width_px: 0, height_px: 0, png_base64: String::new() }),
        };
        let (verdict, unchecked) = match self.models.about.world {
            Some(world) => {
                let rgb = picture.rgb()?;
                let judged = match host.prepare_checker(world).await {
                    Ok(()) => verdict(world, &drawing.settings.prompt, &rgb).map_err(|why| why.to_string()),
                    Err(why) => Err(why),
                };
                (judged.as_ref().ok().cloned(), judged.err())
            }
            None => (None, None),
        };
        Ok(Event::Finished { tokens, picture, verdict, unchecked, totals: Totals { seconds, ..drawing.totals } })
    }

    /// Pixels `[pictures, 3, side, side]` as pictures.
    async fn pictures(pixels: Tensor<4>) -> Result<Vec<Picture>, StepError> {
        let [_, channels, side, _] = pixels.dims();
        let values = read_floats(pixels).await?;
        let picture = |values: &[f32]| Ok(Rgb::from_signed(values, side).to_picture()?);
        values.chunks(channels * side * side).map(picture).collect()
    }

    fn picture(&self, values: &[f32]) -> Result<Picture, StepError> {
        Ok(Rgb::from_signed(values, self.models.tokenizer.config.resolution).to_picture()?)
    }
}

enum Looked {
    Weak(Redraw),
    Ended(Event),
}

impl Drawing {
    /// The round of reflection under way, from 1.
    fn round(&self) -> u32 {
        match &self.phase {
            Phase::Reflect { rounds, .. } => rounds + 1,
            _ => 0,
        }
    }
}

fn choose(drawing: &Drawing) -> Event {
    let scores: Vec<f32> = drawing.paths.iter().map(|path| path.score.unwrap_or(f32::NAN)).collect();
    Event::PathChosen { path: drawing.paths.get(best(&scores)).map_or(0, |path| path.path) }
}

/// What the world's checker says.
fn verdict(world: World, prompt: &str, picture: &Rgb) -> Result<CheckerVerdict, CheckError> {
    let Judgement { accepted, exact, sentence } = world.check(&picture.bytes, picture.width as usize, prompt)?;
    // The shapes have one verdict, which is the exact one.
    Ok(CheckerVerdict { accepted, exact: (world != World::Shapes).then_some(exact), sentence })
}

async fn read_scores(scores: Option<Tensor<1>>) -> Result<Vec<f32>, DeviceError> {
    match scores {
        Some(scores) => read_floats(scores).await,
        None => Ok(Vec::new()),
    }
}
