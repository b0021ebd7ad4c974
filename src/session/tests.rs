//! Sessions over tiny random models on the CPU.

use super::reflection::patch_of;
use super::tiny::{GRID, icons, models, models_asked, preview, write_bundle};
use super::{LargeError, NativeHost, Outcome, Session, SessionError, large};
use crate::bundle::manifest::World;
use crate::bundle::{Bundle, BundleError, FolderReader, ModelKind, block_on};
use crate::config::RewardLabel::{self, Outcome as Finished, Potential, Preview};
use crate::load::{LoadError, Models, Network, Place, RewardModel};
use crate::model::Weights;
use crate::model::reward::Reward;
use crate::model::weights::named_parameters;
use crate::prompt::PromptError;
use crate::settings::{AcceptRule, ReflectionSettings, Settings, Tuning, VerifierMode};
use crate::trace::{Event, MASK, ReflectionStop, Totals};
use crate::verify::paths::PROMISING;

const ALL: [RewardLabel; 3] = [Potential, Preview, Finished];

fn settings(verifier: VerifierMode) -> Settings {
    Settings {
        prompt: "a red circle".into(),
        seed: 5,
        steps: 4,
        candidates: 3,
        verifier,
        previews: false,
        ..Settings::default()
    }
}

/// τ at the highest score there is: everything is weak. ε = 0: never converged.
fn reflecting(accept: AcceptRule) -> ReflectionSettings {
    ReflectionSettings { threshold: 2.5, epsilon: 0.0, rounds: 2, patch_grid: 2, accept }
}

fn session() -> Session {
    Session::new(models(1, &ALL, true))
}

fn draw(session: &mut Session, settings: Settings) -> Result<Vec<Event>, SessionError> {
    let mut events = Vec::new();
    pollster::block_on(session.draw(settings, &mut NativeHost::new(|event: &Event| events.push(event.clone()))))?;
    Ok(events)
}

fn resume(session: &mut Session) -> Result<Vec<Event>, SessionError> {
    let mut events = Vec::new();
    pollster::block_on(session.resume(&mut NativeHost::new(|event: &Event| events.push(event.clone()))))?;
    Ok(events)
}

/// Draws, asking for a stop after `count` events.
fn draw_part(session: &mut Session, settings: Settings, count: usize) -> Vec<Event> {
    let (mut events, flag) = (Vec::new(), session.cancel_flag());
    let mut host = NativeHost::new(|event: &Event| {
        events.push(event.clone());
        if events.len() == count {
            flag.request();
        }
    });
    let outcome = pollster::block_on(session.draw(settings, &mut host)).expect("draws");
    assert_eq!(outcome, Outcome::Cancelled);
    events
}

fn timeless(events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    for event in &mut events {
        match event {
            Event::Step { milliseconds, .. } => *milliseconds = 0.0,
            Event::Finished { totals, .. } => totals.seconds = 0.0,
            _ => {}
        }
    }
    events
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::Started { .. } => "started",
        Event::Step { .. } => "step",
        Event::Image { .. } => "image",
        Event::PathChosen { .. } => "path_chosen",
        Event::Reflection { .. } => "reflection",
        Event::ReflectionEnded { .. } => "reflection_ended",
        Event::Finished { .. } => "finished",
        Event::Cancelled { .. } => "cancelled",
    };
    events.iter().map(kind).collect()
}

