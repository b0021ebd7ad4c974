//! From pictures to figures: `results/scenes.json`.

use std::collections::BTreeMap;

use scenes::Category;
use serde::{Deserialize, Serialize};
use showo::settings::{Tuning, VerifierMode};

use super::config::{ResultsConfig, Row};
use super::picture::Drawn;
use super::stats::{mcnemar, wilson};
use crate::reward::auc;

/// Everything that was measured, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Of the day on which the file was written, `2026-11-25`.
    pub date: String,
    /// Processor and cores.
    pub machine: String,
    /// Of this repository.
    pub commit: String,
    /// The bundle's name.
    pub bundle: String,
    /// Hash of its manifest.
    pub bundle_sha256: String,
    /// Prompts, seed, decoding.
    pub config: ResultsConfig,
    /// One entry a row, in the order of the configuration.
    pub rows: Vec<RowResult>,
}

/// A count of accepted pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Pictures that the checker accepts.
    pub accepted: usize,
    /// Pictures.
    pub n: usize,
    /// Their quotient.
    pub rate: f64,
    /// Wilson's 95 % interval.
    pub interval_95: (f64, f64),
}

/// Pictures of one row against those of another, on the same prompts and seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// The other row.
    pub row: String,
    /// Pairs of pictures.
    pub pairs: usize,
    /// Only this row's is accepted.
    pub gained: usize,
    /// Only the other's is.
    pub lost: usize,
    /// McNemar's exact two-sided test.
    pub p: f64,
}

/// What a row came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowResult {
    /// Its name.
    pub name: String,
    /// All categories.
    pub overall: Count,
    /// Each category.
    pub categories: BTreeMap<String, Count>,
    /// Forwards of the generator a picture.
    pub mean_generator_forwards: f64,
    /// Sequences scored a picture.
    pub mean_reward_forwards: f64,
    /// Seconds of one core a picture.
    pub mean_seconds: f64,
    /// Against the first row of the same prompts.
    pub against_baseline: Option<Against>,
    /// Against the row before.
    pub against_previous: Option<Against>,
    /// Success if only the first 1, 2, 4, … paths had been drawn, in modes that draw several; at the stepwise row of most
    /// candidates the rows of fewer, on the prompts that all of them have.
    pub by_candidates: BTreeMap<u32, Count>,
    /// ROC-AUC of the chosen candidate's score for the final verdict, by step, in stepwise modes.
    pub auc_by_step: Vec<f64>,
    /// How far these scores are from being the chance of success, by step: the mean distance between the two over ten bins of
    /// equal width, weighted by their pictures (expected calibration error).
    pub calibration_error_by_step: Vec<f64>,
    /// Success if reflection had ended after 0, 1, 2, … rounds.
    pub by_rounds: Vec<Count>,
    /// Rounds of reflection that were kept, pictures that they mended and pictures that they broke.
    pub reflection: Option<Reflected>,
}

/// What reflection did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reflected {
    /// Rounds that were run.
    pub rounds: usize,
    /// Rounds that were kept.
    pub kept: usize,
    /// Pictures that were wrong before and right after.
    pub mended: usize,
    /// Pictures that were right before and wrong after.
    pub broken: usize,
}

/// Counts.
#[must_use]
pub fn count(verdicts: impl Iterator<Item = bool>) -> Count {
    let (mut accepted, mut n) = (0, 0);
    for verdict in verdicts {
        accepted += usize::from(verdict);
        n += 1;
    }
    Count { accepted, n, rate: accepted as f64 / n.max(1) as f64, interval_95: wilson(accepted, n) }
}

/// The figures of a row.
#[must_use]
pub fn row_result(
    row: &Row,
    drawn: &[Drawn],
    baseline: Option<(&Row, &[Drawn])>,
    previous: Option<(&Row, &[Drawn])>,
) -> RowResult {
    let mean = |of: &dyn Fn(&Drawn) -> f64| drawn.iter().map(of).sum::<f64>() / drawn.len().max(1) as f64;
    let categories = Category::ALL.into_iter().map(|category| {
        let of = drawn.iter().filter(|drawn| drawn.category == category.word());
        (category.word().to_owned(), count(of.map(|drawn| drawn.accepted)))
    });
    RowResult {
        name: row.name.clone(),
        overall: count(drawn.iter().map(|drawn| drawn.accepted)),
        categories: categories.collect(),
        mean_generator_forwards: mean(&|drawn| drawn.totals.generator_forwards.into()),
        mean_reward_forwards: mean(&|drawn| drawn.totals.reward_forwards.into()),
        mean_seconds: mean(&|drawn| drawn.totals.seconds),
        against_baseline: baseline.and_then(|(other, pictures)| against(row, drawn, other, pictures)),
        against_previous: previous.and_then(|(other, pictures)| against(row, drawn, other, pictures)),
        by_candidates: by_candidates(row, drawn),
        auc_by_step: by_step(row, drawn, auc),
        calibration_error_by_step: by_step(row, drawn, calibration_error),
        by_rounds: row.reflection.map_or_else(Vec::new, |settings| by_rounds(settings.rounds as usize, drawn)),
        reflection: row.reflection.map(|_| reflected(drawn)),
    }
}

