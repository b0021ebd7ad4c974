//! Sessions over what bundles hold.

use super::*;

/// Only what candidates look like changes; what is looked at large comes from the tokenizer.
#[test]
fn a_preview_decoder_shows_candidates_and_nothing_else() {
    let previewed = || {
        let mut models = models(1, &ALL, true);
        models.add(Network::Preview(preview(7))).expect("it fits");
        models
    };
    for mode in [VerifierMode::Parm, VerifierMode::BestOfK] {
        let reflection = Some(reflecting(AcceptRule::IfNotWorse));
        let settings = Settings { previews: true, reflection, ..settings(mode) };
        let with = timeless(&draw(&mut Session::new(previewed()), settings.clone()).expect("draws"));
        let without = timeless(&draw(&mut session(), settings).expect("draws"));
        let sides = |events: &[Event]| -> Vec<u32> {
            let of = |event: &Event| match event {
                Event::Step { candidates, .. } => {
                    candidates.iter().map(|one| one.preview.as_ref().expect("a preview").width_px).collect()
                }
                Event::Image { picture, .. } | Event::Finished { picture, .. } => vec![100 + picture.width_px],
                Event::Reflection { before, after, .. } => vec![100 + before.width_px, 100 + after.width_px],
                _ => Vec::new(),
            };
            events.iter().flat_map(of).collect()
        };
        assert!(sides(&with).iter().all(|&side| [GRID as u32, 100 + 2 * GRID as u32].contains(&side)), "{mode}");
        assert!(sides(&without).iter().all(|&side| side % 100 == 2 * GRID as u32), "{mode}");
        let bare = |events: Vec<Event>| -> Vec<Event> {
            let mut events = events;
            for event in &mut events {
                if let Event::Step { candidates, .. } = event {
                    candidates.iter_mut().for_each(|candidate| candidate.preview = None);
                }
            }
            events
        };
        assert_eq!(bare(with), bare(without), "{mode}");
    }
    // What the tokenizer made of a candidate where it made the previews is what is seen on asking for it large.
    let events = draw(&mut session(), Settings { previews: true, ..settings(VerifierMode::Parm) }).expect("draws");
    let Some(Event::Step { candidates, .. }) = events.get(2) else { panic!("no step") };
    let asked = block_on(large(&previewed(), &candidates[1].sampled)).expect("a picture");
    assert_eq!(Some(&asked), candidates[1].preview.as_ref());
    for (codes, words) in [(&[0; 3][..], "there are 3"), (&[-1; GRID * GRID][..], "-1 is among them")] {
        let error = block_on(large(&previewed(), codes)).expect_err("no picture");
        assert!(matches!(&error, LargeError::Codes(_)) && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_preview_decoder_comes_with_its_bundle_and_must_fit_the_generator() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    let mut original = models(1, &[], false);
    original.add(Network::Preview(preview(7))).expect("it fits");
    write_bundle(&original, &target);
    let settings = Settings { previews: true, ..settings(VerifierMode::None) };
    let loaded = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await.expect("opens");
        Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.expect("loads")
    });
    assert!(loaded.preview.is_some() && loaded.device_bytes() > 0);
    let again = draw(&mut Session::new(loaded), settings.clone()).expect("draws");
    let wanted = draw(&mut Session::new(original.clone()), settings).expect("draws");
    assert_eq!(timeless(&again)[1..], timeless(&wanted)[1..]);

    let mut larger = preview(7);
    larger.config.patch = 4;
    let mut other_codes = preview(7);
    other_codes.config.bits = 5;
    let mut other_grid = preview(7);
    other_grid.config.grid = 2;
    for (wrong, words) in [(larger, "16 pixels"), (other_codes, "preview 32"), (other_grid, "preview 4")] {
        let error = original.add(Network::Preview(wrong)).expect_err("does not fit").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_bundle_draws_what_its_models_drew_and_draws_before_its_judges_arrive() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("tiny");
    let original = models(1, &ALL, true);
    write_bundle(&original, &target);
    block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await.expect("opens");
        let mut kinds = Vec::new();
        let mut loaded = Models::load(&bundle, &Place::cpu("CPU"), &mut |progress| {
            if kinds.last() != Some(&progress.kind) {
                kinds.push(progress.kind);
            }
        })
        .await
        .expect("loads");
        assert_eq!(kinds, [ModelKind::SHOWO, ModelKind::Magvit]);
        assert_eq!(loaded.verifiers(), [VerifierMode::None]);
        let early = draw(&mut Session::new(loaded.clone()), settings(VerifierMode::None)).expect("draws");
        let wanted = draw(&mut session(), settings(VerifierMode::None)).expect("draws");
        assert_eq!(timeless(&early)[1..], timeless(&wanted)[1..]);
        loaded.load_verifiers(&bundle, &mut |_| {}).await.expect("loads");
        // All but the generator itself, whose words know no questions.
        let networks: Vec<VerifierMode> = VerifierMode::ALL.into_iter().filter(|mode| !mode.asks_itself()).collect();
        assert_eq!((loaded.verifiers(), loaded.offered(&bundle)), (networks.clone(), networks));
        let late = draw(&mut Session::new(loaded), settings(VerifierMode::Parm)).expect("draws");
        let wanted = draw(&mut session(), settings(VerifierMode::Parm)).expect("draws");
        assert_eq!(timeless(&late)[1..], timeless(&wanted)[1..]);
    });
    std::fs::remove_file(target.join("tokenizer.json")).expect("removed");
    let error = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&target)).await?;
        Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.map(|_| ())
    });
    let missing = |error: &BundleError| matches!(error, BundleError::Missing { file } if file == "tokenizer.json");
    assert!(matches!(&error, Err(LoadError::Bundle(error)) if missing(error)), "{error:?}");
}
