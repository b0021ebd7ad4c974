//! `extend`: a picture is continued beyond its edge, round by round.

use std::path::PathBuf;

use clap::Args;
use showo::bundle::block_on;
use showo::decode::canvas::{Direction, Panorama};
use showo::load::Uses;
use showo::session::{NativeHost, Session, SessionError, codes_of_picture, picture_of};
use showo::settings::{MOST_EXACT, Settings};
use showo::trace::Event;

use crate::brought::read_png;
use crate::drawing::DrawingOptions;
use crate::failure::Failure;
use crate::output::{ready_file, write};
use crate::progress::steps;

/// What `extend` asks for.
#[derive(Args)]
pub struct Options {
    /// The picture, a PNG of any size: its shorter side is resized to the bundle's, and its middle is taken
    #[arg(long, value_name = "PNG")]
    picture: PathBuf,
    /// Where to: left, right, up or down; once a round
    #[arg(long, required = true)]
    direction: Vec<Direction>,
    /// What is to be seen there; once a round, or once for all of them
    #[arg(long, required = true)]
    prompt: Vec<String>,
    /// Tokens fewer than half a picture that each round goes on from
    #[arg(long, default_value_t = 0)]
    offset: usize,
    #[command(flatten)]
    drawing: DrawingOptions,
    /// Where the whole picture goes
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    ready_file(&options.out)?;
    let rounds = rounds(&options.direction, &options.prompt)?;
    let picture = read_png(&options.picture)?;
    let (models, _) = options.drawing.load(Uses { pictures: true, ..Uses::default() })?;
    let common = options.drawing.settings(&models, "");
    let mut panorama = Panorama::new(block_on(codes_of_picture(&models, &picture))?, models.generator.config.grid());
    let mut session = Session::new(models);
    for (round, (direction, prompt)) in rounds.into_iter().enumerate() {
        // Each round has its own noise; the first has that of the seed.
        let seed = (common.seed + round as u64) % (MOST_EXACT as u64 + 1);
        let settings = Settings { prompt: prompt.to_owned(), seed, ..common.clone() };
        let bar = steps(settings.steps.into());
        bar.set_prefix(direction.word());
        let mut host = NativeHost::new(|event: &Event| {
            if let Event::Step { .. } = event {
                bar.inc(1);
            }
        });
        let grown = block_on(session.extend(&panorama, direction, options.offset, settings, &mut host));
        bar.finish_and_clear();
        panorama = grown?.ok_or_else(|| Failure::Interrupted("stopped; nothing was written".into()))?;
        println!("{direction}: {} × {} tokens", panorama.columns, panorama.rows);
    }
    let picture =
        block_on(picture_of(session.models(), &panorama)).map_err(|error| Failure::Device(error.to_string()))?;
    let png = picture.to_png().map_err(SessionError::from)?;
    write(&options.out, &png)?;
    println!("{}: {} × {} pixels", options.out.display(), picture.width, picture.height);
    Ok(())
}

/// Each round's direction and prompt.
fn rounds<'a>(directions: &[Direction], prompts: &'a [String]) -> Result<Vec<(Direction, &'a str)>, Failure> {
    let prompt = |round: usize| if prompts.len() == 1 { prompts.first() } else { prompts.get(round) };
    let rounds = directions.iter().enumerate().map(|(round, &direction)| Some((direction, prompt(round)?.as_str())));
    match rounds.collect() {
        Some(rounds) if prompts.len() <= directions.len() => Ok(rounds),
        _ => Err(Failure::Refused(format!(
            "there are {} directions and {} prompts; give each direction its prompt, or one for all",
            directions.len(),
            prompts.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_has_its_prompt_or_all_have_one() {
        let prompts = |count: usize| vec!["a sea".to_owned(); count];
        let directions = [Direction::Left, Direction::Right, Direction::Left];
        assert!(rounds(&directions, &prompts(3)).is_ok_and(|rounds| rounds.len() == 3));
        assert!(rounds(&directions, &prompts(1)).is_ok_and(|rounds| rounds.len() == 3));
        for count in [2, 4] {
            let told = rounds(&directions, &prompts(count)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.contains("3 directions") && told.contains("or one for all"), "{told}");
        }
    }
}