/// Whether each picture, known by its prompt and seed, is accepted.
type Verdicts<'a> = BTreeMap<(&'a str, u64), bool>;

fn verdicts(drawn: &[Drawn]) -> Verdicts<'_> {
    drawn.iter().map(|one| ((one.prompt.as_str(), one.seed), one.accepted)).collect()
}

/// Nothing where the rows have no prompts in common.
fn against(row: &Row, drawn: &[Drawn], other: &Row, others: &[Drawn]) -> Option<Against> {
    if row.name == other.name || row.compositional != other.compositional {
        return None;
    }
    let verdicts = verdicts(others);
    let pairs: Vec<(bool, bool)> = drawn
        .iter()
        .filter_map(|drawn| Some((drawn.accepted, *verdicts.get(&(drawn.prompt.as_str(), drawn.seed))?)))
        .collect();
    let gained = pairs.iter().filter(|pair| pair.0 && !pair.1).count();
    let lost = pairs.iter().filter(|pair| !pair.0 && pair.1).count();
    (!pairs.is_empty()).then(|| Against {
        row: other.name.clone(),
        pairs: pairs.len(),
        gained,
        lost,
        p: mcnemar(gained, lost),
    })
}

/// A path's draws do not depend on how many there are, so that fewer are a part of more.
fn by_candidates(row: &Row, drawn: &[Drawn]) -> BTreeMap<u32, Count> {
    let paths = drawn.iter().map(|drawn| drawn.paths.len()).min().unwrap_or(0) as u32;
    if paths < 2 || !row.verifier.judges_at_the_end() {
        return BTreeMap::new();
    }
    let ks = (0..).map(|power| 1u32 << power).take_while(|&k| k <= paths);
    ks.map(|k| {
        let verdicts = drawn.iter().map(|drawn| {
            let first = &drawn.paths[..k as usize];
            if row.oracle {
                return first.iter().any(|path| path.accepted);
            }
            let scores: Vec<f32> = first.iter().map(|path| path.score.unwrap_or(f32::NAN)).collect();
            first[showo::verify::best(&scores)].accepted
        });
        (k, count(verdicts))
    })
    .collect()
}

/// Success by k in a stepwise mode, each k a row of its own and k = 1 the baseline, on the prompts that all of them have; and
/// which row has the most candidates. Nothing where the mode has one row.
#[must_use]
pub fn by_rows(measured: &[(&Row, Vec<Drawn>)], mode: VerifierMode) -> Option<(usize, BTreeMap<u32, Count>)> {
    let plain = |row: &Row| row.generator == Tuning::Base && row.reflection.is_none() && !row.compositional;
    let of: Vec<usize> = (0..measured.len())
        .filter(|&index| index == 0 || (measured[index].0.verifier == mode && plain(measured[index].0)))
        .collect();
    let most = *of.iter().max_by_key(|&&index| measured[index].0.candidates)?;
    let verdicts: Vec<(u32, Verdicts)> =
        of.iter().map(|&index| (measured[index].0.candidates, verdicts(&measured[index].1))).collect();
    let (_, first) = verdicts.first()?;
    let common: Vec<&(&str, u64)> =
        first.keys().filter(|key| verdicts.iter().all(|(_, drawn)| drawn.contains_key(*key))).collect();
    let counts = verdicts.iter().map(|(k, drawn)| (*k, count(common.iter().map(|key| drawn[*key]))));
    (of.len() > 2 && !common.is_empty()).then(|| (most, counts.collect()))
}

/// A figure of the chosen candidates' scores after every step, each with the final verdict, where every step has one.
fn by_step(row: &Row, drawn: &[Drawn], figure: impl Fn(&[(f32, bool)]) -> f64) -> Vec<f64> {
    if !row.verifier.is_stepwise() {
        return Vec::new();
    }
    let steps = drawn.iter().map(|drawn| drawn.step_scores.len()).min().unwrap_or(0);
    (0..steps)
        .map(|step| figure(&drawn.iter().map(|drawn| (drawn.step_scores[step], drawn.accepted)).collect::<Vec<_>>()))
        .collect()
}

fn calibration_error(scored: &[(f32, bool)]) -> f64 {
    const BINS: usize = 10;
    let mut bins = [(0.0, 0.0); BINS];
    for &(score, accepted) in scored {
        let (said, happened) = &mut bins[((score * BINS as f32) as usize).min(BINS - 1)];
        *said += f64::from(score);
        *happened += f64::from(u8::from(accepted));
    }
    bins.iter().map(|(said, happened): &(f64, f64)| (said - happened).abs()).sum::<f64>() / scored.len().max(1) as f64
}

