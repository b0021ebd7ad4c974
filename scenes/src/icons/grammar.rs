//! Prompts as people type them.
//!
//! ```text
//! prompt   := [opening] group (joint group)*
//! opening  := words such as "please draw", "a photo of", "an image with", "there is"
//! group    := [article | number] [colour] name [("that is" | "in") colour] ["on the left" | "on the right"]
//! joint    := "and" | "with" | "," | … | relation
//! relation := ["is"] ["to the"] "left of" | … | "above" | "on top of" | "below" | "under" | …
//! ```
//!
//! Upper case and punctuation count for nothing, except that a comma or full stop can join two groups.

mod phrases;
mod reader;
mod reading;

pub use reading::{Reading, Taken};

use self::reader::Reader;
use super::prompt_error::{MAX_PROMPT_CHARS, PromptError};
use super::spec::{MAX_THINGS, Relation, Spec, Wanted};
use crate::typed::tokens;

impl Spec {
    /// Reads a prompt.
    ///
    /// # Errors
    /// A [`PromptError`] that says which words were not understood and what to write instead.
    pub fn parse(text: &str) -> Result<Reading, PromptError> {
        if text.trim().chars().nth(MAX_PROMPT_CHARS).is_some() {
            return Err(PromptError::TooLong);
        }
        let tokens = tokens(text);
        let mut reader = Reader::new(&tokens);
        reader.opening();
        if reader.at_end() {
            return Err(PromptError::Empty);
        }
        let mut wanted = vec![reader.group()?];
        let mut sides = vec![reader.side_alone()];
        let mut relations = Vec::new();
        while let Some(joint) = reader.joint()? {
            relations.extend(joint);
            wanted.push(reader.group()?);
            sides.push(reader.side_alone());
        }
        relations.extend(by_sides(&sides)?);
        Ok(Reading { spec: together(wanted, &relations)?, taken: reader.taken })
    }
}

impl std::str::FromStr for Spec {
    type Err = PromptError;

    fn from_str(text: &str) -> Result<Self, PromptError> {
        Self::parse(text).map(|reading| reading.spec)
    }
}

/// The relation that "on the left" and "on the right" make of two groups, of which one may go without.
fn by_sides(sides: &[Option<Relation>]) -> Result<Option<Relation>, PromptError> {
    let Some(said) = sides.iter().flatten().next() else { return Ok(None) };
    match sides {
        [Some(first), second] if *second != Some(*first) => Ok(Some(*first)),
        [None, Some(second)] => {
            Ok(Some(if *second == Relation::LeftOf { Relation::RightOf } else { Relation::LeftOf }))
        }
        _ => {
            let side = if *said == Relation::LeftOf { "left" } else { "right" };
            let remedy = "say where one thing lies to another, for example “a dog left of a bench”".to_owned();
            Err(PromptError::NotUnderstood { at: format!("on the {side}"), remedy })
        }
    }
}

/// Checks what was read as a whole, and counts things of one kind together.
fn together(wanted: Vec<Wanted>, relations: &[Relation]) -> Result<Spec, PromptError> {
    let asked: u64 = wanted.iter().map(|wanted| u64::from(wanted.count)).sum();
    if asked > u64::from(MAX_THINGS) {
        return Err(PromptError::TooManyThings { asked });
    }
    match *relations {
        [] => {}
        [relation] if wanted.len() == 2 && asked == 2 => return Ok(Spec { wanted, relation: Some(relation) }),
        [relation] => return Err(PromptError::RelationOfMany { relation }),
        _ => return Err(PromptError::TwoRelations),
    }
    let mut kinds: Vec<Wanted> = Vec::new();
    for group in wanted {
        match kinds.iter_mut().find(|kind| (kind.class, kind.colour) == (group.class, group.colour)) {
            Some(kind) => kind.count += group.count,
            None => kinds.push(group),
        }
    }
    Ok(Spec { wanted: kinds, relation: None })
}
