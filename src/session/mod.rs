//! From a prompt to a verified picture: decoding, verifying and reflecting, step by step.
//!
//! A [`Session`] owns the models and the [`Drawing`] they work on. It yields to its [`Host`] between steps, can be
//! stopped there, and goes on from where it stopped: after its [`Session::stopper`] is raised, after the loss of a device (with
//! models on a new one), or from any event of a recording.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | [`Session`]: what is wrong is said first; then draw, stop, resume |
//! | `run.rs` | one advance at a time: a step, a picture, a choice, the verdict |
//! | `reflection.rs` | which patches are weak, what is drawn again, which rounds are kept, when to stop |
//! | `drawing.rs` | where a drawing stands, as plain data |
//! | `apply.rs` | a drawing as a fold of its own events |
//! | `host.rs` | what a session needs of whoever runs it |
//! | `large.rs` | a draw that somebody wants to see large |
//! | `question.rs` | a question about a picture, which the generator answers |
//! | `extend.rs` | a picture continued beyond its edge, a drawing a round |
//! | `bring.rs` | a picture that somebody brings, as codes |
//! | `error.rs` | why a drawing could not begin or go on |
//! | `tests.rs`, `tests/`, `tiny.rs` | its tests, over models small enough for them |

mod apply;
mod bring;
mod drawing;
mod error;
mod extend;
mod host;
mod large;
mod question;
mod reflection;
mod run;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tiny;

pub use bring::{BringError, codes_of_picture};
pub use drawing::{Drawing, Shape};
pub use error::SessionError;
pub use extend::picture_of;
pub use host::Host;
#[cfg(not(target_arch = "wasm32"))]
pub use host::NativeHost;
pub use large::{LargeError, large};
pub use question::{AskError, Asked, Look};

use crate::load::Models;
use crate::prompt::Prompt;
use crate::settings::Settings;
use crate::signal::Signal;
use crate::trace::{Event, MASK, TRACE_VERSION};
use crate::verify::{Wording, verifier};
use run::{Run, generator, patch_scorer_of};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The picture is finished.
    Finished,
    /// It was stopped, and can go on.
    Cancelled,
}

/// Draws with one set of models, one drawing at a time.
pub struct Session {
    models: Models,
    drawing: Option<Drawing>,
    stop: Signal,
}

impl Session {
    /// Without a drawing.
    #[must_use]
    pub fn new(models: Models) -> Self {
        Self { models, drawing: None, stop: Signal::default() }
    }

    /// With a drawing that another session began, perhaps on another device.
    #[must_use]
    pub fn with_drawing(models: Models, drawing: Option<Drawing>) -> Self {
        Self { drawing, ..Self::new(models) }
    }

    /// Listens to a signal that somebody already holds.
    #[must_use]
    pub fn with_stopper(self, stop: Signal) -> Self {
        Self { stop, ..self }
    }

    /// Raised, it stops this session: at once where it waits for a device or a file, else before the next step.
    #[must_use]
    pub fn stopper(&self) -> Signal {
        self.stop.clone()
    }

    /// The models, also to take in a judge that has just arrived.
    pub fn models_mut(&mut self) -> &mut Models {
        &mut self.models
    }

    /// The models.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Where the drawing stands, if there is one.
    #[must_use]
    pub fn drawing(&self) -> Option<&Drawing> {
        self.drawing.as_ref()
    }

    /// The drawing, to go on elsewhere.
    #[must_use]
    pub fn into_drawing(self) -> Option<Drawing> {
        self.drawing
    }

    /// Draws from the beginning; what was drawn before is forgotten once the settings are accepted.
    ///
    /// # Errors
    /// Settings out of range, a prompt that cannot be read, a verifier that is not there; a lost device (then
    /// [`Session::resume`] goes on).
    pub async fn draw<H: Host>(&mut self, settings: Settings, host: &mut H) -> Result<Outcome, SessionError> {
        self.draw_from(settings, Vec::new(), host).await
    }

    /// As [`Session::draw`], where some of the picture is there already: `begin` holds N tokens, [`MASK`] where
    /// it is drawn; the others stay. Inpainting and extrapolation begin so ([`canvas`](crate::decode::canvas)).
    ///
    /// # Errors
    /// As [`Session::draw`]; tokens that are not this model's, or of which none is masked.
    pub async fn draw_from<H: Host>(
        &mut self,
        settings: Settings,
        begin: Vec<i32>,
        host: &mut H,
    ) -> Result<Outcome, SessionError> {
        let Prompt { text, notes, ids } = self.check(&settings)?;
        // What is recorded is what was drawn; the notes say what was typed instead.
        let drawing = Drawing::new(Settings { prompt: text, ..settings }, ids, begin, self.shape())
            .map_err(SessionError::Begin)?;
        host.event(&self.started(&drawing, notes));
        self.drawing = Some(drawing);
        self.resume(host).await
    }

