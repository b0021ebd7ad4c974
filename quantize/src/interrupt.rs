//! Ctrl-C and SIGTERM: what is being written is removed before the program ends.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ToolError;

static STOP: AtomicBool = AtomicBool::new(false);

/// From here on the first signal is noted for [`check`]; the second ends the program at once.
///
/// # Errors
/// The system refuses a handler.
pub fn listen() -> Result<(), ToolError> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| ToolError::Signals(error.to_string()))
}

/// Ends what is under way if a signal has come; called wherever a second's work begins.
///
/// # Errors
/// [`ToolError::Interrupted`].
pub fn check() -> Result<(), ToolError> {
    if STOP.load(Ordering::Relaxed) { Err(ToolError::Interrupted) } else { Ok(()) }
}