#[test]
fn stepwise_modes_commit_the_highest_score_and_keep_what_is_known() {
    for mode in [VerifierMode::Parm, VerifierMode::Prm] {
        let events = draw(&mut session(), Settings { previews: true, ..settings(mode) }).expect("draws");
        assert_eq!(kinds(&events), ["started", "step", "step", "step", "step", "image", "finished"], "{mode}");
        let mut held = vec![MASK; GRID * GRID];
        for event in &events {
            let Event::Step { candidates, chosen, known_before, masked_after, .. } = event else { continue };
            assert_eq!(candidates.len(), 3);
            let scores: Vec<f32> = candidates.iter().filter_map(|candidate| candidate.score).collect();
            assert_eq!(scores.len(), 3);
            assert!(scores.iter().all(|&score| (0.0..=1.0).contains(&score)));
            assert!(scores.iter().all(|&score| score <= scores[*chosen as usize]));
            assert!(candidates.iter().all(|candidate| candidate.preview.is_some()));
            let kept = &candidates[*chosen as usize].tokens;
            assert_eq!(kept.iter().filter(|&&token| token == MASK).count(), *masked_after as usize);
            for (at, &token) in held.iter().enumerate() {
                assert_eq!(known_before[at], token != MASK);
                assert!(token == MASK || kept[at] == token);
            }
            held.clone_from(kept);
        }
        assert!(held.iter().all(|&token| token >= 0));
        let Some(Event::Finished { tokens, totals, verdict, .. }) = events.last() else { panic!("{mode}: no end") };
        assert_eq!((tokens, verdict), (&held, &None));
        let expected = Totals { generator_forwards: 4, reward_forwards: 12, decoded_pictures: 13, ..*totals };
        assert_eq!(*totals, expected);
    }
}

/// The same models, PARM's logits many times as large: with random weights all of its scores are near one half.
fn outspoken(mut models: Models) -> Models {
    let parm = models.rewards.remove(&RewardLabel::Potential).expect("a PARM");
    let mut weights = Weights::new(models.device());
    for (name, (shape, mut values)) in named_parameters(&parm.reward).expect("the CPU can be read") {
        if name == "head2.weight" {
            values.iter_mut().for_each(|value| *value *= 40.0);
        }
        weights.insert_float(&name, &shape, values).expect("a parameter");
    }
    let reward = Reward::new(&parm.config, weights).expect("the same network");
    models
        .add(Network::Reward(RewardModel { reward, config: parm.config.clone(), device: parm.device.clone() }))
        .expect("it fits");
    models
}

/// The events of each of three paths in the order of the recording: steps with their scores, and whether it became a
/// picture; a fourth is one of them taken up again.
fn walks(events: &[Event]) -> Vec<(u32, Vec<Option<f32>>, bool)> {
    let mut walks: Vec<(u32, Vec<Option<f32>>, bool)> = Vec::new();
    for event in events {
        match event {
            Event::Step { path, candidates, .. } => {
                let last_score = walks.last().and_then(|walk| walk.1.last().copied().flatten());
                let again = walks.len() == 3 && last_score.is_some_and(|score| score < PROMISING);
                if again || walks.last().is_none_or(|walk| walk.0 != *path) {
                    walks.push((*path, Vec::new(), false));
                }
                walks.last_mut().expect("a walk").1.push(candidates[0].score);
            }
            Event::Image { .. } => walks.last_mut().expect("a walk").2 = true,
            _ => {}
        }
    }
    walks
}

#[test]
fn paths_are_judged_where_they_are_clear_and_given_up_where_they_promise_little() {
    let (mut some_given_up, mut none_survived) = (false, false);
    for seed in 0..24 {
        let mut session = Session::new(outspoken(models(seed, &ALL, true)));
        let settings = Settings { seed, ..settings(VerifierMode::ParmPaths) };
        let events = draw(&mut session, settings.clone()).expect("draws");
        let walks = walks(&events);
        let (tried, rescued) = walks.split_at(3);
        let mut finished: Vec<(u32, f32)> = Vec::new();
        for (index, (path, scores, whole)) in tried.iter().enumerate() {
            assert_eq!(*path as usize, index, "one after another");
            // Of four steps of a cosine schedule the first leaves 0.92 masked, the second 0.71.
            assert!(scores[0].is_none() && scores.iter().skip(2).all(Option::is_some), "{scores:?}");
            let judged: Vec<f32> = scores.iter().flatten().copied().collect();
            let (last, before) = judged.split_last().expect("a judgement");
            assert!(before.iter().all(|&score| score >= PROMISING), "{judged:?}");
            assert!(*whole || (*last < PROMISING && scores.len() < 4), "{scores:?}");
            if *whole {
                finished.push((*path, *last));
            }
        }
        some_given_up |= finished.len() < 3;
        let expected = if finished.is_empty() {
            none_survived = true;
            let ends: Vec<f32> =
                tried.iter().map(|walk| walk.1.iter().flatten().last().copied().unwrap_or(0.0)).collect();
            let [(path, scores, true)] = rescued else { panic!("the least bad is finished: {rescued:?}") };
            assert_eq!(*path as usize, crate::verify::best(&ends));
            assert_eq!(scores.len() + tried[*path as usize].1.len(), 4, "it goes on where it was");
            *path
        } else {
            assert!(rescued.is_empty());
            let scores: Vec<f32> = finished.iter().map(|path| path.1).collect();
            finished[crate::verify::best(&scores)].0
        };
        let chosen = events.iter().find_map(|event| match event {
            Event::PathChosen { path } => Some(*path),
            _ => None,
        });
        assert_eq!(chosen, Some(expected));
        let Some(Event::Finished { totals, .. }) = events.last() else { panic!("no end") };
        let steps: usize = walks.iter().map(|walk| walk.1.len()).sum();
        let judged: usize = walks.iter().map(|walk| walk.1.iter().flatten().count()).sum();
        assert_eq!((totals.generator_forwards as usize, totals.reward_forwards as usize), (steps, judged));
    }
    assert!(some_given_up && none_survived, "these seeds show both");
}

