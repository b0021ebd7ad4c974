//! The words around things: how people ask, count and relate.

use super::super::spec::Relation;

/// Words that ask for a picture and say nothing of it.
#[rustfmt::skip]
pub(super) const ASKING: [&str; 22] = [
    "please", "can", "could", "you", "i", "want", "would", "like", "to", "see", "draw", "show", "paint", "make", "create",
    "generate", "render", "give", "me", "us", "there", "depict",
];
#[rustfmt::skip]
pub(super) const MEDIA: [&str; 13] = [
    "photo", "picture", "image", "photograph", "drawing", "painting", "pic", "illustration", "sketch", "snapshot",
    "scene", "icon", "photos",
];
/// Articles that say one, and words like them that say nothing of the number.
pub(super) const ONE: [&str; 5] = ["a", "an", "one", "another", "single"];
pub(super) const ANY_NUMBER: [&str; 8] = ["the", "some", "my", "your", "just", "only", "exactly", "this"];
pub(super) const TOO_MANY: [&str; 9] = ["five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "dozen"];
pub(super) const NONE: [&str; 5] = ["zero", "no", "none", "not", "without"];
pub(super) const VAGUE: [&str; 8] = ["many", "several", "few", "lots", "multiple", "various", "numerous", "lot"];
pub(super) const SHADES: [&str; 7] = ["light", "dark", "bright", "deep", "pale", "vivid", "hot"];
/// Ways to join two things that say nothing of where they lie, in words; those after the first five with a remark.
pub(super) const JOINTS: [&[&str]; 10] = [
    &["and"],
    &["but"],
    &["with"],
    &["plus"],
    &["as", "well", "as"],
    &["next", "to"],
    &["beside"],
    &["near"],
    &["by"],
    &["alongside"],
];
pub(super) const PLAIN_JOINTS: usize = 5;
/// Other words for two of the relations. "On" comes last, so that "on top of" is tried before it.
pub(super) const RELATIONS: [(&[&str], Relation); 10] = [
    (&["above"], Relation::Above),
    (&["over"], Relation::Above),
    (&["on", "top", "of"], Relation::Above),
    (&["atop"], Relation::Above),
    (&["below"], Relation::Below),
    (&["under"], Relation::Below),
    (&["underneath"], Relation::Below),
    (&["beneath"], Relation::Below),
    (&["on"], Relation::Above),
    (&["onto"], Relation::Above),
];
/// The first of [`RELATIONS`] that get a remark, for they are taken for something near.
pub(super) const PLAIN_RELATIONS: usize = 8;
pub(super) const OTHER_PLACES: [&[&str]; 8] =
    [&["behind"], &["in", "front", "of"], &["inside"], &["between"], &["around"], &["through"], &["against"], &["in"]];
/// Words that people describe things with and this world cannot draw, so that no slip of the pen is supposed.
#[rustfmt::skip]
pub(super) const OF_NO_KIND: [&str; 14] = [
    "big", "small", "little", "large", "tiny", "huge", "old", "new", "young", "cute", "happy", "sad", "nice", "tree",
];
/// Words between a thing and its place.
#[rustfmt::skip]
pub(super) const STANDING: [&str; 12] = [
    "that", "which", "who", "is", "are", "standing", "sitting", "placed", "located", "lying", "floating", "positioned",
];
