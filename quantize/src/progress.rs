//! What the user sees: lines, and progress bars (on a terminal only, so that logs stay readable).

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` bytes.
pub fn bytes_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    // The template is a constant: a mistake in it costs the looks of the bar, not the conversion.
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:32} {bytes:>10} of {total_bytes}  {bytes_per_sec:>12}  {eta:>4} left  {wide_msg}",
    ) {
        bar.set_style(style);
    }
    bar
}

/// A bar over `total` things of one kind.
pub fn count_bar(total: u64, things: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos} of {len} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(things);
    bar
}

/// What is under way, where nobody knows how long it takes.
pub fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    spinner
}

/// Bytes for people.
pub fn human(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// `println!` that returns an error where `println!` would panic: the reader of a pipe may leave at any time.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stdout().lock(), $($what)*).map_err($crate::error::ToolError::Print)
    }};
}
pub(crate) use say;