/// One network under every question.
fn asked(seed: u64) -> Session {
    Session::new(models_asked(seed))
}

#[test]
fn a_network_that_answers_every_question_serves_every_mode_of_reward_networks() {
    let session = asked(1);
    let modes = [VerifierMode::None, VerifierMode::Orm, VerifierMode::Prm, VerifierMode::Parm, VerifierMode::ParmPaths];
    assert_eq!(session.models().verifiers(), modes);
    // Each mode asks its own question: of a whole picture, the same network says three things.
    let tokens = vec![3; GRID * GRID];
    let look = crate::verify::Candidates::whole(&session.models().image_tokenizer, &tokens);
    let said = [VerifierMode::Orm, VerifierMode::Prm, VerifierMode::Parm].map(|mode| {
        let verifier = crate::verify::verifier(session.models(), mode, &[4, 5]).expect("there").expect("a verifier");
        verifier.score(&look).into_scalar::<f32>()
    });
    assert!(said[0] != said[1] && said[1] != said[2] && said[0] != said[2], "{said:?}");
}

#[test]
fn steps_that_are_not_clear_are_not_judged() {
    let (mut clear, mut unclear) = (0, 0);
    for seed in 0..12 {
        let events = draw(&mut asked(seed), settings(VerifierMode::Parm)).expect("draws");
        let mut forwards = 0;
        for event in &events {
            let Event::Step { step, steps, candidates, chosen, clarity, .. } = event else { continue };
            let scored = candidates.iter().filter(|candidate| candidate.score.is_some()).count();
            forwards += scored as u32 + u32::from(clarity.is_some());
            // A complete state needs no asking.
            assert_eq!(clarity.is_none(), step + 1 == *steps);
            if clarity.is_none_or(|chance| chance >= 0.5) {
                clear += 1;
                assert_eq!(scored, 3);
            } else {
                unclear += 1;
                assert_eq!((scored, *chosen), (0, 0), "nobody chose");
            }
        }
        let Some(Event::Finished { totals, .. }) = events.last() else { panic!("no end") };
        assert_eq!(totals.reward_forwards, forwards);
        let mut session = asked(seed);
        session.resume_from(&events[..3]).expect("a recording");
        assert_eq!(timeless(&resume(&mut session).expect("goes on")), timeless(&events[3..]));
    }
    assert!(clear > 12 && unclear > 0, "these seeds show both: {clear}, {unclear}");
}