fn by_rounds(most: usize, drawn: &[Drawn]) -> Vec<Count> {
    (0..=most).map(|rounds| count(drawn.iter().map(|drawn| drawn.accepted_after(rounds)))).collect()
}

fn reflected(drawn: &[Drawn]) -> Reflected {
    let rounds = || drawn.iter().flat_map(|drawn| &drawn.rounds);
    let before = Drawn::accepted_before_reflection;
    Reflected {
        rounds: rounds().count(),
        kept: rounds().filter(|round| round.kept).count(),
        mended: drawn.iter().filter(|drawn| !before(drawn) && drawn.accepted).count(),
        broken: drawn.iter().filter(|drawn| before(drawn) && !drawn.accepted).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::{PathDrawn, RoundDrawn};
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.into(),
            generator: Tuning::Base,
            verifier: VerifierMode::BestOfK,
            candidates: 2,
            reflection: None,
            seeds: 1,
            per_category: None,
            compositional: false,
            oracle: false,
        }
    }

    fn drawn(number: usize, accepted: bool, paths: &[(f32, bool)]) -> Drawn {
        Drawn {
            number,
            category: "colours".into(),
            prompt: format!("prompt {number}"),
            seed: number as u64,
            accepted,
            paths: paths
                .iter()
                .zip(0..)
                .map(|(&(score, accepted), path)| PathDrawn { path, score: Some(score), accepted })
                .collect(),
            chosen: None,
            step_scores: Vec::new(),
            rounds: Vec::new(),
            totals: Default::default(),
        }
    }

    #[test]
    fn fewer_candidates_are_the_first_of_more() {
        let pictures = [
            drawn(0, true, &[(0.1, false), (0.9, true)]),
            drawn(1, false, &[(0.1, true), (0.9, false)]),
            drawn(2, false, &[(0.5, false), (0.4, true)]),
        ];
        let result = row_result(&row("a"), &pictures, None, None);
        assert_eq!(result.by_candidates[&1].accepted, 1);
        assert_eq!(result.by_candidates[&2].accepted, 1);
        let oracle = Row { oracle: true, ..row("oracle") };
        assert_eq!(row_result(&oracle, &pictures, None, None).by_candidates[&2].accepted, 3);
    }

    #[test]
    fn rows_are_compared_picture_by_picture() {
        let ours = [drawn(0, true, &[]), drawn(1, true, &[]), drawn(2, false, &[]), drawn(7, true, &[])];
        let theirs = [drawn(0, false, &[]), drawn(1, true, &[]), drawn(2, true, &[])];
        let (a, b) = (row("a"), row("b"));
        let against = row_result(&a, &ours, Some((&b, &theirs)), None).against_baseline.unwrap();
        assert_eq!((against.pairs, against.gained, against.lost, against.p), (3, 1, 1, 1.0));
    }

    #[test]
    fn rounds_end_with_the_last_one_kept() {
        let round = |kept, accepted| RoundDrawn { kept, accepted };
        let one = Drawn {
            chosen: Some(0),
            rounds: vec![round(false, true), round(true, true), round(true, false)],
            ..drawn(0, false, &[(0.9, false), (0.1, true)])
        };
        let rates: Vec<usize> = by_rounds(3, &[one]).iter().map(|count| count.accepted).collect();
        assert_eq!(rates, [0, 0, 1, 0]);
    }

    #[test]
    fn scores_that_are_chances_are_calibrated() {
        let even = [(0.5, true), (0.5, false), (0.96, true)];
        assert!((calibration_error(&even) - 0.04 / 3.0).abs() < 1e-6);
        assert!((calibration_error(&[(1.0, false), (0.0, true)]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_curve_of_rows_is_of_the_prompts_that_all_of_them_have() {
        let stepwise = |candidates| Row { verifier: VerifierMode::Parm, candidates, ..row("parm") };
        let (none, two, four) = (row("none"), stepwise(2), stepwise(4));
        let none = Row { verifier: VerifierMode::None, candidates: 1, ..none };
        let drawn = |accepted: &[bool]| accepted.iter().enumerate().map(|(at, &one)| drawn(at, one, &[])).collect();
        let measured =
            [(&none, drawn(&[false, true, true])), (&two, drawn(&[false, true])), (&four, drawn(&[true, true, false]))];
        let (most, counts) = by_rows(&measured, VerifierMode::Parm).unwrap();
        let counts: Vec<(u32, usize, usize)> = counts.iter().map(|(&k, count)| (k, count.accepted, count.n)).collect();
        assert_eq!((most, counts), (2, vec![(1, 1, 2), (2, 1, 2), (4, 2, 2)]));
        assert_eq!(by_rows(&measured, VerifierMode::Prm), None);
    }
}
