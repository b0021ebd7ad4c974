//! Questions about pictures, over a tiny generator that knows the words of the world of things.

use super::*;
use crate::load::{Arriving, Uses};
use crate::picture::Rgb;
use crate::prompt::{CONTEXT, QuestionError, QuestionForm, question_allowed, seen_segment};
use crate::session::{AskError, BringError, Look, codes_of_picture};

const PICTURE: [i32; GRID * GRID] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];

fn ask(models: &Models, codes: &[i32], question: &str, most: usize) -> Result<(f32, String), AskError> {
    let look = Look::at(models, Tuning::Base, codes)?;
    let asked = look.ask(question, QuestionForm::Asked, most)?;
    Ok((block_on(asked.yes())?, block_on(asked.answer())?))
}

/// The same from one forward over the whole sequence, the head's logits compared by hand.
#[test]
fn odds_and_answer_are_those_of_one_forward_over_everything() {
    use crate::decode::generator::ids_tensor;
    use crate::model::showo::FORBIDDEN;
    use burn::tensor::{Tensor, TensorData};

    let models = icons(3);
    let (showo, config) = (&models.generator.showo, &models.generator.config);
    let (yes, answer) = ask(&models, &PICTURE, "Is there a dog?", 1).expect("an answer");
    let text = models.text_tokenizer.question(config, "is there a dog", QuestionForm::Asked, 1).expect("words");
    let sequence = [seen_segment(config, &PICTURE), text].concat();
    let length = sequence.len();
    let allowed = question_allowed(config, &sequence).into_iter().flatten();
    let bias: Vec<f32> = allowed.map(|may| if may { 0.0 } else { FORBIDDEN }).collect();
    let bias = Tensor::from_data(TensorData::new(bias, [1, 1, length, length]), models.device());
    let hidden = showo.forward(ids_tensor(&[sequence], models.device()), bias);
    let hidden = hidden.narrow(1, length - 1, 1).reshape([1, config.hidden_size]);
    let logits: Vec<f32> = showo.logits(hidden).into_data().iter::<f32>().collect();
    let answers = models.text_tokenizer.answers().expect("yes and no");
    let odds = |id: u32| f64::from(logits[id as usize]).exp();
    let wanted = odds(answers.yes[0]) / (odds(answers.yes[0]) + odds(answers.no[0]));
    assert!((f64::from(yes) - wanted).abs() < 1e-6, "{yes} {wanted}");
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("logits") as u32;
    assert_eq!(answer, models.text_tokenizer.text(&[best]).expect("text"));
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_remedy() {
    let models = icons(3);
    let refused = |codes: &[i32], question: &str| ask(&models, codes, question, 1).expect_err("must be refused");
    assert_eq!(refused(&PICTURE, " ?"), AskError::Question(QuestionError::Empty));
    let error = refused(&PICTURE, &"dog ".repeat(CONTEXT));
    assert!(matches!(error, AskError::Question(QuestionError::TooLong { .. })), "{error}");
    assert!(refused(&PICTURE, "is there a dogg").to_string().contains("\"dog\""));
    let mut masked = PICTURE;
    masked[7] = MASK;
    assert!(refused(&masked, "is there a dog").to_string().contains("finished draw"));
    assert!(matches!(refused(&PICTURE[1..], "is there a dog"), AskError::Codes(_)));
    // A world whose words have no answers.
    let shapes = self::models(1, &[], false);
    assert!(matches!(
        ask(&shapes, &PICTURE, "a circle", 1),
        Err(AskError::Question(QuestionError::NeverAsked("user")))
    ));
}

/// What is loaded to draw holds less, and says so; what is loaded to answer draws the same.
#[test]
fn what_is_not_asked_for_is_not_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    let mut original = icons(3);
    // Its pictures are too small for its world.
    original.about.world = None;
    write_bundle(&original, &target);
    let load = |uses: Uses| {
        block_on(async {
            let bundle = Bundle::open(FolderReader::new(&target)).await.expect("a bundle");
            Arriving::to_use(uses).load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await
        })
    };
    let drawing = load(Uses::default()).expect("models");
    assert!(matches!(ask(&drawing, &PICTURE, "is there a dog", 1), Err(AskError::DrawsOnly)));
    let answering = load(Uses { answers: true, pictures: false }).expect("models");
    assert!(answering.device_bytes() > drawing.device_bytes());
    assert_eq!(ask(&answering, &PICTURE, "is there a dog", 3), ask(&original, &PICTURE, "is there a dog", 3));
    let settings = Settings { prompt: "a photo of a dog".into(), ..settings(VerifierMode::None) };
    let drawn = |models: Models| timeless(&draw(&mut Session::new(models), settings.clone()).expect("draws")[1..]);
    assert_eq!(drawn(answering), drawn(drawing.clone()));
    // The tiny bundle has no encoder: it is missed by name where it is asked for.
    let told = load(Uses { answers: false, pictures: true }).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("encoder."), "{told}");
    let picture = Rgb { width: 8, height: 8, bytes: vec![9; 8 * 8 * 3] };
    assert_eq!(block_on(codes_of_picture(&drawing, &picture)), Err(BringError::NoEncoder));
    let narrow = Rgb { width: 1, height: 64, bytes: vec![9; 64 * 3] };
    assert!(block_on(codes_of_picture(&drawing, &narrow)).is_err_and(|error| error.to_string().contains("crop")));
}
