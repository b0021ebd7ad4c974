//! `results/*.svg`.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::config::Row;
use super::report::{Count, Results, RowResult};
use crate::metrics::register_fonts;

/// A rate, with its 95 % interval where it is a count's.
struct Point {
    rate: f64,
    interval_95: Option<(f64, f64)>,
}

impl From<Count> for Point {
    fn from(count: Count) -> Self {
        Self { rate: count.rate, interval_95: Some(count.interval_95) }
    }
}

impl From<f64> for Point {
    fn from(rate: f64) -> Self {
        Self { rate, interval_95: None }
    }
}

impl Point {
    fn lowest(&self) -> f64 {
        self.interval_95.map_or(self.rate, |(low, _)| low)
    }
}

/// A curve with its name: x and what is there.
type Curve = (String, Vec<(f64, Point)>);

/// Dark enough on white, and as many as the plot with most curves has.
const COLOURS: [RGBColor; 15] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(23, 150, 165),
    RGBColor(227, 80, 180),
    RGBColor(140, 86, 75),
    RGBColor(110, 110, 110),
    RGBColor(160, 160, 20),
    RGBColor(0, 50, 100),
    RGBColor(0, 100, 60),
    RGBColor(120, 0, 60),
    RGBColor(200, 150, 0),
    RGBColor(120, 170, 230),
];

/// Draws every plot into `folder`.
///
/// # Errors
/// A file cannot be written.
pub fn draw(results: &Results, folder: &Path) -> Result<()> {
    register_fonts()?;
    let plot = |name: &str, x_name: &str, y_name: &str, logarithmic: bool, curves: &[Curve]| {
        if curves.is_empty() {
            return Ok(());
        }
        Plot { x_name, y_name, logarithmic, curves }.draw(&folder.join(name))
    };
    let accepted = "accepted by the checker";
    plot("candidates.svg", "candidates k", accepted, true, &by_candidates(results))?;
    plot("compute.svg", "seconds of one core a picture", accepted, true, &by_compute(results))?;
    plot("rounds.svg", "rounds of reflection", accepted, false, &rounds(results))?;
    plot("steps.svg", "step", "ROC-AUC and calibration error of the scores", false, &steps(results))
}

fn of_known_pairs(results: &Results) -> impl Iterator<Item = (&Row, &RowResult)> {
    results.config.row.iter().zip(&results.rows).filter(|(row, _)| !row.compositional)
}

/// Whether two rows differ in the number of candidates alone.
fn alike(one: &Row, other: &Row) -> bool {
    let way = |row: &Row| (row.generator, row.verifier, row.reflection, row.oracle, row.compositional);
    way(one) == way(other)
}

/// Rows that differ in k alone, together, the least k first.
fn families(results: &Results) -> Vec<Vec<(&Row, &RowResult)>> {
    let mut families: Vec<Vec<(&Row, &RowResult)>> = Vec::new();
    for one in of_known_pairs(results) {
        match families.iter_mut().find(|family| alike(family[0].0, one.0)) {
            Some(family) => family.push(one),
            None => families.push(vec![one]),
        }
    }
    families.iter_mut().for_each(|family| family.sort_by_key(|(row, _)| row.candidates));
    families
}

/// `PARM, k = 4` and `PARM, k = 16` as `PARM, k = 4, 16`.
fn family_name(family: &[(&Row, &RowResult)]) -> String {
    let [(row, _)] = family else {
        let name = family[0].0.name.split(',').next().unwrap_or_default();
        let ks: Vec<String> = family.iter().map(|(row, _)| row.candidates.to_string()).collect();
        return format!("{name}, k = {}", ks.join(", "));
    };
    row.name.clone()
}

/// Of every family the row that has the longest curve.
fn by_candidates(results: &Results) -> Vec<Curve> {
    let longest = families(results).into_iter().filter_map(|family| {
        let (_, row) = family.iter().max_by_key(|(_, row)| row.by_candidates.len())?;
        let points = row.by_candidates.iter().map(|(&k, &count)| (f64::from(k), count.into()));
        Some((family[0].0.name.split(',').next()?.to_owned(), points.collect()))
    });
    longest.filter(|(_, points): &Curve| !points.is_empty()).collect()
}

fn by_compute(results: &Results) -> Vec<Curve> {
    let curve = |family: Vec<(&Row, &RowResult)>| {
        let points = family.iter().map(|(_, row)| (row.mean_seconds, row.overall.into()));
        (family_name(&family), points.collect())
    };
    families(results).into_iter().map(curve).collect()
}

fn rounds(results: &Results) -> Vec<Curve> {
    let rows = results.rows.iter().filter(|row| !row.by_rounds.is_empty());
    rows.map(|row| (row.name.clone(), (0..).map(f64::from).zip(row.by_rounds.iter().map(|&c| c.into())).collect()))
        .collect()
}