    /// Goes on with the drawing: the events are those that would have come next. No second `started` is sent.
    ///
    /// # Errors
    /// Nothing to go on with; a verifier that is not there; a lost device.
    pub async fn resume<H: Host>(&mut self, host: &mut H) -> Result<Outcome, SessionError> {
        let drawing =
            self.drawing.as_mut().filter(|drawing| !drawing.is_done()).ok_or(SessionError::NothingToResume)?;
        let run = Run::new(&self.models, drawing)?;
        let begin = host.seconds() - drawing.totals.seconds;
        let outcome = loop {
            // Nothing has changed yet of what is dropped on its way: an advance changes the drawing at its end.
            let advanced = if self.stop.is_raised() {
                None
            } else {
                self.stop.unless_raised(run.advance(drawing, host, begin)).await
            };
            let Some(advanced) = advanced else {
                host.event(&Event::Cancelled { next_step: drawing.next_step() });
                break Ok(Outcome::Cancelled);
            };
            match advanced {
                Ok(Some(event)) => {
                    // What the session sends is what it stands on: a recording can be gone on with by construction.
                    if let Err(why) = drawing.apply(&event) {
                        break Err(SessionError::Recording { index: 0, why });
                    }
                    host.event(&event);
                    if drawing.is_done() {
                        break Ok(Outcome::Finished);
                    }
                }
                Ok(None) => {}
                Err(error::StepError::Picture(error)) => break Err(error.into()),
                Err(error::StepError::Device(error)) => {
                    break Err(SessionError::DeviceLost { next_step: drawing.next_step(), why: error.0 });
                }
            }
            host.breathe().await;
        };
        drawing.totals.seconds = host.seconds() - begin;
        // A stop that came after the last step has nothing left to stop.
        self.stop.take();
        outcome
    }

    /// Takes up a recording, complete or cut off after any event; [`Session::resume`] then goes on after it.
    ///
    /// # Errors
    /// The recording contradicts itself or these models, or its settings cannot be drawn with them.
    pub fn resume_from(&mut self, events: &[Event]) -> Result<(), SessionError> {
        let drawing = Drawing::from_events(events, self.shape())
            .map_err(|(index, why)| SessionError::Recording { index, why })?;
        if self.check(&drawing.settings)?.ids != drawing.prompt_ids {
            let why = "this bundle's tokenizer reads its prompt differently".to_owned();
            return Err(SessionError::Recording { index: 0, why });
        }
        self.drawing = Some(drawing);
        Ok(())
    }

    /// Checks everything that can be wrong before anything is computed; gives the prompt as the models read it.
    ///
    /// # Errors
    /// Settings out of range, a prompt that cannot be read, a verifier that is not there.
    pub fn check(&self, settings: &Settings) -> Result<Prompt, SessionError> {
        settings.validate(self.models.generator.config.grid() as u32)?;
        let prompt = self.models.read(&settings.prompt, settings.control_tokens)?;
        generator(&self.models, settings)?;
        let wording = Wording { text: &prompt.text, ids: &prompt.ids };
        verifier(&self.models, settings.verifier, wording)?;
        if settings.reflection.is_some() {
            patch_scorer_of(&self.models, wording)?;
        }
        Ok(prompt)
    }

    fn shape(&self) -> Shape {
        let config = &self.models.generator.config;
        Shape { grid: config.grid(), codes: config.codebook_size }
    }

    fn started(&self, drawing: &Drawing, notes: Vec<String>) -> Event {
        Event::Started {
            version: TRACE_VERSION,
            settings: drawing.settings.clone(),
            notes,
            prompt_ids: drawing.prompt_ids.clone(),
            begin: if drawing.begin.iter().all(|&token| token == MASK) { Vec::new() } else { drawing.begin.clone() },
            grid: drawing.shape.grid as u32,
            image_side_px: self.models.image_tokenizer.config.resolution as u32,
            device: self.models.about.device.clone(),
            bundle: self.models.about.bundle.clone(),
        }
    }
}
