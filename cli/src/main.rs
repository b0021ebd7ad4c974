//! `showo`: the engine at the command line.
//!
//! Exit codes: 0 done, 1 something failed, 2 the command line or a setting is wrong, 3 the bundle was refused,
//! 130 interrupted.
//!
//! | file | its one idea |
//! |---|---|
//! | `main.rs` | the commands |
//! | `drawing.rs` | what every command that draws asks for, and the models it draws with |
//! | `one.rs` | one drawing: its bar, its recording, its picture |
//! | `generate.rs` | a prompt becomes a PNG, and a trace of how |
//! | `inpaint.rs` | a part of a picture is drawn again |
//! | `extend.rs` | a picture is continued beyond its edge |
//! | `understand.rs` | questions about a picture, which the generator answers |
//! | `brought.rs` | pictures that people bring |
//! | `geneval/mod.rs` | every prompt of a GenEval metadata file, in its evaluator's folders |
//! | `geneval/metadata.rs` | the prompts, and how machines share them |
//! | `geneval/files.rs`, `geneval/record.rs` | the folder of one prompt; what a folder was drawn with |
//! | `decode.rs` | codes become a PNG |
//! | `replay.rs`, `again.rs` | the pictures of a recorded drawing; the same drawn again |
//! | `probe.rs` | logits of one forward, to compare devices by |
//! | `output.rs` | where files go: tried before the long work, written after it |
//! | `device.rs`, `progress.rs`, `failure.rs` | which device computes; bars and lines; exit codes |

#[cfg(not(target_arch = "wasm32"))]
mod again;
#[cfg(not(target_arch = "wasm32"))]
mod brought;
#[cfg(not(target_arch = "wasm32"))]
mod decode;
#[cfg(not(target_arch = "wasm32"))]
mod device;
#[cfg(not(target_arch = "wasm32"))]
mod drawing;
#[cfg(not(target_arch = "wasm32"))]
mod extend;
#[cfg(not(target_arch = "wasm32"))]
mod failure;
#[cfg(not(target_arch = "wasm32"))]
mod generate;
#[cfg(not(target_arch = "wasm32"))]
mod geneval;
#[cfg(not(target_arch = "wasm32"))]
mod inpaint;
#[cfg(not(target_arch = "wasm32"))]
mod one;
#[cfg(not(target_arch = "wasm32"))]
mod output;
#[cfg(not(target_arch = "wasm32"))]
mod probe;
#[cfg(not(target_arch = "wasm32"))]
mod progress;
#[cfg(not(target_arch = "wasm32"))]
mod replay;
#[cfg(not(target_arch = "wasm32"))]
mod understand;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    use clap::Parser;

    /// Draws pictures with Show-o, chosen step by step by a verifier.
    #[derive(Parser)]
    #[command(version, about)]
    enum Command {
        /// Draw a picture from a prompt
        Generate(generate::Options),
        /// Draw a part of a picture again
        Inpaint(inpaint::Options),
        /// Continue a picture beyond its edge
        Extend(extend::Options),
        /// Ask the generator about a picture
        Understand(understand::Options),
        /// Draw every prompt of GenEval, in the folders that its evaluator reads
        Geneval(geneval::Options),
        /// Decode the codes of a picture
        Decode(decode::Options),
        /// Write the pictures of a recorded drawing, and draw it again
        Replay(replay::Options),
        /// Write the logits of one forward, to compare devices and builds by
        Probe(probe::Options),
    }

    let done = match Command::parse() {
        Command::Generate(options) => generate::run(&options),
        Command::Inpaint(options) => inpaint::run(&options),
        Command::Extend(options) => extend::run(&options),
        Command::Understand(options) => understand::run(&options),
        Command::Geneval(options) => geneval::run(&options),
        Command::Decode(options) => decode::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Probe(options) => probe::run(&options),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("showo: {failure}");
            failure.code()
        }
    }
}

// The browser has the library; cargo asks for a main all the same.
#[cfg(target_arch = "wasm32")]
fn main() {}
