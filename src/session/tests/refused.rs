//! What is said before anything is drawn.

use super::*;
use crate::verify::Needs;

#[test]
fn what_is_wrong_is_said_before_anything_is_drawn() {
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(VerifierMode::Parm);
        change(&mut settings);
        draw(&mut session(), settings).expect_err("must be refused")
    };
    #[allow(clippy::type_complexity)] // a table of what to break and what is said of it
    let wrong: [(&dyn Fn(&mut Settings), &str); 7] = [
        (&|s| s.candidates = 17, "candidates (k)"),
        (&|s| s.steps = 0, "steps"),
        (&|s| s.guidance_scale = f32::NAN, "guidance scale"),
        (&|s| s.seed = 1 << 53, "seed"),
        (&|s| s.reflection = Some(ReflectionSettings { threshold: 3.0, ..Default::default() }), "threshold (τ)"),
        (&|s| s.reflection = Some(ReflectionSettings { rounds: 11, ..Default::default() }), "rounds (R)"),
        (&|s| s.reflection = Some(ReflectionSettings { patch_grid: 5, ..Default::default() }), "patch grid (M)"),
    ];
    for (change, name) in wrong {
        match refused(change) {
            SessionError::Settings(error) => assert_eq!(error.name, name),
            other => panic!("{name}: {other}"),
        }
    }
    assert!(matches!(refused(&|s| s.prompt = " ".into()), SessionError::Prompt(_)));
    let error = refused(&|s| s.prompt = "a red sircle".into());
    assert!(error.to_string().contains("circle\""), "{error}");
}

#[test]
fn a_verifier_that_is_not_there_is_named() {
    let mut bare = Session::new(models(1, &[], false));
    let error = draw(&mut bare, settings(VerifierMode::Parm)).expect_err("must be refused");
    let SessionError::VerifierMissing(missing) = &error else { panic!("{error}") };
    assert_eq!(
        (&missing.needs, missing.available.as_slice()),
        (&Needs::Model(ModelKind::Reward(Potential)), &[VerifierMode::None][..])
    );
    let reflecting = Settings { reflection: Some(reflecting(AcceptRule::Every)), ..settings(VerifierMode::None) };
    assert_eq!(draw(&mut bare, reflecting).expect_err("must be refused"), SessionError::ReflectionNeedsClip);
    assert_eq!(resume(&mut bare), Err(SessionError::NothingToResume));
    // What was refused leaves nothing behind that stands in the way.
    draw(&mut bare, settings(VerifierMode::None)).expect("draws");
}

#[test]
fn words_that_say_nothing_in_the_world_are_refused() {
    let mut models = models(1, &[], false);
    models.about.world = Some(World::Shapes);
    let prompt = "circle red".to_owned();
    let mut session = Session::new(models);
    let error = draw(&mut session, Settings { prompt, ..settings(VerifierMode::None) });
    assert!(matches!(error, Err(SessionError::Prompt(PromptError::World(_)))), "{error:?}");
    // What means the same is the same drawing.
    let mut ids = |prompt: &str| {
        let settings = Settings { prompt: prompt.into(), ..settings(VerifierMode::None) };
        match draw(&mut session, settings).expect("draws").swap_remove(0) {
            Event::Started { prompt_ids, .. } => prompt_ids,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ids("the circle to the left of a square"), ids("a circle left of a square"));
}

#[test]
fn in_the_world_of_things_what_was_typed_is_read_and_what_is_drawn_is_recorded() {
    let mut session = Session::new(icons(1));
    let mut drawn = |prompt: &str| {
        draw(&mut session, Settings { prompt: prompt.into(), ..settings(VerifierMode::None) }).expect("draws")
    };
    let events = drawn("a purple SOFA, and 2 dogs!");
    let Some(Event::Started { settings: recorded, notes, .. }) = events.first() else { panic!("no beginning") };
    assert_eq!(recorded.prompt, "a photo of a purple couch and two dogs");
    assert_eq!(notes, &["“sofa” is read as “couch”"]);
    // Pictures of another size than the world's are not judged, and the reason is there.
    let Some(Event::Finished { verdict: None, unchecked: Some(why), .. }) = events.last() else {
        panic!("no end without a verdict: {:?}", events.last())
    };
    assert!(why.contains("128 × 128"), "{why}");

    // What was recorded is drawn again, and needs no notes.
    let again = drawn(&recorded.prompt);
    assert!(matches!(&again[0], Event::Started { notes, .. } if notes.is_empty()));
    assert_eq!(timeless(&again)[1..], timeless(&events)[1..]);
    let mut other = Session::new(icons(1));
    other.resume_from(&events[..3]).expect("a recording");
    assert_eq!(timeless(&resume(&mut other).expect("goes on")), timeless(&events)[3..]);
    // An old recording holds no notes, and is a recording all the same.
    let json = serde_json::to_string(&again).expect("events");
    assert!(!json.contains("notes"));
    assert_eq!(timeless(&serde_json::from_str::<Vec<Event>>(&json).expect("events")), timeless(&again));
}

#[test]
fn what_the_world_of_things_does_not_know_is_said_with_the_remedy() {
    for (prompt, words) in [
        ("", "names nothing"),
        ("a purple dgo", "“dog”"),
        ("five dogs", "at most 4"),
        ("a dog left of a cat above a bench", "leave out a relation"),
        ("a grey dog", "“black” or “white”"),
    ] {
        let asked = Settings { prompt: prompt.into(), ..settings(VerifierMode::None) };
        let error = draw(&mut Session::new(icons(1)), asked).expect_err(prompt);
        assert!(matches!(error, SessionError::Prompt(PromptError::World(_))), "{prompt}: {error:?}");
        assert!(error.to_string().contains(words), "{prompt}: {error}");
    }
}

#[test]
fn a_bundle_of_another_world_than_it_says_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    write_bundle(&icons(1), &target);
    let error = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await?;
        Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.map(|_| ())
    });
    let Err(LoadError::World(why)) = error else { panic!("{error:?}") };
    let sentence = why.to_string();
    for words in ["\"icons\"", "128 × 128", "8 × 8", "--world"] {
        assert!(sentence.contains(words), "{sentence}");
    }
}
