//! Drawings that begin with something: a picture with a hole, the edge of a panorama.

use super::*;
use crate::decode::canvas::{CanvasError, Direction, Panorama};
use crate::session::picture_of;

/// Every other token of a picture is there.
fn half() -> Vec<i32> {
    (0..(GRID * GRID) as i32).map(|at| if at % 2 == 0 { at } else { MASK }).collect()
}

fn draw_from(session: &mut Session, settings: Settings, begin: Vec<i32>) -> Result<Vec<Event>, SessionError> {
    let mut events = Vec::new();
    let mut host = NativeHost::new(|event: &Event| events.push(event.clone()));
    pollster::block_on(session.draw_from(settings, begin, &mut host))?;
    Ok(events)
}

#[test]
fn what_is_there_stays_and_the_rest_is_drawn_in_every_mode() {
    for mode in VerifierMode::ALL.into_iter().filter(|mode| !mode.asks_itself()) {
        let events = draw_from(&mut session(), settings(mode), half()).expect("draws");
        let Some(Event::Finished { tokens, .. }) = events.last() else { panic!("{mode}: no end") };
        for (at, (&token, begin)) in tokens.iter().zip(half()).enumerate() {
            assert!(token >= 0 && (begin == MASK || begin == token), "{mode}: position {at}");
        }
        let known = events.iter().filter_map(|event| match event {
            Event::Step { step: 0, known_before, .. } => Some(known_before.iter().filter(|&&known| known).count()),
            _ => None,
        });
        assert!(known.into_iter().all(|known| known == GRID * GRID / 2), "{mode}");
    }
}

#[test]
fn a_drawing_from_nothing_is_the_same_by_either_way_and_says_nothing_of_it() {
    let plain = draw(&mut session(), settings(VerifierMode::Parm)).expect("draws");
    let begun = draw_from(&mut session(), settings(VerifierMode::Parm), vec![MASK; GRID * GRID]).expect("draws");
    assert_eq!(timeless(&plain), timeless(&begun));
    assert!(!serde_json::to_string(&plain[0]).expect("JSON").contains("begin"));
}

#[test]
fn a_recording_of_it_can_be_gone_on_with_after_any_event() {
    let whole = draw_from(&mut session(), settings(VerifierMode::BestOfK), half()).expect("draws");
    for count in 1..whole.len() {
        let json = serde_json::to_string(&whole[..count]).expect("JSON");
        let events: Vec<Event> = serde_json::from_str(&json).expect("events");
        let mut later = session();
        later.resume_from(&events).expect("the recording is sound");
        assert_eq!(timeless(&resume(&mut later).expect("goes on")), timeless(&whole[count..]), "after {count}");
    }
}

#[test]
fn tokens_that_cannot_be_begun_from_are_refused() {
    let mut whole = half();
    whole.iter_mut().for_each(|token| *token = (*token).max(0));
    let mut unknown = half();
    unknown[0] = 16;
    for (begin, word) in [(whole, "none of them"), (unknown, "the token 16"), (vec![MASK; 3], "3 tokens")] {
        let error = draw_from(&mut session(), settings(VerifierMode::None), begin).expect_err("must be refused");
        assert!(matches!(&error, SessionError::Begin(_)) && error.to_string().contains(word), "{error}");
        assert!(error.to_string().contains("bring a picture"), "{error}");
    }
}

#[test]
fn a_picture_grows_by_what_it_does_not_go_on_from() {
    let mut session = session();
    let mut host = NativeHost::new(|_: &Event| {});
    let there: Vec<i32> = (0..(GRID * GRID) as i32).collect();
    let mut panorama = Panorama::new(there.clone(), GRID);
    for direction in [Direction::Left, Direction::Right] {
        let settings = settings(VerifierMode::None);
        let grown = block_on(session.extend(&panorama, direction, 1, settings, &mut host)).expect("draws");
        panorama = grown.expect("not stopped");
    }
    // One column is gone on from, three are new.
    assert_eq!((panorama.rows, panorama.columns), (GRID, GRID + 6));
    for row in 0..GRID {
        assert_eq!(panorama.codes[row * 10 + 3..][..GRID], there[row * GRID..][..GRID], "row {row}");
    }
    let picture = block_on(picture_of(session.models(), &panorama)).expect("pixels");
    assert_eq!((picture.width, picture.height), (20, 8));
    let up = block_on(session.extend(&panorama, Direction::Up, 1, settings(VerifierMode::None), &mut host));
    assert!(matches!(up, Err(SessionError::Canvas(CanvasError::OtherSide { .. }))));
    let all = block_on(session.extend(&panorama, Direction::Left, 2, settings(VerifierMode::None), &mut host));
    assert!(matches!(all, Err(SessionError::Canvas(CanvasError::Offset { most: 1, .. }))));
}
