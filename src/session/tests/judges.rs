//! What a bundle says that it judges with, and nothing else.

use super::*;
use crate::prompt::ClipTokenizer;
use crate::settings::Judge;
use crate::verify::Needs;

fn judging(judges: &[Judge], mut models: Models) -> Session {
    models.about.judges = Some(judges.to_vec());
    Session::new(models)
}

#[test]
fn a_bundle_offers_the_judges_that_it_names_alone() {
    let of = |judges: &[Judge]| judging(judges, models(1, &ALL, true)).models().verifiers();
    assert_eq!(of(&[Judge::Clip]), [VerifierMode::None, VerifierMode::BestOfK]);
    assert_eq!(
        of(&[Judge::Parm, Judge::Orm]),
        [VerifierMode::None, VerifierMode::Orm, VerifierMode::Parm, VerifierMode::ParmPaths]
    );
    // The generator of the shapes was never taught to answer, whatever the bundle says.
    assert_eq!(of(&[Judge::Own]), [VerifierMode::None]);
    let asked = judging(&[Judge::Own], icons(3));
    assert_eq!(asked.models().verifiers(), [VerifierMode::None, VerifierMode::OwnOrm, VerifierMode::Own]);
    // What it recommends is drawn only where it judges so.
    let mut session = judging(&[Judge::Clip], models(1, &ALL, true));
    assert_eq!(session.models().recommended().verifier, VerifierMode::None);

    let error = draw(&mut session, settings(VerifierMode::Prm)).expect_err("must be refused");
    let SessionError::VerifierMissing(missing) = &error else { panic!("{error}") };
    assert_eq!(missing.needs, Needs::Judging(vec![Judge::Clip]));
    let told = error.to_string();
    assert!(
        told.contains("prm is not among what this bundle judges with, which is clip; usable now: none, best-of-k"),
        "{told}"
    );
    draw(&mut session, settings(VerifierMode::BestOfK)).expect("draws");
}

#[test]
fn reflection_looks_at_patches_where_the_bundle_judges_with_clip() {
    let with = |judges: &[Judge], mode| {
        let reflection = Some(reflecting(AcceptRule::IfNotWorse));
        draw(&mut judging(judges, models(1, &ALL, true)), Settings { reflection, ..settings(mode) })
    };
    let error = with(&[Judge::Parm], VerifierMode::Parm).expect_err("must be refused");
    assert_eq!(error, SessionError::ReflectionNotOffered(vec![Judge::Parm]));
    assert!(error.to_string().contains("judges with (parm); switch reflection off"), "{error}");
    // Who compares whole pictures is one of the judges, too: CLIP here, although there are reward networks.
    let events = with(&[Judge::Clip], VerifierMode::None).expect("draws");
    let round = events.iter().find_map(|event| match event {
        Event::Reflection { score_before, score_after, .. } => Some((*score_before, *score_after)),
        _ => None,
    });
    let mut alone = Session::new(models(1, &[], true));
    let reflection = Some(reflecting(AcceptRule::IfNotWorse));
    let wanted = draw(&mut alone, Settings { reflection, ..settings(VerifierMode::None) }).expect("draws");
    assert!(wanted.iter().any(|event| {
        matches!(event, Event::Reflection { score_before, score_after, .. } if round == Some((*score_before, *score_after)))
    }));
}

#[test]
fn one_network_that_answers_every_question_is_asked_the_named_ones() {
    let session = judging(&[Judge::Orm], models_asked(1));
    assert_eq!(session.models().verifiers(), [VerifierMode::None, VerifierMode::Orm]);
}

/// A bundle with the judges in its manifest loads those alone.
#[test]
fn what_does_not_judge_is_not_fetched() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    write_bundle(&models(1, &ALL, true), &target);
    let path = target.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a manifest")).expect("JSON");
    assert_eq!(manifest["format"], 1);
    manifest["format"] = 2.into();
    manifest["judges"] = serde_json::json!(["clip", "orm"]);
    std::fs::write(&path, manifest.to_string()).expect("written");
    let (kinds, loaded, offered) = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await.expect("opens");
        let mut loaded = Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.expect("loads");
        let mut kinds = Vec::new();
        let tell = &mut |progress: crate::bundle::LoadProgress<'_>| kinds.push(progress.kind);
        loaded.load_verifiers(&bundle, tell).await.expect("loads");
        kinds.dedup();
        let offered = loaded.offered(&bundle);
        (kinds, loaded, offered)
    });
    assert_eq!(kinds, [ModelKind::Clip, ModelKind::Reward(Finished)]);
    assert_eq!(offered, [VerifierMode::None, VerifierMode::BestOfK, VerifierMode::Orm]);
    assert_eq!(loaded.verifiers(), offered);
}

/// A CLIP that reads words of its own needs none of the generator's rows, and must have those of its own tokenizer.
#[test]
fn a_clip_of_its_own_words_is_held_to_those() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/understanding/clipscore_tiny.hub/tokenizer.json");
    let own = ClipTokenizer::from_json(&std::fs::read(path).expect("a file")).expect("a tokenizer");
    let Some(clip) = models(1, &[], true).clip else { panic!("no CLIP") };
    let mut config = clip.config.clone();
    assert_eq!(own.fits(&config), Err("clip knows 40 words, but its tokenizer 634".into()));
    config.text_config.vocab_size = 634;
    assert_eq!(own.fits(&config), Ok(()));
    config.text_config.max_position_embeddings = 1;
    assert!(own.fits(&config).is_err_and(|why| why.contains("too few")));
}
