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

/// A curve with its name: x and what is there.
type Curve = (String, Vec<(f64, Point)>);

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
    let compute = whole(results).map(|(_, row)| (row.name.clone(), vec![(row.mean_seconds, row.overall.into())]));
    plot("compute.svg", "seconds of one core a picture", accepted, true, &compute.collect::<Vec<_>>())?;
    plot("rounds.svg", "rounds of reflection", accepted, false, &rounds(results))?;
    plot("steps.svg", "step", "ROC-AUC and calibration error of the scores", false, &steps(results))
}

fn by_candidates(results: &Results) -> Vec<Curve> {
    let rows = results.rows.iter().filter(|row| !row.by_candidates.is_empty());
    rows.map(|row| {
        let points = row.by_candidates.iter().map(|(&k, &count)| (f64::from(k), count.into()));
        (row.name.clone(), points.collect())
    })
    .collect()
}

/// Rows that drew every prompt: those of a part belong to a curve of their own.
fn whole(results: &Results) -> impl Iterator<Item = (&Row, &RowResult)> {
    results.config.row.iter().zip(&results.rows).filter(|(row, _)| row.per_category.is_none())
}

fn rounds(results: &Results) -> Vec<Curve> {
    let rows = results.rows.iter().filter(|row| !row.by_rounds.is_empty());
    rows.map(|row| (row.name.clone(), (0..).map(f64::from).zip(row.by_rounds.iter().map(|&c| c.into())).collect()))
        .collect()
}

fn steps(results: &Results) -> Vec<Curve> {
    let by_step = |figures: &[f64]| (1..).map(f64::from).zip(figures.iter().map(|&figure| figure.into())).collect();
    let rows = whole(results).filter(|(_, row)| !row.auc_by_step.is_empty());
    rows.flat_map(|(_, row)| {
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

impl Plot<'_> {
    /// The least and the greatest x.
    fn reach(&self) -> (f64, f64) {
        let xs = || self.curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.0));
        (xs().fold(f64::MAX, f64::min), xs().fold(f64::MIN, f64::max))
    }

    fn draw(&self, path: &Path) -> Result<()> {
        let (low, high) = self.reach();
        let area = SVGBackend::new(path, (820, 520)).into_drawing_area();
        let drawn = if self.logarithmic {
            self.on(&area, (low * 0.9..high * 1.1).log_scale().base(2.0))
        } else {
            self.on(&area, low..high.max(low + 1.0))
        };
        drawn.and_then(|()| Ok(area.present()?)).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
    }

    fn on<X>(&self, area: &DrawingArea<SVGBackend, Shift>, x: X) -> Result<(), Box<dyn std::error::Error>>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
    {
        area.fill(&WHITE)?;
        // One at every step and round: they are whole numbers.
        let (low, high) = self.reach();
        let labels = if self.logarithmic { 10 } else { (high - low) as usize + 1 };
        let mut chart = ChartBuilder::on(area)
            .margin(20)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(x, 0.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc(self.x_name)
            .y_desc(self.y_name)
            .light_line_style(WHITE)
            .x_labels(labels)
            .x_label_formatter(&|x| format!("{x}"))
            .draw()?;
        for (index, (name, points)) in self.curves.iter().enumerate() {
            let colour = Palette99::pick(index).to_rgba();
            let line = points.iter().map(|(x, point)| (*x, point.rate));
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
            let bars = points.iter().filter_map(|(x, point)| Some((*x, point.rate, point.interval_95?)));
            chart.draw_series(
                bars.map(|(x, rate, (low, high))| {
                    ErrorBar::new_vertical(x, low, rate, high, colour.stroke_width(1), 6)
                }),
            )?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    }
}