#[test]
fn other_weights_draw_another_picture_and_are_asked_for_by_name() {
    let mut session = session();
    let tuned = Settings { generator: Tuning::Dpo, ..settings(VerifierMode::None) };
    let error = draw(&mut session, tuned.clone()).expect_err("they are not there");
    assert!(error.to_string().contains("\"dpo\"") && error.to_string().contains("base"), "{error}");
    let other = models(2, &[], false);
    let generator = std::rc::Rc::try_unwrap(other.generator).ok().expect("nobody else holds it");
    session.models_mut().add(Network::Generator(Tuning::Dpo, generator)).expect("they fit");
    let tokens = |events: &[Event]| match events.last() {
        Some(Event::Finished { tokens, .. }) => tokens.clone(),
        _ => panic!("no end"),
    };
    let base = draw(&mut session, settings(VerifierMode::None)).expect("draws");
    assert_ne!(tokens(&base), tokens(&draw(&mut session, tuned.clone()).expect("draws")));
    let alone = draw(&mut Session::new(models(2, &[], false)), settings(VerifierMode::None)).expect("draws");
    assert_eq!(tokens(&alone), tokens(&draw(&mut session, tuned).expect("draws")), "they are those weights");
}

#[test]
fn whole_picture_modes_draw_k_paths_and_choose_the_best() {
    for mode in [VerifierMode::BestOfK, VerifierMode::Orm] {
        let events = draw(&mut session(), settings(mode)).expect("draws");
        let path = ["step", "step", "step", "step", "image"];
        let expected = [&["started"][..], &path, &path, &path, &["path_chosen", "finished"]].concat();
        assert_eq!(kinds(&events), expected, "{mode}");
        let images: Vec<(Vec<i32>, f32)> = events
            .iter()
            .filter_map(|event| match event {
                Event::Image { tokens, score, .. } => Some((tokens.clone(), score.expect("a score"))),
                _ => None,
            })
            .collect();
        assert_ne!(images[0].0, images[1].0, "the paths are independent");
        let chosen = events.iter().find_map(|event| match event {
            Event::PathChosen { path } => Some(*path as usize),
            _ => None,
        });
        let chosen = chosen.expect("a choice");
        assert!(images.iter().all(|(_, score)| *score <= images[chosen].1));
        assert!(matches!(events.last(), Some(Event::Finished { tokens, .. }) if *tokens == images[chosen].0));
        // Path 0 is the drawing without a verifier.
        let plain = draw(&mut session(), settings(VerifierMode::None)).expect("draws");
        assert!(matches!(plain.last(), Some(Event::Finished { tokens, .. }) if *tokens == images[0].0));
    }
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_another() {
    let one = draw(&mut session(), settings(VerifierMode::Parm)).expect("draws");
    let again = draw(&mut session(), settings(VerifierMode::Parm)).expect("draws");
    assert_eq!(timeless(&one), timeless(&again));
    let other = draw(&mut session(), Settings { seed: 6, ..settings(VerifierMode::Parm) }).expect("draws");
    assert_ne!(timeless(&one)[1..], timeless(&other)[1..]);
}

#[test]
fn a_stopped_drawing_goes_on_as_if_it_had_never_stopped() {
    for (mode, accept) in [(VerifierMode::Parm, AcceptRule::IfNotWorse), (VerifierMode::BestOfK, AcceptRule::Every)] {
        let settings = Settings { reflection: Some(reflecting(accept)), ..settings(mode) };
        let whole = draw(&mut session(), settings.clone()).expect("draws");
        for count in 1..whole.len() {
            let mut first = session();
            let mut events = draw_part(&mut first, settings.clone(), count);
            assert!(matches!(events.pop(), Some(Event::Cancelled { .. })));
            // On other models, as after the loss of a device.
            let mut second = Session::with_drawing(models(1, &ALL, true), first.into_drawing());
            events.extend(resume(&mut second).expect("goes on"));
            assert_eq!(timeless(&events), timeless(&whole), "{mode} stopped after {count}");
        }
    }
}

#[test]
fn stop_names_the_step_that_would_have_come_next() {
    let events = draw_part(&mut session(), settings(VerifierMode::Parm), 3);
    assert_eq!(events.last(), Some(&Event::Cancelled { next_step: 2 }));
}

#[test]
fn a_recording_goes_on_from_any_event() {
    for mode in [VerifierMode::Parm, VerifierMode::Orm, VerifierMode::ParmPaths] {
        let settings = Settings { reflection: Some(reflecting(AcceptRule::Every)), ..settings(mode) };
        let whole = draw(&mut session(), settings).expect("draws");
        for count in 1..whole.len() {
            let mut later = session();
            later.resume_from(&whole[..count]).expect("the recording is sound");
            let rest = resume(&mut later).expect("goes on");
            assert_eq!(timeless(&rest), timeless(&whole[count..]), "{mode} after {count}");
        }
        let mut done = session();
        done.resume_from(&whole).expect("the recording is sound");
        assert_eq!(resume(&mut done), Err(SessionError::NothingToResume));
    }
}

#[test]
fn a_recording_that_contradicts_itself_is_refused_by_event() {
    let whole = draw(&mut session(), settings(VerifierMode::Parm)).expect("draws");
    let refused = |events: &[Event]| match session().resume_from(events) {
        Err(SessionError::Recording { index, .. }) => index,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[]), 0);
    assert_eq!(refused(&whole[1..]), 0);
    let mut gap = whole.clone();
    gap.remove(2);
    assert_eq!(refused(&gap), 2);
    let mut wild = whole.clone();
    if let Event::Step { candidates, chosen, .. } = &mut wild[1] {
        candidates[*chosen as usize].tokens[0] = 16;
    }
    assert_eq!(refused(&wild), 1);
    let mut nobody = whole;
    if let Event::Step { chosen, .. } = &mut nobody[3] {
        *chosen = 99;
    }
    assert_eq!(refused(&nobody), 3);
}

