//! `results/*.svg`.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::report::{Count, Results};
use crate::metrics::register_fonts;

/// A curve with its name and 95 % intervals: (x, count).
type Curve = (String, Vec<(f64, Count)>);

/// Draws every plot into `folder`.
///
/// # Errors
/// A file cannot be written.
pub fn draw(results: &Results, folder: &Path) -> Result<()> {
    register_fonts()?;
    let by_candidates: Vec<Curve> = results
        .rows
        .iter()
        .filter(|row| !row.by_candidates.is_empty())
        .map(|row| (row.name.clone(), row.by_candidates.iter().map(|(&k, &count)| (f64::from(k), count)).collect()))
        .collect();
    if !by_candidates.is_empty() {
        curves(&folder.join("candidates.svg"), "candidates k", &by_candidates)?;
    }
    let compute: Vec<Curve> =
        results.rows.iter().map(|row| (row.name.clone(), vec![(row.mean_seconds, row.overall)])).collect();
    curves(&folder.join("compute.svg"), "seconds of one core a picture", &compute)
}

/// Success over something, on a logarithmic axis.
fn curves(path: &Path, x_name: &str, curves: &[Curve]) -> Result<()> {
    let draw = || -> Result<(), Box<dyn std::error::Error>> {
        let xs = || curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.0));
        let (low, high) = (xs().fold(f64::MAX, f64::min), xs().fold(f64::MIN, f64::max));
        let area = SVGBackend::new(path, (820, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(20)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d((low * 0.9..high * 1.1).log_scale(), 0.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc(x_name)
            .y_desc("accepted by the checker")
            .light_line_style(WHITE)
            .x_label_formatter(&|x| format!("{x:.1}"))
            .draw()?;
        for (index, (name, points)) in curves.iter().enumerate() {
            let colour = Palette99::pick(index).to_rgba();
            let line = points.iter().map(|(x, count)| (*x, count.rate));
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
            let bars = points.iter().map(|(x, count)| {
                let (low, high) = count.interval_95;
                ErrorBar::new_vertical(*x, low, count.rate, high, colour.stroke_width(1), 6)
            });
            chart.draw_series(bars)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    };
    draw().map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}
