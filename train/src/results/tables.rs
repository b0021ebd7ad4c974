//! The figures as tables: docs/results.md's, and the page's.

use scenes::Category;
use serde::Serialize;
use showo::settings::Settings;

use super::config::Row;
use super::examples::Example;
use super::report::{Against, Count, Results};
use super::row::work;

/// What the page shows below the picture: `results.json` beside the bundle (www/README.md).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageTable {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// How each row drew its first picture; nothing where the checker chose, which the page does not offer.
    ways: Vec<Option<Settings>>,
    command: &'static str,
    examples: Vec<Example>,
}

impl Results {
    /// The same in fewer columns, and pictures to look at, for the page.
    #[must_use]
    pub fn page_table(&self, examples: Vec<Example>) -> PageTable {
        let words = ["strategy", "accepted by the checker", "95 % interval", "against one draw", "draws judged"];
        let rows = self.rows.iter().map(|row| {
            let Count { accepted, n, rate, interval_95: (low, high) } = row.overall;
            let against = row.against_baseline.as_ref();
            vec![
                row.name.clone(),
                format!("{:.1} % ({accepted} of {n})", 100.0 * rate),
                format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high),
                against.map_or_else(String::new, |against| format!("+{} −{}", against.gained, against.lost)),
                format!("{:.0}", row.mean_reward_forwards),
            ]
        });
        PageTable {
            caption: format!(
                "{} prompts evenly over GenEval's six categories, T = {}, guidance {}, temperature {}; {}, {}",
                self.config.prompts,
                self.config.steps,
                self.config.guidance_scale,
                self.config.temperature,
                self.machine,
                self.date
            ),
            columns: words.map(str::to_owned).to_vec(),
            rows: rows.collect(),
            ways: self.config.row.iter().map(|row| self.way(row)).collect(),
            command: "cargo run --release -p train -- results",
            examples,
        }
    }

    fn way(&self, row: &Row) -> Option<Settings> {
        let (_, spec, seed) = work(&self.config, row).into_iter().next().filter(|_| !row.oracle)?;
        Some(self.config.settings(row, &spec.prompt(), seed))
    }

    /// The table of docs/results.md.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!(
            "Bundle `{}` ({}…), {} prompts evenly over six categories, T = {}, guidance {}, temperature {}, seed {}; {}, {}, commit {}.\n\n",
            self.bundle,
            self.bundle_sha256.get(..12).unwrap_or_default(),
            self.config.prompts,
            self.config.steps,
            self.config.guidance_scale,
            self.config.temperature,
            self.config.seed,
            self.machine,
            self.date,
            self.commit,
        );
        table += "| row | accepted | 95 % | against the baseline | against the row before | generator forwards | scored | s a picture |\n|---|---|---|---|---|---|---|---|\n";
        for row in &self.rows {
            let Count { accepted, n, rate, interval_95: (low, high) } = row.overall;
            let [baseline, previous] = [&row.against_baseline, &row.against_previous]
                .map(|against| against.as_ref().map_or_else(String::new, compared));
            table += &format!(
                "| {} | {accepted} of {n} ({rate:.3}) | {low:.3}–{high:.3} | {baseline} | {previous} | {:.0} | {:.0} | {:.1} |\n",
                row.name, row.mean_generator_forwards, row.mean_reward_forwards, row.mean_seconds,
            );
        }
        table += "\n| row |";
        for category in Category::ALL {
            table += &format!(" {category} |");
        }
        table += &format!("\n|---|{}\n", "---|".repeat(Category::ALL.len()));
        for row in &self.rows {
            table += &format!("| {} |", row.name);
            for category in Category::ALL {
                table +=
                    &row.categories.get(category.word()).map_or(" |".into(), |count| format!(" {:.2} |", count.rate));
            }
            table += "\n";
        }
        table
    }
}

fn compared(against: &Against) -> String {
    format!("+{} −{}, p = {}", against.gained, against.lost, chance(against.p))
}

fn chance(p: f64) -> String {
    if p < 1e-4 { format!("{p:.0e}") } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::super::config::ResultsConfig;
    use super::*;

    #[test]
    fn the_page_is_told_how_each_row_draws() {
        let config: ResultsConfig = toml::from_str(include_str!("../../configs/results.toml")).unwrap();
        let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../results/scenes.json")).unwrap();
        let results = Results { config, ..serde_json::from_slice(&text).unwrap() };
        let PageTable { rows, ways, .. } = results.page_table(Vec::new());
        assert_eq!(ways.len(), rows.len());
        for (row, way) in results.config.row.iter().zip(ways) {
            let Some(way) = way else {
                assert!(row.oracle, "{} cannot be drawn on the page", row.name);
                continue;
            };
            assert!(!row.oracle, "{}: no page has the checker choose", row.name);
            way.validate(8).unwrap();
            assert_eq!((way.verifier, way.candidates, way.reflection), (row.verifier, row.candidates, row.reflection));
        }
    }
}