#[test]
fn reflection_changes_only_what_lies_under_weak_patches() {
    // A threshold between the scores, so that some patches are weak and some are not. Random towers often disagree about
    // everything, and CLIPScore is then 0 everywhere: the first weights that tell patches apart are taken.
    let probe = Settings { reflection: Some(reflecting(AcceptRule::Every)), ..settings(VerifierMode::Parm) };
    let (weights, threshold) = (1..50)
        .find_map(|weights| {
            let mut session = Session::new(models(weights, &[Potential], true));
            let events = draw(&mut session, probe.clone()).expect("draws");
            let mut scores = events.iter().find_map(|event| match event {
                Event::Reflection { patch_scores, weak, .. } => {
                    assert!(weak.iter().all(|&weak| weak));
                    Some(patch_scores.clone())
                }
                _ => None,
            })?;
            scores.sort_by(f32::total_cmp);
            (scores[1] < scores[2]).then(|| (weights, (scores[1] + scores[2]) / 2.0))
        })
        .expect("weights that tell patches apart");
    let reflection = ReflectionSettings { threshold, rounds: 1, ..reflecting(AcceptRule::Every) };
    let mut session = Session::new(models(weights, &[Potential], true));
    let events = draw(&mut session, Settings { reflection: Some(reflection), ..probe }).expect("draws");
    let before = events.iter().find_map(|event| match event {
        Event::Image { tokens, .. } => Some(tokens.clone()),
        _ => None,
    });
    let before = before.expect("a picture");
    let Some(Event::Reflection { weak, tokens_after, kept, distance, .. }) =
        events.iter().find(|event| matches!(event, Event::Reflection { .. }))
    else {
        panic!("no round");
    };
    assert_eq!(weak.iter().filter(|&&weak| weak).count(), 2);
    assert!(*kept && *distance >= 0.0);
    assert!(tokens_after.iter().all(|&token| token >= 0));
    for (at, (after, before)) in tokens_after.iter().zip(&before).enumerate() {
        let patch = patch_of(at / GRID, GRID, 2) * 2 + patch_of(at % GRID, GRID, 2);
        assert!(weak[patch] || after == before, "token {at} was to stay");
    }
    assert!(matches!(events.last(), Some(Event::Finished { tokens, .. }) if tokens == tokens_after));
}

