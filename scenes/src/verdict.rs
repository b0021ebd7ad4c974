//! Whether a picture shows what a prompt asks for.

use serde::{Deserialize, Serialize};

use crate::detect::{Detection, detect};
use crate::matching::{self, Thing};
use crate::render::Picture;
use crate::spec::{ObjectSpec, Spec};

/// What the checker says of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Everything wanted is there, nothing else is, and the relation, if any, holds.
    pub accepted: bool,
    /// How many of the wanted objects are there.
    pub satisfied: u8,
    /// How many objects are wanted.
    pub wanted: u8,
    /// Whether the relation holds; none where none is asked for or one of its objects is missing.
    pub relation_holds: Option<bool>,
    /// Everything that was seen.
    pub detections: Vec<Detection>,
    /// The verdict in words, for example `2 of 2: red circle, blue square; left of: yes`.
    pub sentence: String,
}

/// Looks at a picture, and at nothing but its pixels, and compares it with what was asked for.
#[must_use]
pub fn check(picture: &Picture, spec: &Spec) -> Verdict {
    judge(detect(picture), spec)
}

/// Compares what was seen in a picture with what is asked for: [`check`] without the looking, for one picture and many
/// prompts.
#[must_use]
pub fn judge(detections: Vec<Detection>, spec: &Spec) -> Verdict {
    let things: Vec<Thing> = detections
        .iter()
        .map(|d| Thing { shape: d.shape, colour: d.colour, x: d.centre_x_px, y: d.centre_y_px })
        .collect();
    let assignment = matching::assign(spec, &things);

    let found: Vec<usize> = assignment.wanted.iter().filter_map(|(_, thing)| *thing).collect();
    let list = |parts: Vec<String>| if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let mut sentence = format!(
        "{} of {}: {}",
        found.len(),
        assignment.wanted.len(),
        list(found.iter().map(|&i| detections[i].describe()).collect()),
    );
    let missing: Vec<String> = assignment
        .wanted
        .iter()
        .filter(|(_, thing)| thing.is_none())
        .filter_map(|(kind, _)| spec.objects.get(*kind))
        .map(kind_in_words)
        .collect();
    if !missing.is_empty() {
        sentence += &format!("; missing: {}", missing.join(", "));
    }
    let extra: Vec<String> =
        (0..detections.len()).filter(|i| !found.contains(i)).map(|i| detections[i].describe()).collect();
    if !extra.is_empty() {
        sentence += &format!("; extra: {}", extra.join(", "));
    }
    if let Some(relation) = spec.relation {
        let answer = match assignment.relation {
            Some(true) => "yes",
            Some(false) => "no",
            None => "cannot tell",
        };
        sentence += &format!("; {relation}: {answer}");
    }

    let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    Verdict {
        accepted: assignment.satisfies(things.len()),
        satisfied: small(found.len()),
        wanted: small(assignment.wanted.len()),
        relation_holds: assignment.relation,
        detections,
        sentence,
    }
}

fn kind_in_words(wanted: &ObjectSpec) -> String {
    wanted.colour.map_or_else(|| wanted.shape.to_string(), |colour| format!("{colour} {}", wanted.shape))
}
