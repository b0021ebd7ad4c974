//! What a run measured: one JSON line a step, and a plot of the loss.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::register_font;
use serde_json::json;

use crate::checkpoint::State;

/// The metrics file of a run.
pub struct Metrics {
    file: File,
}

impl Metrics {
    /// Opens `metrics.jsonl`, dropping lines at or after `step`: they belong to steps that were lost.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join("metrics.jsonl");
        let kept: Vec<String> = match File::open(&path) {
            Ok(file) => BufReader::new(file)
                .lines()
                .map_while(Result::ok)
                .filter(|line| step_of(line).is_some_and(|at| at <= step))
                .collect(),
            Err(_) => Vec::new(),
        };
        let mut file = File::create(&path)?;
        for line in kept {
            writeln!(file, "{line}")?;
        }
        Ok(Self { file })
    }

    /// Appends one step.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(
        &mut self,
        state: &State,
        loss: f32,
        logged: &BTreeMap<&'static str, f32>,
        rate: f64,
        took: Duration,
    ) -> Result<()> {
        let line = json!({
            "step": state.step, "examples": state.examples, "seconds": state.seconds, "loss": loss,
            "learning_rate": rate, "step_seconds": took.as_secs_f64(), "logged": logged,
        });
        writeln!(self.file, "{line}")?;
        Ok(())
    }

    /// Draws `loss.png` from the file: loss by step, means over a two-hundredth of the run.
    ///
    /// # Errors
    /// The picture cannot be written.
    pub fn plot(&mut self, folder: &Path) -> Result<()> {
        self.file.flush()?;
        let lines = BufReader::new(File::open(folder.join("metrics.jsonl"))?).lines();
        let losses: Vec<(f64, f64)> = lines
            .map_while(Result::ok)
            .filter_map(|line| {
                let value: serde_json::Value = serde_json::from_str(&line).ok()?;
                Some((value["step"].as_f64()?, value["loss"].as_f64()?))
            })
            .collect();
        // The eye wants the trend.
        let width = (losses.len() / 200).max(1);
        let points: Vec<(f64, f64)> = losses
            .chunks(width)
            .map(|part| (part[part.len() - 1].0, part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64))
            .collect();
        let Some(last) = points.last().copied() else { return Ok(()) };
        let top = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min).min(0.0);
        let path = folder.join("loss.png");
        register_fonts()?;
        let draw = || -> Result<(), Box<dyn std::error::Error>> {
            let area = BitMapBackend::new(&path, (960, 540)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .margin(20)
                .x_label_area_size(48)
                .y_label_area_size(64)
                .build_cartesian_2d(0.0..last.0.max(1.0), low..top * 1.05)?;
            chart
                .configure_mesh()
                .x_desc("optimizer step")
                .y_desc("training loss")
                .label_style(("sans-serif", 16))
                .axis_desc_style(("sans-serif", 18))
                .light_line_style(WHITE)
                .draw()?;
            chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)))?;
            area.present()?;
            Ok(())
        };
        draw().map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
    }
}

/// Plots bring their font along: a machine without any draws the same.
///
/// # Errors
/// The font in this program is damaged.
pub fn register_fonts() -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| anyhow!("the plot's font cannot be read"))
}

fn step_of(line: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(line).ok()?["step"].as_u64()
}
