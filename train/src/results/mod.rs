//! `train results`: every strategy on the same prompts with the same seeds, drawn by the engine's own session from the
//! shipped bundle; `results/scenes.json`, plots, and the table of docs/results.md.
//!
//! | file | its one idea |
//! |---|---|
//! | `config.rs` | what is measured |
//! | `picture.rs`, `row.rs` | one picture; all of a row, in a file that an interrupted run goes on with |
//! | `stats.rs` | intervals and tests for counts of successes |
//! | `report.rs` | from pictures to figures |
//! | `tables.rs`, `plots.rs`, `examples.rs` | the figures as tables and plots; pictures worth looking at |
//! | `place.rs` | when and where it was measured |

mod config;
mod examples;
mod picture;
mod place;
mod plots;
mod report;
mod row;
mod stats;
mod tables;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use showo::settings::VerifierMode;

pub use config::ResultsConfig;
use config::Row;
use picture::Drawn;
use report::{Results, RowResult, by_rows, count, row_result};
use stats::binomial_tail;

/// The table stands between these.
const MARKERS: [&str; 2] = ["<!-- results: begin -->", "<!-- results: end -->"];
/// The quick check fails where the recorded rate makes what was seen less likely than this.
const UNLIKELY: f64 = 1e-4;

/// Where things are read and written.
pub struct Places<'a> {
    /// The shipped bundle.
    pub bundle: &'a Path,
    /// The rows' pictures, kept between runs.
    pub pictures: &'a Path,
    /// `scenes.json` and plots.
    pub results: &'a Path,
    /// Its table is replaced.
    pub readme: &'a Path,
}

/// Measures every row.
///
/// # Errors
/// As [`row::run`]; files that cannot be written.
pub fn run(config: &ResultsConfig, places: &Places) -> Result<()> {
    std::fs::create_dir_all(places.pictures).with_context(|| format!("cannot make {}", places.pictures.display()))?;
    std::fs::create_dir_all(places.results).with_context(|| format!("cannot make {}", places.results.display()))?;
    // What would fail after hours of drawing fails now.
    with_table(places.readme, "")?;
    row::drawable(config, places.bundle)?;
    let mut measured: Vec<(&Row, Vec<Drawn>)> = Vec::new();
    for row in &config.row {
        let bar = bar(row, row::work(config, row).len());
        let Some(drawn) = row::run(config, row, places.bundle, places.pictures, &bar)? else {
            bar.abandon();
            bail!("stopped; the same command goes on where it was");
        };
        bar.finish_and_clear();
        let overall = count(drawn.iter().map(|drawn| drawn.accepted));
        println!("{:<28} {} of {} ({:.3})", row.name, overall.accepted, overall.n, overall.rate);
        measured.push((row, drawn));
    }
    let rows = measured.iter().enumerate().map(|(index, (row, drawn))| {
        let other = |index: usize| measured.get(index).map(|(row, drawn)| (*row, drawn.as_slice()));
        // Unseen pairs have a baseline of their own.
        let baseline = measured.iter().position(|(first, _)| first.compositional == row.compositional);
        row_result(row, drawn, baseline.and_then(other), index.checked_sub(1).and_then(other))
    });
    let mut rows: Vec<RowResult> = rows.collect();
    for mode in VerifierMode::ALL.into_iter().filter(|mode| mode.is_stepwise()) {
        if let Some((most, counts)) = by_rows(&measured, mode) {
            rows[most].by_candidates = counts;
        }
    }
    let results = Results {
        date: place::date(),
        machine: place::machine(),
        commit: place::commit(),
        bundle: places.bundle.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        bundle_sha256: row::sha256(places.bundle)?,
        config: config.clone(),
        rows,
    };
    let path = places.results.join("scenes.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&results)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    plots::draw(&results, places.results)?;
    let page = places.bundle.join("results.json");
    std::fs::write(&page, serde_json::to_vec_pretty(&results.page_table(examples::find(config, &measured)))?)
        .with_context(|| format!("cannot write {}", page.display()))?;
    // Read again: in the hours since the beginning somebody may have written to it.
    std::fs::write(places.readme, with_table(places.readme, &results.table())?)
        .with_context(|| format!("cannot write {}", places.readme.display()))?;
    println!("written to {} and {}", path.display(), places.readme.display());
    Ok(())
}

/// Draws the first few pictures of some rows again and fails where the shipped bundle does worse than its recorded
/// figures allow.
///
/// # Errors
/// It does worse; the figures are another bundle's; as [`row::run`].
pub fn quick(places: &Places) -> Result<()> {
    let path = places.results.join("scenes.json");
    let text = showo::text::read_file(&path)
        .with_context(|| format!("cannot read {}; run `train results`", path.display()))?;
    let results: Results =
        serde_json::from_str(&text).with_context(|| format!("{} is no record of results", path.display()))?;
    ensure!(
        row::sha256(places.bundle)? == results.bundle_sha256,
        "{} was measured on another bundle than {}: run `train results` again",
        path.display(),
        places.bundle.display()
    );
    let scratch = tempfile::tempdir()?;
    for row in results.config.row.iter().filter(|row| results.config.quick.contains(&row.name)) {
        let recorded = results.rows.iter().find(|recorded| recorded.name == row.name);
        let recorded = recorded.with_context(|| format!("{} lacks the row {}", path.display(), row.name))?.overall;
        let row = Row { per_category: Some(results.config.quick_per_category), ..row.clone() };
        let bar = bar(&row, row::work(&results.config, &row).len());
        let drawn = row::run(&results.config, &row, places.bundle, scratch.path(), &bar)?.context("stopped")?;
        bar.finish_and_clear();
        let now = count(drawn.iter().map(|drawn| drawn.accepted));
        let chance = binomial_tail(now.accepted, now.n, recorded.rate);
        println!(
            "{:<28} {} of {}; recorded {} of {}: so few by chance {chance:.4}",
            row.name, now.accepted, now.n, recorded.accepted, recorded.n
        );
        ensure!(chance >= UNLIKELY, "the row {} does worse than its recorded figure allows", row.name);
    }
    Ok(())
}

fn bar(row: &Row, pictures: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} [{elapsed_precise} < {eta_precise}]");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(pictures as u64).with_style(style).with_message(row.name.clone())
}

