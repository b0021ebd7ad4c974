//! The shipped generator asked about pictures that it has not seen: encoder, layout and answer are together what it was
//! taught with.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;

use scenes::icons::{Atlas, Variety, render, sample_question, sample_scene, sample_training_spec};
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::load::{Arriving, LoadError, Place, Uses};
use showo::picture::Rgb;
use showo::prompt::QuestionForm;
use showo::session::{Look, codes_of_picture};
use showo::settings::Tuning;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Half of the questions are to be denied, so that chance is right about 24 times; 300 other questions were answered with 96 %
/// right when this was written.
#[test]
fn questions_about_new_pictures_are_mostly_answered_right() -> Outcome {
    let uses = Uses { answers: true, pictures: true };
    let models = block_on(async {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models/icons");
        let bundle = Bundle::open(FolderReader::new(&folder)).await.map_err(LoadError::from)?;
        Arriving::to_use(uses).load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await
    })?;
    let (atlas, variety) = (Atlas::shipped(), Variety::narrow());
    let mut rng = rng::Rng::new(20_261_127);
    let (mut by_odds, mut by_words) = (0, 0);
    for _ in 0..24 {
        let spec = sample_training_spec(&mut rng);
        let scene = sample_scene(&spec, &variety, atlas, &mut rng);
        let picture = Rgb { width: 128, height: 128, bytes: render(&scene, atlas).rgb };
        let codes = block_on(codes_of_picture(&models, &picture))?;
        let look = Look::at(&models, Tuning::Base, &codes)?;
        for _ in 0..2 {
            let question = sample_question(&spec, &mut rng);
            let asked = look.ask(&question.text, QuestionForm::Asked, 1)?;
            by_odds += usize::from((block_on(asked.yes())? > 0.5) == question.answer);
            by_words += usize::from(block_on(asked.answer())? == if question.answer { "yes" } else { "no" });
        }
    }
    println!("right of 48: {by_odds} by odds, {by_words} by words");
    assert!(by_odds >= 38 && by_words >= 38, "right of 48: {by_odds} by odds, {by_words} by words");
    Ok(())
}