#[test]
fn a_round_that_is_worse_is_dropped_where_the_rule_says_so() {
    let (mut kept_some, mut dropped_some) = (false, false);
    for seed in 0..6 {
        let reflection = Some(ReflectionSettings { rounds: 3, ..reflecting(AcceptRule::IfNotWorse) });
        let events =
            draw(&mut session(), Settings { seed, reflection, ..settings(VerifierMode::Parm) }).expect("draws");
        let (mut tokens, mut score) = (Vec::new(), None);
        for event in &events {
            match event {
                Event::Image { tokens: drawn, .. } => tokens.clone_from(drawn),
                Event::Reflection { tokens_after, score_before, score_after, kept, .. } => {
                    assert!(score.is_none() || score == *score_before);
                    assert_eq!(*kept, score_after >= score_before);
                    if *kept {
                        tokens.clone_from(tokens_after);
                    }
                    score = if *kept { *score_after } else { *score_before };
                    kept_some |= *kept;
                    dropped_some |= !*kept;
                }
                Event::ReflectionEnded { reason, rounds, .. } => {
                    assert_eq!((*reason, *rounds), (ReflectionStop::RoundsSpent, 3));
                }
                Event::Finished { tokens: finished, .. } => assert_eq!(*finished, tokens),
                _ => {}
            }
        }
    }
    assert!(kept_some && dropped_some);
}

#[test]
fn a_verifier_that_is_satisfied_draws_no_round_where_the_rule_says_so() {
    let (mut satisfied_some, mut doubted_some) = (false, false);
    for (seed, mode) in (0..12).flat_map(|seed| [(seed, VerifierMode::Parm), (seed, VerifierMode::Orm)]) {
        let reflection = Some(reflecting(AcceptRule::IfDoubted));
        let events = draw(&mut session(), Settings { seed, reflection, ..settings(mode) }).expect("draws");
        let (mut odds, mut of_paths) = (None, Vec::new());
        for event in &events {
            match event {
                Event::Image { score, .. } => {
                    of_paths.push(*score);
                    odds = *score;
                }
                Event::PathChosen { path } => odds = of_paths[*path as usize],
                Event::Reflection { score_before, score_after, kept, .. } => {
                    assert!(*score_before < Some(0.5), "a round of a picture with {score_before:?}");
                    assert_eq!(*kept, score_after >= score_before);
                    odds = if *kept { *score_after } else { *score_before };
                    doubted_some = true;
                }
                Event::ReflectionEnded { reason, .. } => {
                    assert_eq!(*reason == ReflectionStop::Satisfied, odds >= Some(0.5), "{reason:?} at {odds:?}");
                    satisfied_some |= *reason == ReflectionStop::Satisfied;
                }
                _ => {}
            }
        }
    }
    assert!(satisfied_some && doubted_some);
}

/// CLIPScore is no probability: it does not end reflection.
#[test]
fn only_a_reward_network_can_be_satisfied() {
    for mode in [VerifierMode::None, VerifierMode::BestOfK] {
        let reflection = Some(reflecting(AcceptRule::IfDoubted));
        let events = draw(&mut session(), Settings { reflection, ..settings(mode) }).expect("draws");
        let ended = |event: &Event| matches!(event, Event::ReflectionEnded { reason: ReflectionStop::RoundsSpent, .. });
        assert!(events.iter().any(ended), "{mode:?}");
    }
}

#[test]
fn reflection_stops_when_nothing_is_weak_or_nothing_changes() {
    let ended = |reflection| {
        let settings = Settings { reflection: Some(reflection), ..settings(VerifierMode::None) };
        let events = draw(&mut session(), settings).expect("draws");
        events.into_iter().find_map(|event| match event {
            Event::ReflectionEnded { reason, patch_scores, rounds } => Some((reason, patch_scores.len(), rounds)),
            _ => None,
        })
    };
    let content = ReflectionSettings { threshold: -1.0, ..reflecting(AcceptRule::Every) };
    assert_eq!(ended(content), Some((ReflectionStop::NothingWeak, 4, 0)));
    let patient = ReflectionSettings { epsilon: 2.0, ..reflecting(AcceptRule::Every) };
    assert_eq!(ended(patient), Some((ReflectionStop::Converged, 0, 1)));
}

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
        (missing.needs, missing.available.as_slice()),
        (ModelKind::Reward(Potential), &[VerifierMode::None][..])
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
        assert_eq!(loaded.verifiers(), VerifierMode::ALL);
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