/// The file's text with the table.
fn with_table(readme: &Path, table: &str) -> Result<String> {
    let text = showo::text::read_file(readme).with_context(|| format!("cannot read {}", readme.display()))?;
    between_markers(&text, table).with_context(|| format!("in {}", readme.display()))
}

/// `text` with what stands between the markers replaced.
fn between_markers(text: &str, table: &str) -> Result<String> {
    let [begin, end] = MARKERS;
    let (before, rest) = text.split_once(begin).with_context(|| format!("there is no line `{begin}`"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("there is no line `{end}`"))?;
    Ok(format!("{before}{begin}\n{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_is_replaced() {
        let text = "a\n<!-- results: begin -->\nold\n<!-- results: end -->\nb\n";
        let replaced = between_markers(text, "new\n").unwrap();
        assert_eq!(replaced, "a\n<!-- results: begin -->\nnew\n<!-- results: end -->\nb\n");
        assert_eq!(between_markers(&replaced, "new\n").unwrap(), replaced);
        assert!(between_markers("nothing", "new").unwrap_err().to_string().contains("results: begin"));
    }

    #[test]
    fn the_committed_configuration_measures_every_prompt_with_one_seed() {
        let config: ResultsConfig = toml::from_str(include_str!("../../configs/results.toml")).unwrap();
        let baseline = row::work(&config, &config.row[0]);
        assert!(baseline.len() as u64 >= 553 * config.row[0].seeds, "{}", baseline.len());
        let seeds: std::collections::BTreeSet<u64> = baseline.iter().map(|item| item.2).collect();
        assert_eq!(seeds.len(), baseline.len(), "no two pictures share a seed");
        for row in config.row.iter().filter(|row| !row.compositional) {
            let work = row::work(&config, row);
            assert!(work.iter().all(|item| baseline.contains(item)), "{}", row.name);
        }
        for name in &config.quick {
            assert!(config.row.iter().any(|row| row.name == *name), "{name}");
        }
    }
}
