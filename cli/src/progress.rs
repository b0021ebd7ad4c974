//! A bar while a bundle loads, a line while it draws.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};
use showo::bundle::{LoadProgress, ModelKind};

/// A bar for one model after the other. Shown only where standard error is a terminal.
pub struct LoadBar {
    bar: ProgressBar,
    kind: Option<ModelKind>,
}

impl LoadBar {
    pub fn new() -> Self {
        Self { bar: bar("{prefix:>12} {wide_bar} {bytes}/{total_bytes}"), kind: None }
    }

    pub fn report(&mut self, progress: LoadProgress<'_>) {
        if self.kind.replace(progress.kind) != Some(progress.kind) {
            self.bar.set_prefix(progress.kind.word());
            self.bar.set_length(progress.bytes_total);
        }
        self.bar.set_position(progress.bytes_done);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over the steps of a drawing.
pub fn steps(count: u64) -> ProgressBar {
    let bar = bar("{prefix:>12} {wide_bar} {pos}/{len} {msg}");
    bar.set_length(count);
    bar
}

/// A bar over the pictures of a run, `done` of which are there already.
pub fn pictures(count: u64, done: u64) -> ProgressBar {
    let bar = bar("{pos:>6}/{len} {wide_bar} {eta} left  {msg}");
    bar.set_length(count);
    // The time that is left follows from those that are drawn now.
    bar.set_position(done);
    bar.reset_eta();
    bar
}

fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    bar.set_prefix(Cow::Borrowed(""));
    bar
}
