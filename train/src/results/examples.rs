//! Pictures worth looking at, found among those that were drawn: the page links to them.

use std::collections::BTreeSet;

use serde::Serialize;
use showo::settings::{Settings, Tuning, VerifierMode};

use super::config::{ResultsConfig, Row};
use super::picture::Drawn;

/// How many of each kind are named.
const OF_EACH: usize = 3;

/// A drawing that shows something, to be drawn again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What it shows.
    pub what: &'static str,
    /// What draws it.
    pub settings: Settings,
}

/// Pictures of the base generator that PARM's choices saved, and pictures that reflection mended.
#[must_use]
pub fn find(config: &ResultsConfig, measured: &[(&Row, Vec<Drawn>)]) -> Vec<Example> {
    let Some((_, baseline)) = measured.first() else { return Vec::new() };
    let failed: BTreeSet<u64> = baseline.iter().filter(|drawn| !drawn.accepted).map(|drawn| drawn.seed).collect();
    // Whole paths take a browser without a graphics card minutes.
    let of_parm = |row: &Row| row.verifier == VerifierMode::Parm && !row.compositional;
    let mut saved = Vec::new();
    let mut mended = Vec::new();
    for (row, drawn) in measured.iter().filter(|(row, _)| of_parm(row)) {
        for one in drawn.iter().filter(|one| one.accepted) {
            let example = |what| Example { what, settings: config.settings(row, &one.prompt, one.seed) };
            let base = row.generator == Tuning::Base;
            if base && row.reflection.is_none() && failed.contains(&one.seed) {
                saved.push(example("PARM saved it"));
            }
            if row.reflection.is_some() && !one.accepted_before_reflection() {
                mended.push(example("Reflection mended it"));
            }
        }
    }
    // One of every so many, so that they are not all of the first category.
    let spread = |found: Vec<Example>| {
        let every = found.len().div_ceil(OF_EACH).max(1);
        found.into_iter().step_by(every).collect::<Vec<_>>()
    };
    [spread(saved), spread(mended)].concat()
}

#[cfg(test)]
mod tests {
    use super::super::picture::PathDrawn;
    use super::*;

    #[test]
    fn what_failed_alone_and_passed_with_help_is_found() {
        let config: ResultsConfig = toml::from_str(include_str!("../../configs/results.toml")).unwrap();
        let row = |verifier, reflection| {
            config.row.iter().find(|row| row.verifier == verifier && row.reflection.is_some() == reflection).unwrap()
        };
        let drawn = |seed, before, accepted| Drawn {
            number: 0,
            category: "counting".into(),
            prompt: "two stars".into(),
            seed,
            accepted,
            paths: vec![PathDrawn { path: 0, score: None, accepted: before }],
            chosen: None,
            step_scores: Vec::new(),
            rounds: Vec::new(),
            totals: Default::default(),
        };
        let measured = [
            (
                row(VerifierMode::None, false),
                vec![drawn(1, false, false), drawn(2, true, true), drawn(3, false, false)],
            ),
            (row(VerifierMode::Parm, false), vec![drawn(1, true, true), drawn(2, true, true), drawn(3, false, false)]),
            (row(VerifierMode::Parm, true), vec![drawn(1, true, true), drawn(2, true, true), drawn(3, false, true)]),
        ];
        let found = find(&config, &measured);
        let told: Vec<(&str, u64)> = found.iter().map(|example| (example.what, example.settings.seed)).collect();
        assert_eq!(told, [("PARM saved it", 1), ("Reflection mended it", 3)]);
    }
}
