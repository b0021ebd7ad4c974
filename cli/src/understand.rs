//! `understand`: questions about a picture, which the generator answers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use showo::bundle::{Bundle, FolderReader, ModelKind, block_on};
use showo::load::{Arriving, LoadError, Uses};
use showo::picture::Rgb;
use showo::prompt::{QuestionError, QuestionForm, about_prompt};
use showo::session::{AskError, Look, SessionError, codes_of_picture};
use showo::settings::Tuning;

use crate::brought::{finished, read_png};
use crate::device::DeviceName;
use crate::failure::Failure;
use crate::progress::LoadBar;

/// Tokens of an answer, where nobody says how many: as the reference has it, and one word where the vocabulary is closed, for
/// this project's generators learn to answer in one.
const ANSWER: [usize; 2] = [100, 1];

/// What `understand` asks for.
#[derive(Args)]
pub struct Options {
    /// The bundle's folder
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    #[command(flatten)]
    source: Source,
    /// What to ask; may be given more than once, and the picture is looked at once for all
    #[arg(long, required_unless_present = "prompt")]
    question: Vec<String>,
    /// Ask first whether the picture is what this prompt asks for, in a verifier's words
    #[arg(long)]
    prompt: Option<String>,
    /// What stands around a question of an open vocabulary
    #[arg(long, value_enum, default_value = "asked")]
    form: Form,
    /// Tokens of the answer at most [default: 100, or 1 where the bundle knows whole words only]
    #[arg(long)]
    tokens: Option<usize>,
    /// Whose weights answer: base, dpo, dpo-free, dpo-iterated or dpo-parm, where the bundle has them
    #[arg(long, default_value_t = Tuning::Base)]
    generator: Tuning,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
}

/// The picture.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The picture, a PNG of any size: its shorter side is resized to the bundle's, and its middle is taken
    #[arg(long, value_name = "PNG")]
    picture: Option<PathBuf>,
    /// A recording, whose finished picture is asked about by its own codes
    #[arg(long, value_name = "JSON")]
    trace: Option<PathBuf>,
}

/// [`QuestionForm`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As Show-o's own script asks
    Asked,
    /// As Show-o is trained
    Trained,
    /// As asked, with LLaVA's "Answer the question using a single word or phrase." behind the question
    Short,
}

/// A picture, or what it was drawn as.
enum Brought {
    Picture(Rgb),
    Codes(Vec<i32>),
}

pub fn run(options: &Options) -> Result<(), Failure> {
    // What can be known before gigabytes are loaded is said before.
    if options.question.iter().any(|question| question.trim().is_empty()) {
        return Err(AskError::from(QuestionError::Empty).into());
    }
    let brought = match &options.source {
        Source { picture: Some(path), .. } => Brought::Picture(read_png(path)?),
        Source { trace: Some(path), .. } => Brought::Codes(finished(path)?.0),
        _ => return Err(Failure::Refused("there is no picture; name one with --picture or --trace".into())),
    };
    let uses = Uses { answers: true, pictures: matches!(brought, Brought::Picture(_)) };
    let place = options.device.open()?;
    let mut bar = LoadBar::new();
    let models = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&options.bundle)).await.map_err(LoadError::from)?;
        let mut models = Arriving::to_use(uses).load(&bundle, &place, &mut |progress| bar.report(progress)).await?;
        models.fetch(&bundle, ModelKind::Showo(options.generator), &mut |progress| bar.report(progress)).await?;
        Ok::<_, LoadError>(models)
    })?;
    bar.finish();
    let codes = match brought {
        Brought::Picture(picture) => block_on(codes_of_picture(&models, &picture))?,
        Brought::Codes(codes) => codes,
    };
    let look = Look::at(&models, options.generator, &codes)?;
    let closed = models.text_tokenizer.words().is_some();
    let most = options.tokens.unwrap_or(ANSWER[usize::from(closed)]);
    let form = match options.form {
        Form::Asked => QuestionForm::Asked,
        Form::Trained => QuestionForm::Trained,
        Form::Short => QuestionForm::Short,
    };
    let verifying = match &options.prompt {
        Some(prompt) => {
            let prompt = models.read(prompt, false).map_err(SessionError::from)?;
            Some(about_prompt(&prompt.text, models.about.world))
        }
        None => None,
    };
    for question in verifying.iter().chain(&options.question) {
        let asked = look.ask(question, form, most)?;
        println!("{}", question.trim());
        println!("  {}", block_on(asked.answer())?);
        match block_on(asked.yes()) {
            Ok(yes) => println!("  p(yes) {yes:.4}"),
            Err(AskError::Question(why)) => println!("  p(yes) unknown: {why}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
