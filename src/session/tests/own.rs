//! The generator as its own verifier.

use super::*;
use crate::load::Arriving;
use crate::prompt::QuestionError;
use crate::session::Look;
use crate::session::tiny::icons_and_clip;
use crate::verify::{Candidates, Needs, Wording, best, verifier};

const PROMPT: &str = "a photo of a red dog";

/// What the mode of these tests draws.
fn asked(mode: VerifierMode, seed: u64) -> Settings {
    Settings { prompt: PROMPT.into(), seed, ..settings(mode) }
}

fn score_of(models: &Models, draws: &[&[i32]]) -> Vec<f32> {
    let ids = models.read(PROMPT, false).expect("words").ids;
    let own =
        verifier(models, VerifierMode::Own, Wording { text: PROMPT, ids: &ids }).expect("there").expect("a verifier");
    let look = Candidates::new(&models.image_tokenizer, draws.to_vec(), draws.to_vec());
    own.score(&look).into_data().iter::<f32>().collect()
}

fn draws_of(event: &Event) -> Vec<&[i32]> {
    let Event::Step { candidates, .. } = event else { panic!("no step: {event:?}") };
    candidates.iter().map(|one| one.sampled.as_slice()).collect()
}

/// And as each is answered where somebody asks about it alone, from the picture's keys and values.
#[test]
fn candidates_that_are_asked_as_one_batch_are_answered_as_each_alone() {
    let models = icons(3);
    let events = draw(&mut Session::new(models.clone()), asked(VerifierMode::Own, 2)).expect("draws");
    let draws = draws_of(&events[2]);
    let together = score_of(&models, &draws);
    assert_eq!(together.len(), 3);
    for (draw, together) in draws.into_iter().zip(together) {
        let alone = score_of(&models, &[draw])[0];
        let look = Look::at(&models, Tuning::Base, draw).expect("a whole draw");
        let question = "does this image accurately represent the prompt a red dog";
        let answered = look.ask(question, crate::prompt::QuestionForm::Asked, 1).expect("words");
        let answered = block_on(answered.yes()).expect("odds");
        assert!((together - alone).abs() < 1e-6 && (together - answered).abs() < 1e-6, "{together} {alone} {answered}");
    }
}

#[test]
fn the_best_of_the_whole_draws_goes_on_once_a_step_is_clear() {
    let (mut others, models) = (0, icons(3));
    for seed in 0..6 {
        let events = draw(&mut Session::new(models.clone()), asked(VerifierMode::Own, seed)).expect("draws");
        assert_eq!(kinds(&events), ["started", "step", "step", "step", "step", "image", "finished"]);
        let mut forwards = 0;
        for event in &events[1..5] {
            let Event::Step { step, candidates, chosen, clarity, .. } = event else { panic!("no step") };
            assert_eq!(*clarity, None, "nobody has taught it to say");
            let scores: Vec<f32> = candidates.iter().filter_map(|one| one.score).collect();
            forwards += scores.len() as u32;
            // Of four steps of a cosine schedule the first leaves 14 of 16 masked, the second 11.
            if *step < 1 {
                assert!(scores.is_empty() && *chosen == 0);
            } else {
                assert_eq!((&scores, *chosen as usize), (&score_of(&models, &draws_of(event)), best(&scores)));
                others += u32::from(*chosen != 0);
            }
        }
        assert!(matches!(events.last(), Some(Event::Finished { totals, .. }) if totals.reward_forwards == forwards));
        // What it said of the last draw is what it says of the picture.
        let (Event::Step { candidates, chosen, .. }, Event::Image { score, .. }) = (&events[4], &events[5]) else {
            panic!("no picture")
        };
        assert_eq!(*score, candidates[*chosen as usize].score);
    }
    assert!(others > 0, "these seeds choose");
}

#[test]
fn of_k_finished_pictures_the_generator_picks_the_one_that_it_finds_right() {
    let models = icons(3);
    let events = draw(&mut Session::new(models.clone()), asked(VerifierMode::OwnOrm, 4)).expect("draws");
    let images: Vec<(&[i32], f32)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Image { tokens, score, .. } => Some((tokens.as_slice(), score.expect("a score"))),
            _ => None,
        })
        .collect();
    assert_eq!(images.len(), 3);
    for (tokens, score) in &images {
        assert!((score_of(&models, &[tokens])[0] - score).abs() < 1e-6);
    }
    let chosen = best(&images.iter().map(|image| image.1).collect::<Vec<_>>());
    assert!(events.contains(&Event::PathChosen { path: chosen as u32 }));
    let Some(Event::Finished { tokens, totals, .. }) = events.last() else { panic!("no end") };
    assert_eq!((tokens.as_slice(), totals.reward_forwards), (images[chosen].0, 3));
}

