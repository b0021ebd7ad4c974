//! Sessions over tiny random models on the CPU.

mod begun;
mod bundles;
mod judges;
mod own;
mod questions;
mod reflection;
mod refused;

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
    let (mut events, flag) = (Vec::new(), session.stopper());
    let mut host = NativeHost::new(|event: &Event| {
        events.push(event.clone());
        if events.len() == count {
            flag.raise();
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
        let prompt = crate::verify::Wording { text: "", ids: &[4, 5] };
        let verifier = crate::verify::verifier(session.models(), mode, prompt).expect("there").expect("a verifier");
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
