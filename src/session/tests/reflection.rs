//! Reflection: which tokens change, when it ends, which rounds are kept.

use super::*;

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
    for (seed, mode) in (0..60).flat_map(|seed| [(seed, VerifierMode::Parm), (seed, VerifierMode::Orm)]) {
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