/// CLIP only finds the weak patches.
#[test]
fn the_generator_judges_the_rounds_of_reflection() {
    let (mut kept_some, mut dropped_some) = (false, false);
    let models = icons_and_clip(3);
    for (seed, mode) in (0..4).flat_map(|seed| [(seed, VerifierMode::Own), (seed, VerifierMode::OwnOrm)]) {
        let reflection = Some(reflecting(AcceptRule::IfNotWorse));
        let events =
            draw(&mut Session::new(models.clone()), Settings { reflection, ..asked(mode, seed) }).expect("draws");
        let rounds = events.iter().filter_map(|event| match event {
            Event::Reflection { tokens_after, score_before, score_after, kept, .. } => {
                Some((tokens_after, score_before.expect("a score"), score_after.expect("a score"), *kept))
            }
            _ => None,
        });
        for (tokens, before, after, kept) in rounds {
            assert!((score_of(&models, &[tokens])[0] - after).abs() < 1e-6);
            assert_eq!(kept, after >= before);
            kept_some |= kept;
            dropped_some |= !kept;
        }
    }
    assert!(kept_some && dropped_some, "these seeds show both");
}

#[test]
fn a_recording_of_its_own_judgements_goes_on_from_any_event() {
    for mode in [VerifierMode::Own, VerifierMode::OwnOrm] {
        let models = icons_and_clip(5);
        let reflection = Some(reflecting(AcceptRule::Every));
        let whole = draw(&mut Session::new(models.clone()), Settings { reflection, ..asked(mode, 1) }).expect("draws");
        let read: Vec<Event> =
            serde_json::from_str(&serde_json::to_string(&whole).expect("JSON")).expect("a recording");
        for count in 1..whole.len() {
            let mut later = Session::new(models.clone());
            later.resume_from(&read[..count]).expect("the recording is sound");
            assert_eq!(
                timeless(&resume(&mut later).expect("goes on")),
                timeless(&whole[count..]),
                "{mode} after {count}"
            );
        }
    }
}

#[test]
fn a_generator_that_was_never_taught_to_answer_is_not_asked() {
    for mode in [VerifierMode::Own, VerifierMode::OwnOrm] {
        let error = draw(&mut session(), settings(mode)).expect_err("must be refused");
        let SessionError::VerifierMissing(missing) = &error else { panic!("{error}") };
        assert_eq!(missing.needs, Needs::Answers(QuestionError::NeverAsked("user")));
        assert!(!missing.available.iter().any(|mode| mode.asks_itself()));
        let told = error.to_string();
        for words in
            [&format!("the verifier {mode} asks"), "never been asked", "\"icons\"", "usable now: none, best-of-k"]
        {
            assert!(told.contains(words), "{told}");
        }
    }
}

/// A bundle's generator keeps the answers' rows of its head without being loaded to answer, and judges as the whole head does.
#[test]
fn a_bundle_that_is_loaded_to_draw_can_be_asked_about_its_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    let mut original = icons(3);
    // Its pictures are too small for its world; and a bundle without one is asked in words that this vocabulary lacks.
    original.about.world = None;
    write_bundle(&original, &target);
    let mut loaded = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await.expect("opens");
        let loaded = Arriving::default().load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.expect("loads");
        assert_eq!(loaded.offered(&bundle), [VerifierMode::None]);
        loaded
    });
    for models in [&mut original, &mut loaded] {
        models.about.world = Some(World::Icons);
        assert_eq!(models.verifiers(), [VerifierMode::None, VerifierMode::OwnOrm, VerifierMode::Own]);
    }
    assert!(!loaded.generator.showo.can_answer() && original.generator.showo.can_answer());
    let drawn = |models: Models| draw(&mut Session::new(models), asked(VerifierMode::Own, 6)).expect("draws");
    assert_eq!(timeless(&drawn(loaded))[1..], timeless(&drawn(original))[1..]);
}
