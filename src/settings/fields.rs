//! Every number that can be set, once: its names, range and meaning. Validation, the command line, the page's form and the
//! documents take them from here.

use serde::Serialize;

use super::{Recommended, ReflectionSettings};

/// One number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Field {
    /// On the page, in links and as the command line's flag.
    pub id: &'static str,
    /// In a sentence: `steps is 0, but must be from 1 to 64`.
    pub name: &'static str,
    /// On the form.
    pub label: &'static str,
    /// What it decides, in a sentence.
    pub sentence: &'static str,
    /// The lowest value.
    pub lowest: f64,
    /// The highest; the patch grid's is also the token grid's side.
    pub highest: f64,
    /// How far a step on the form goes.
    pub step: f64,
    /// Whether it is a whole number.
    pub whole: bool,
    /// Whether it belongs to reflection.
    pub of_reflection: bool,
    /// Where neither bundle nor user says otherwise.
    pub default: f64,
}

/// The largest whole number that JavaScript holds exactly: 2⁵³ − 1.
pub const MOST_EXACT: f64 = 9_007_199_254_740_991.0;

const fn whole(id: &'static str, name: &'static str, label: &'static str, sentence: &'static str) -> Field {
    let (lowest, highest, default) = (0.0, MOST_EXACT, 0.0);
    Field { id, name, label, sentence, lowest, highest, step: 1.0, whole: true, of_reflection: false, default }
}

/// All of them, in the form's order.
pub const FIELDS: [Field; 9] = [
    whole("seed", "seed", "Seed", "Seed of all randomness: the same one draws the same picture again."),
    Field {
        lowest: 1.0,
        highest: 64.0,
        default: Recommended::DEFAULT.steps as f64,
        ..whole("steps", "steps", "Steps (T)", "Decoding steps from a blank grid to a picture.")
    },
    Field {
        highest: 20.0,
        step: 0.5,
        whole: false,
        default: Recommended::DEFAULT.guidance_scale as f64,
        ..whole(
            "guidance",
            "guidance scale",
            "Guidance (g)",
            "How strongly the prompt pulls: (1 + g) · with − g · without it.",
        )
    },
    Field {
        highest: 10.0,
        step: 0.1,
        whole: false,
        default: Recommended::DEFAULT.temperature as f64,
        ..whole(
            "temperature",
            "temperature",
            "Temperature",
            "How much chance has a say in which tokens are kept after a step.",
        )
    },
    Field {
        lowest: 1.0,
        highest: 16.0,
        default: Recommended::DEFAULT.candidates as f64,
        ..whole(
            "candidates",
            "candidates (k)",
            "Candidates (k)",
            "Draws of every step among which the verifier chooses, or whole pictures.",
        )
    },
    Field {
        lowest: -1.0,
        highest: 2.5,
        step: 0.05,
        whole: false,
        of_reflection: true,
        // Written out, because an f32 is not this number.
        default: 1.1,
        ..whole("tau", "threshold (τ)", "Threshold (τ)", "Patches whose CLIPScore is below this are drawn again.")
    },
    Field {
        highest: 2.0,
        step: 0.01,
        whole: false,
        of_reflection: true,
        default: 0.01,
        ..whole(
            "epsilon",
            "epsilon (ε)",
            "Smallest change (ε)",
            "Reflection ends when a round changes the picture by less than this.",
        )
    },
    Field {
        lowest: 1.0,
        highest: 10.0,
        of_reflection: true,
        default: ReflectionSettings::DEFAULT.rounds as f64,
        ..whole("rounds", "rounds (R)", "Rounds (R)", "Rounds of reflection at most.")
    },
    Field {
        lowest: 2.0,
        highest: 32.0,
        of_reflection: true,
        default: ReflectionSettings::DEFAULT.patch_grid as f64,
        ..whole("patch-grid", "patch grid (M)", "Patch grid (M)", "Patches along a side of the picture.")
    },
];

impl Field {
    /// The field with this id.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn of(id: &str) -> &'static Self {
        FIELDS.iter().find(|field| field.id == id).expect("a field of the table")
    }

    /// Its sentence with its range, for a command's help.
    #[must_use]
    pub fn help(&self) -> String {
        if self.highest == MOST_EXACT {
            return self.sentence.to_owned();
        }
        format!("{} From {} to {}", self.sentence, self.lowest, self.highest)
    }
}