/// One row of every stepwise mode, the first in the table; after reflection the verdict is of another picture than was scored.
fn steps(results: &Results) -> Vec<Curve> {
    let by_step = |figures: &[f64]| (1..).map(f64::from).zip(figures.iter().map(|&figure| figure.into())).collect();
    let rows: Vec<(&Row, &RowResult)> =
        of_known_pairs(results).filter(|(row, of)| row.reflection.is_none() && !of.auc_by_step.is_empty()).collect();
    let first = |index: &usize| !rows[..*index].iter().any(|(row, _)| alike(row, rows[*index].0));
    (0..rows.len())
        .filter(first)
        .flat_map(|index| {
            let row = rows[index].1;
            [
                (format!("{}: AUC", row.name), by_step(&row.auc_by_step)),
                (format!("{}: calibration error", row.name), by_step(&row.calibration_error_by_step)),
            ]
        })
        .collect()
}

/// A plot of rates.
struct Plot<'a> {
    x_name: &'a str,
    y_name: &'a str,
    logarithmic: bool,
    curves: &'a [Curve],
}

/// Width and height in pixels; the names of the curves stand on the right, where they hide nothing.
const SIZE: (u32, u32) = (1080, 520);
const CHART_WIDTH: u32 = 740;

impl Plot<'_> {
    fn points(&self) -> impl Iterator<Item = &(f64, Point)> {
        self.curves.iter().flat_map(|curve| &curve.1)
    }

    fn draw(&self, path: &Path) -> Result<()> {
        let (low, high) = self.points().fold((f64::MAX, f64::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        let drawn = if self.logarithmic {
            self.on(&area, (low * 0.9..high * 1.1).log_scale().base(2.0), 10)
        } else {
            // One label at every step and round: they are whole numbers.
            self.on(&area, low..high.max(low + 1.0), (high - low) as usize + 1)
        };
        drawn.and_then(|()| Ok(area.present()?)).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
    }

    fn on<X>(
        &self,
        area: &DrawingArea<SVGBackend, Shift>,
        x: X,
        labels: usize,
    ) -> Result<(), Box<dyn std::error::Error>>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
    {
        area.fill(&WHITE)?;
        let (chart_area, names) = area.split_horizontally(CHART_WIDTH);
        let lowest = self.points().map(|(_, point)| point.lowest()).fold(1.0, f64::min);
        let mut chart = ChartBuilder::on(&chart_area)
            .margin(20)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(x, (lowest * 10.0).floor() / 10.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc(self.x_name)
            .y_desc(self.y_name)
            .light_line_style(WHITE)
            .x_labels(labels)
            .x_label_formatter(&|x| format!("{x}"))
            .y_label_formatter(&|y| format!("{y:.2}"))
            .draw()?;
        for (index, (name, points)) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = points.iter().map(|(x, point)| (*x, point.rate));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?;
            let bars = points.iter().filter_map(|(x, point)| Some((*x, point.rate, point.interval_95?)));
            chart.draw_series(
                bars.map(|(x, rate, (low, high))| {
                    ErrorBar::new_vertical(x, low, rate, high, colour.stroke_width(1), 6)
                }),
            )?;
            let y = 36 + 22 * index as i32;
            names.draw(&Rectangle::new([(0, y), (12, y + 8)], colour.filled()))?;
            names.draw(&Text::new(name.as_str(), (20, y - 2), ("sans-serif", 14)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../results/scenes.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn rows_that_differ_in_k_alone_are_one_curve() {
        let results = results();
        let curves = by_compute(&results);
        let parm = curves.iter().find(|(name, _)| name == "PARM, k = 2, 4, 8, 16").unwrap();
        assert_eq!(parm.1.len(), 4);
        assert!(parm.1.is_sorted_by(|one, other| one.0 < other.0), "more candidates take longer");
        assert!(curves.iter().any(|(name, points)| name == "PARM++, every round" && points.len() == 1));
        assert!(curves.len() <= COLOURS.len(), "a colour for each");
        let drawn: usize = curves.iter().map(|(_, points)| points.len()).sum();
        assert_eq!(drawn, results.config.row.iter().filter(|row| !row.compositional).count());
    }

    #[test]
    fn every_mode_has_one_curve_by_candidates_and_one_pair_by_step() {
        let results = results();
        let by_k = by_candidates(&results);
        let names: Vec<&str> = by_k.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["zero-shot ORM: CLIPScore", "fine-tuned ORM", "PRM", "PARM", "oracle"]);
        assert!(by_k.iter().all(|(_, points)| points.len() >= 3));
        assert_eq!(steps(&results).len(), 4);
        let folder = tempfile::tempdir().unwrap();
        draw(&results, folder.path()).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("candidates.svg")).unwrap();
        assert!(names.iter().all(|name| svg.contains(name)));
    }
}
