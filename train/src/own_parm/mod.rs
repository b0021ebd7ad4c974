//! A PARM of your own, for any generator: its pictures of any prompts, somebody's word on each, and a network that learns from both.
//!
//! | file | its one idea |
//! |---|---|
//! | `commands.rs` | both commands: what they read and what they leave |
//! | `prompts.rs` | what is drawn: a line a prompt, or GenEval's metadata |
//! | `gallery.rs`, `record.rs`, `key.rs` | the folder of pictures and states; what it was begun with; the name of a picture in it |
//! | `draw.rs` | `rollouts --prompts`: fills the folder, and goes on where it was stopped |
//! | `labels.rs`, `checker.rs` | whether pictures are right, from files; from the world's checker |
//! | `examples.rs` | states with the questions that the labels answer |
//! | `task.rs` | how the network learns them, and how well it does |

mod checker;
pub mod commands;
mod draw;
mod examples;
mod gallery;
mod key;
mod labels;
mod prompts;
mod record;
mod task;
#[cfg(test)]
mod tests;

pub use labels::Missing;
#[cfg(test)]
pub use task::OwnRewardConfig;

/// How many of several things an error names.
const NAMED: usize = 5;

/// The first of several things, a line each, and how many more there are.
fn first_of(things: &[String]) -> String {
    let mut list: Vec<String> = things.iter().take(NAMED).map(|thing| format!("\n  {thing}")).collect();
    if let Some(more) = things.len().checked_sub(NAMED).filter(|&more| more > 0) {
        list.push(format!("\n  and {more} more"));
    }
    list.concat()
}
