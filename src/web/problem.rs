//! Errors as the page reads them: `{ code, message, remedy?, near?, word?, place?, field?, next_step? }`.

use std::ops::Range;

use wasm_bindgen::JsValue;

use super::javascript::object;
use crate::bundle::BundleError;
use crate::load::LoadError;
use crate::prompt::PromptError;
use crate::session::SessionError;

/// An error with a code, its sentence, and whatever else the page can use.
pub struct Problem {
    fields: Vec<(&'static str, JsValue)>,
}

impl Problem {
    /// A problem with a sentence for people.
    pub fn new(code: &str, message: impl ToString) -> Self {
        Self { fields: vec![("code", code.into()), ("message", message.to_string().into())] }
    }

    /// With a further field.
    pub fn with(mut self, name: &'static str, value: impl Into<JsValue>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// A wrong prompt, at its field.
    fn prompt(code: &str, message: impl ToString) -> Self {
        Self::new(code, message).with("field", "prompt")
    }

    fn word(message: impl ToString, word: &str, near: &[String], place: Option<&Range<usize>>) -> Self {
        let near: js_sys::Array = near.iter().map(|word| JsValue::from_str(word)).collect();
        let problem = Self::prompt("unknown_word", message).with("word", word).with("near", near);
        let Some(place) = place else { return problem };
        let place: js_sys::Array = [place.start, place.end].iter().map(|&at| JsValue::from_f64(at as f64)).collect();
        problem.with("place", place)
    }
}

impl From<Problem> for JsValue {
    fn from(problem: Problem) -> Self {
        object(&problem.fields)
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::Settings(wrong) => Self::new("out_of_range", &error).with("field", control(wrong.name)),
            SessionError::Prompt(wrong) => match wrong {
                PromptError::Empty => Self::prompt("empty_prompt", &error),
                PromptError::UnknownWord { word, near, place } => Self::word(&error, word, near, Some(place)),
                PromptError::TooLong { .. } => Self::prompt("prompt_too_long", &error),
                PromptError::World(wrong) => match wrong.word() {
                    Some((word, near)) => Self::word(&error, word, near, wrong.place()),
                    None => Self::prompt(wrong.code(), &error),
                },
                PromptError::Tokenizer(_) => Self::new("tokenizer", &error),
            },
            SessionError::VerifierMissing(_) => Self::new("verifier_missing", &error).with("field", "verifier"),
            SessionError::GeneratorMissing { .. } => Self::new("generator_missing", &error).with("field", "generator"),
            SessionError::ReflectionNeedsClip | SessionError::ReflectionNotOffered(_) => {
                Self::new("verifier_missing", &error).with("field", "reflection")
            }
            SessionError::DeviceLost { next_step, .. } => {
                Self::new("device_lost", &error).with("next_step", *next_step)
            }
            SessionError::Begin(_) | SessionError::Canvas(_) => Self::new("canvas", &error),
            SessionError::NothingToResume => Self::new("nothing_to_resume", &error),
            SessionError::Recording { .. } => Self::new("recording", &error),
            SessionError::Picture(_) => Self::new("picture", &error),
        }
    }
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        let code = match &error {
            BundleError::Missing { .. } => "bundle_missing",
            BundleError::Read { .. } => "bundle_unreadable",
            BundleError::Version { .. } => "bundle_version",
            BundleError::Manifest { .. } => "bundle_manifest",
            BundleError::Length { .. } => "bundle_truncated",
            BundleError::Hash { .. } => "bundle_damaged",
            BundleError::File { .. } | BundleError::Tensor { .. } => "bundle_content",
            BundleError::NoModel { .. } => "bundle_incomplete",
        };
        Self::new(code, &error)
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Bundle(error) => error.into(),
            LoadError::Model { .. } | LoadError::TextTokenizer { .. } => Self::new("bundle_content", &error),
            LoadError::World(_) => Self::new("bundle_world", &error),
            LoadError::Mismatch(_) => Self::new("bundle_mismatch", &error),
        }
    }
}

/// The page's control for a setting, by the name that [`crate::settings::SettingsError`] gives it.
fn control(name: &str) -> &'static str {
    match name {
        "seed" => "seed",
        "steps" => "steps",
        "guidance scale" => "guidance",
        "temperature" => "temperature",
        "candidates (k)" => "candidates",
        "threshold (τ)" => "tau",
        "epsilon (ε)" => "epsilon",
        "rounds (R)" => "rounds",
        _ => "patch-grid",
    }
}
