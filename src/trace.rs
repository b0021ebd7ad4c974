//! The events of a drawing: the only output of a session.
//!
//! The page, the recorder, the command line and the tests read these same types. A picture travels as a PNG in
//! base64, so that a trace is one JSON file that shows itself; tokens are codebook indices, and [`MASK`] marks a
//! position that is still masked.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// The token written for a position that is still masked.
pub const MASK: i32 = -1;

/// The version of the trace's form.
///
/// Version 1 has the same form and was drawn with other noise: it shows itself and can be gone on with, but drawn again it becomes
/// another picture.
pub const TRACE_VERSION: u32 = 2;

/// Whether a trace of this version can be read.
#[must_use]
pub const fn is_readable(version: u32) -> bool {
    matches!(version, 1..=TRACE_VERSION)
}

/// A decoded picture, `width_px` × `height_px`, RGB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// A PNG file, base64.
    pub png_base64: String,
}

/// One of the k draws that a step chose from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What each of the N positions holds after this candidate's draw and re-masking; [`MASK`] where masked again.
    pub tokens: Vec<i32>,
    /// The full draw before re-masking: what the preview shows.
    pub sampled: Vec<i32>,
    /// The verifier's reward; `None` where the mode does not score steps.
    pub score: Option<f32>,
    /// The preview: `sampled`, decoded, smaller than the picture where the bundle has a preview decoder. `None` when previews
    /// are off.
    pub preview: Option<Picture>,
}

/// What the checker says of a picture, from its pixels alone; `None` outside the worlds that have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckerVerdict {
    /// Whether the picture shows what the prompt asks for: as GenEval judges, or, in a world that knows no other verdict,
    /// exactly.
    pub accepted: bool,
    /// Whether it shows that and nothing else, in a world with both verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<bool>,
    /// For example `2 of 2: red circle, blue square; left of: yes`.
    pub sentence: String,
}

/// Why reflection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReflectionStop {
    /// No patch scored below τ.
    NothingWeak,
    /// The verifier gives the picture even odds or better.
    Satisfied,
    /// The picture changed by less than ε.
    Converged,
    /// R rounds were spent.
    RoundsSpent,
}

/// What a drawing cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Forwards of the generator, each over the conditional and the unconditional row.
    pub generator_forwards: u32,
    /// Sequences that the reward network or CLIP has scored.
    pub reward_forwards: u32,
    /// Token grids decoded to pixels, previews among them.
    pub decoded_pictures: u32,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// One event of a drawing, in the order in which they happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// First: what is about to be drawn.
    Started {
        /// [`TRACE_VERSION`].
        version: u32,
        /// Everything that decides the picture.
        settings: Settings,
        /// What words of the prompt, as it was typed, were taken for: `“sofa” is read as “couch”`. The settings hold the
        /// prompt as the model reads it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
        /// The prompt's token ids, without padding or special tokens.
        prompt_ids: Vec<u32>,
        /// The N tokens that it begins from where some are there already, [`MASK`] where it draws; empty where it draws all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begin: Vec<i32>,
        /// Side of the token grid: N = grid².
        grid: u32,
        /// Side of the picture in pixels.
        image_side_px: u32,
        /// The device in words.
        device: String,
        /// The bundle's name and hash.
        bundle: String,
    },
    /// One decoding step (or, for verifiers that judge whole pictures, one step of path `path`).
    Step {
        /// Which whole path this step belongs to; 0 for stepwise modes.
        path: u32,
        /// Counted from 0.
        step: u32,
        /// T.
        steps: u32,
        /// The positions that were known before the step.
        known_before: Vec<bool>,
        /// The k draws.
        candidates: Vec<Candidate>,
        /// The index of the draw that was committed.
        chosen: u32,
        /// The chance that the states can be judged yet, from a verifier that has learnt to say; below even odds no candidate
        /// has a score, and the first goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clarity: Option<f32>,
        /// Positions masked again after the step.
        masked_after: u32,
        /// Wall time of the step in milliseconds.
        milliseconds: f64,
    },
    /// A whole picture is done (one per path for `best-of-k`).
    Image {
        /// Which path.
        path: u32,
        /// Its N codes.
        tokens: Vec<i32>,
        /// Decoded.
        picture: Picture,
        /// The verifier's score of the whole picture.
        score: Option<f32>,
    },
    /// Which path goes on (only in modes that draw several whole pictures).
    PathChosen {
        /// Its index.
        path: u32,
    },
    /// One round of reflection.
    Reflection {
        /// Counted from 1.
        round: u32,
        /// Side M of the patch grid.
        patch_grid: u32,
        /// `S_ij`, row by row: CLIPScore of the prompt with each patch.
        patch_scores: Vec<f32>,
        /// Ω: the patches that scored below τ.
        weak: Vec<bool>,
        /// The picture before.
        before: Picture,
        /// The picture after redrawing the tokens under Ω.
        after: Picture,
        /// The codes after.
        tokens_after: Vec<i32>,
        /// The verifier's score before; `None` under the accept-every rule without a verifier.
        score_before: Option<f32>,
        /// The verifier's score after.
        score_after: Option<f32>,
        /// Whether the round was kept.
        kept: bool,
        /// `‖I^(r) − I^(r−1)‖₂`, root mean square over pixels in [−1, 1].
        distance: f32,
    },
    /// Reflection is over.
    ReflectionEnded {
        /// Why.
        reason: ReflectionStop,
        /// The scores that led to it, when the last look found nothing weak.
        patch_scores: Vec<f32>,
        /// Rounds that were run.
        rounds: u32,
    },
    /// Last: the picture.
    Finished {
        /// Its N codes.
        tokens: Vec<i32>,
        /// Decoded.
        picture: Picture,
        /// The checker's word on it.
        verdict: Option<CheckerVerdict>,
        /// Why a world's checker has no word on it, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unchecked: Option<String>,
        /// What it cost.
        totals: Totals,
    },
    /// Last, when stopped: nothing is lost, the session can go on from here.
    Cancelled {
        /// The step that would have come next.
        next_step: u32,
    },
}
