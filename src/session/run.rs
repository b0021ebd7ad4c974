//! One advance of a drawing at a time: each is a unit of work between two chances to stop.

use std::rc::Rc;

use burn::tensor::Tensor;
use scenes::{CheckError, Judgement, World};

use super::drawing::{Drawing, Phase};
use super::error::{SessionError, StepError};
use super::host::Host;
use crate::decode::DeviceError;
use crate::decode::generator::Prompted;
use crate::decode::sampling::read_floats;
use crate::decode::step::{Drawn, StepPlan, draw_candidates};
use crate::load::{Generator, Models};
use crate::picture::Rgb;
use crate::settings::{AcceptRule, Judge, Settings, VerifierMode};
use crate::trace::{Candidate, CheckerVerdict, Event, MASK, Picture, Totals};
use crate::verify::paths::{is_clear, says_clear};
use crate::verify::{Candidates, ClipVerifier, Verifier, When, Wording, best, clip, verifier, whole_picture_verifier};

/// One run of a drawing: the models, and what the prompt makes of them, on the device.
pub(super) struct Run {
    pub(super) models: Models,
    generator: Rc<Generator>,
    prompted: Prompted,
    verifier: Option<Box<dyn Verifier>>,
    /// What reflection looks for weak patches with.
    pub(super) patch_scorer: Option<ClipVerifier>,
    /// Who compares the picture before and after a round of reflection.
    pub(super) round_verifier: Option<Box<dyn Verifier>>,
}

/// Whose weights these settings draw with.
pub(super) fn generator(models: &Models, settings: &Settings) -> Result<Rc<Generator>, SessionError> {
    let missing = || SessionError::GeneratorMissing { asked: settings.generator, available: models.tunings() };
    models.tuned(settings.generator).cloned().ok_or_else(missing)
}

/// What reflection looks for weak patches with.
pub(super) fn patch_scorer_of(models: &Models, prompt: Wording<'_>) -> Result<ClipVerifier, SessionError> {
    if !models.may_judge(Judge::Clip) {
        return Err(SessionError::ReflectionNotOffered(models.about.judges.clone().unwrap_or_default()));
    }
    clip(models, prompt)?.ok_or(SessionError::ReflectionNeedsClip)
}

impl Run {
    /// Computes the prompt's keys, values and embeddings.
    pub fn new(models: &Models, drawing: &Drawing) -> Result<Self, SessionError> {
        let Drawing { settings, prompt_ids, .. } = drawing;
        let wording = Wording { text: &settings.prompt, ids: prompt_ids };
        let generator = generator(models, settings)?;
        let verifier = verifier(models, settings.verifier, wording)?;
        let (mut patch_scorer, mut round_verifier) = (None, None);
        if let Some(reflection) = &settings.reflection {
            patch_scorer = Some(patch_scorer_of(models, wording)?);
            // Nobody asks: no round is refused, and nothing is verified.
            let nobody = reflection.accept == AcceptRule::Every && settings.verifier == VerifierMode::None;
            round_verifier = if nobody { None } else { whole_picture_verifier(models, settings.verifier, wording) };
        }
        Ok(Self {
            prompted: Prompted::new(
                &generator.showo,
                &generator.config,
                prompt_ids,
                settings.guidance_scale,
                models.device(),
            ),
            verifier,
            patch_scorer,
            round_verifier,
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
            Phase::Reflect { .. } => self.reflect(drawing).await,
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
        let plan = drawing.plan(path, step, settings.steps, tokens.len());
        let drawn = self.draw(tokens, &plan).await?;
        let candidates = self.candidates(&drawn);
        let clarity = self.clarity(&candidates).await?;
        let clear = match clarity {
            Some(chance) => says_clear(chance),
            None => !settings.verifier.waits_for_clarity() || drawn.iter().all(|drawn| is_clear(&drawn.tokens)),
        };
        // Both are under way before either is waited for.
        let scores = self.stepwise().filter(|_| clear).map(|verifier| verifier.score(&candidates));
        let previews = settings.previews.then(|| match &self.models.preview {
            Some(preview) => preview.decode(&candidates.draws),
            None => candidates.pixels(),
        });
        let scores = read_scores(scores).await?;
        let previews = match previews {
            Some(pixels) => Self::pictures(pixels).await?,
            None => Vec::new(),
        };
        drop(candidates);

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

    pub(super) async fn draw(&self, tokens: &[i32], plan: &StepPlan) -> Result<Vec<Drawn>, DeviceError> {
        draw_candidates(self.prompted.logits(&self.generator.showo, tokens), tokens, plan).await
    }

    pub(super) fn candidates<'a>(&'a self, drawn: &'a [Drawn]) -> Candidates<'a> {
        let states = drawn.iter().map(|drawn| drawn.tokens.as_slice()).collect();
        let draws = drawn.iter().map(|drawn| drawn.sampled.as_slice()).collect();
        Candidates::new(&self.models.image_tokenizer, states, draws)
    }

    /// How clear the states of this step are, where the verifier has learnt to say. A complete state needs no asking.
    async fn clarity(&self, candidates: &Candidates<'_>) -> Result<Option<f32>, DeviceError> {
        if candidates.states.iter().all(|state| !state.contains(&MASK)) {
            return Ok(None);
        }
        let asked = self.stepwise().and_then(|verifier| verifier.clarity(candidates));
        Ok(read_scores(asked).await?.first().copied())
    }

    /// The verifier, where it looks at every step.
    pub(super) fn stepwise(&self) -> Option<&dyn Verifier> {
        self.verifier.as_deref().filter(|verifier| verifier.when() == When::EveryStep)
    }

    async fn image(&self, path: u32, tokens: &[i32], step_score: Option<f32>) -> Result<Event, StepError> {
        let whole = Candidates::whole(&self.models.image_tokenizer, tokens);
        let at_end = self.verifier.as_deref().filter(|verifier| verifier.when() == When::Finished);
        let score = at_end.map(|verifier| verifier.score(&whole));
        let picture = self.picture(read_floats(whole.pixels()).await?.as_slice())?;
        let score = read_scores(score).await?.first().copied().or(step_score);
        Ok(Event::Image { path, tokens: tokens.to_vec(), picture, score })
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
                let checked = match host.prepare_checker(world).await {
                    Ok(()) => verdict(world, &drawing.settings.prompt, &rgb).map_err(|why| why.to_string()),
                    Err(why) => Err(why),
                };
                (checked.as_ref().ok().cloned(), checked.err())
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

    pub(super) fn picture(&self, values: &[f32]) -> Result<Picture, StepError> {
        Ok(Rgb::from_signed(values, self.models.image_tokenizer.config.resolution).to_picture()?)
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

pub(super) async fn read_scores(scores: Option<Tensor<1>>) -> Result<Vec<f32>, DeviceError> {
    match scores {
        Some(scores) => read_floats(scores).await,
        None => Ok(Vec::new()),
    }
}
