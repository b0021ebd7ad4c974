//! What stands where: a shape, a colour and a role for every image token, and where the other one of two things lies.
//!
//! A verdict is one bit a picture; what it rests on is known of every token, from the scene or from the checker's
//! detections. A reward network that also has to say this of its tokens learns what it sees from sixty-four answers a
//! picture instead of one. The map from tokens to answers is the training's alone and is not exported.

use burn::tensor::{Device, Int, Tensor, TensorData};
use scenes::{Colour, Detection, Relation, SIDE, Scene, Shape, Spec};
use showo::ops::gradient::cross_entropy;

use crate::shuffle::GRID;

/// What is asked of a token.
struct Question {
    name: &'static str,
    answers: usize,
    /// Whether the first answer says only that there is no thing of which it could be asked.
    of_things: bool,
}

/// The questions: no object or one of its kind, the last being "none that is known"; for the role no object, the one that the
/// prompt names first or second, one that it does not ask for; and for each axis no object or none that is one of two, the
/// other one on this side, on that, or level.
const QUESTIONS: [Question; 5] = [
    Question { name: "shape", answers: Shape::ALL.len() + 2, of_things: false },
    Question { name: "colour", answers: Colour::ALL.len() + 2, of_things: false },
    Question { name: "role", answers: 4, of_things: true },
    Question { name: "other, across", answers: 4, of_things: true },
    Question { name: "other, along", answers: 4, of_things: true },
];
/// All answers.
pub const CLASSES: usize = {
    let (mut all, mut question) = (0, 0);
    while question < QUESTIONS.len() {
        all += QUESTIONS[question].answers;
        question += 1;
    }
    all
};
/// A token belongs to an object whose centre is no farther from its own than this, along both axes.
const REACH_PX: f32 = 8.0;

/// The answers for one token, in the order of [`QUESTIONS`].
type Token = [u8; QUESTIONS.len()];

/// The answers for every token of a picture, row by row.
pub type Grounding = Vec<Token>;

/// An object anywhere.
struct Thing {
    shape: Option<Shape>,
    colour: Option<Colour>,
    centre_px: (f32, f32),
}

/// Of a scene.
#[must_use]
pub fn of_scene(spec: &Spec, scene: &Scene) -> Grounding {
    let things = scene.objects.iter().map(|object| Thing {
        shape: Some(object.shape),
        colour: Some(object.colour),
        centre_px: object.centre_px(),
    });
    ground(spec, &things.collect::<Vec<_>>())
}

/// Of what the checker sees in a picture.
#[must_use]
pub fn of_detections(spec: &Spec, detections: &[Detection]) -> Grounding {
    let things = detections.iter().map(|seen| Thing {
        shape: seen.shape,
        colour: seen.colour,
        centre_px: (seen.centre_x_px, seen.centre_y_px),
    });
    ground(spec, &things.collect::<Vec<_>>())
}

fn ground(spec: &Spec, things: &[Thing]) -> Grounding {
    let centre = |index: usize| (index as f32 + 0.5) * (SIDE / GRID) as f32;
    let token = |place: usize| {
        let (x, y) = (centre(place % GRID), centre(place / GRID));
        let far = |thing: &Thing| (thing.centre_px.0 - x).abs().max((thing.centre_px.1 - y).abs());
        let nearest = things.iter().min_by(|a, b| far(a).total_cmp(&far(b))).filter(|thing| far(thing) <= REACH_PX);
        nearest.map_or([0; QUESTIONS.len()], |thing| answers(spec, thing, other_of(thing, things)))
    };
    (0..GRID * GRID).map(token).collect()
}

/// The other one of two things.
fn other_of<'a>(thing: &Thing, things: &'a [Thing]) -> Option<&'a Thing> {
    let [first, second] = things else { return None };
    Some(if std::ptr::eq(thing, first) { second } else { first })
}

fn answers(spec: &Spec, thing: &Thing, other: Option<&Thing>) -> Token {
    let shape = thing.shape.map_or(Shape::ALL.len(), |shape| shape as usize);
    let colour = thing.colour.map_or(Colour::ALL.len(), |colour| colour as usize);
    let role = spec
        .objects
        .iter()
        .position(|asked| thing.shape == Some(asked.shape) && (asked.colour.is_none() || asked.colour == thing.colour));
    let side = |relations: [Relation; 2]| {
        let Some(other) = other else { return 0 };
        let holding = relations.iter().position(|relation| relation.holds(thing.centre_px, other.centre_px));
        holding.map_or(3, |holding| holding as u8 + 1)
    };
    [
        shape as u8 + 1,
        colour as u8 + 1,
        role.map_or(3, |role| role as u8 + 1),
        side([Relation::LeftOf, Relation::RightOf]),
        side([Relation::Above, Relation::Below]),
    ]
}

/// Cross-entropy of the answers to each question, by its name: `logits` `[pictures · N, CLASSES]`. The mean over all tokens
/// where the question is what is there; where it is about the thing that is there, over those of which it can be asked.
#[must_use]
pub fn losses(logits: Tensor<2>, groundings: &[&Grounding], device: &Device) -> Vec<(&'static str, Tensor<1>)> {
    let tokens = || groundings.iter().flat_map(|of| of.iter()).zip(0..);
    let mut first = 0;
    let losses = QUESTIONS.iter().enumerate().filter_map(|(question, &Question { name, answers, of_things })| {
        let of_question = logits.clone().narrow(1, first, answers);
        first += answers;
        let asked = tokens().filter(|(token, _)| !of_things || token[question] > 0);
        let (labels, rows): (Vec<i32>, Vec<i32>) = asked.map(|(token, row)| (i32::from(token[question]), row)).unzip();
        let count = rows.len();
        let [labels, rows] = [labels, rows].map(|of| Tensor::<1, Int>::from_data(TensorData::new(of, [count]), device));
        let of_asked = if of_things { of_question.select(0, rows) } else { of_question };
        (count > 0).then(|| (name, cross_entropy(of_asked, labels).mean()))
    });
    losses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_covers_its_slot_and_a_rendering_says_the_same_as_its_scene() {
        let mut rng = rng::Rng::new(3);
        for _ in 0..50 {
            let spec = scenes::sample_training_spec(&mut rng);
            let scene = scenes::sample_scene(&spec, scenes::Split::Train, &mut rng);
            let known = of_scene(&spec, &scene);
            assert_eq!(known.iter().filter(|token| token[0] > 0).count(), 4 * scene.objects.len());
            assert!(known.iter().all(|token| token[2] != 3), "all of it is wanted");
            assert_eq!(known, of_detections(&spec, &scenes::detect(&scenes::render(&scene))), "{spec:?} {scene:?}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_told_apart() {
        let spec = Spec::parse("a red circle").unwrap();
        let at = |colour| Scene {
            objects: vec![scenes::Object { shape: Shape::Circle, colour, size: scenes::Size::Large, col: 3, row: 0 }],
        };
        assert_eq!(of_scene(&spec, &at(Colour::Red))[6], [1, 1, 1, 0, 0]);
        assert_eq!(of_scene(&spec, &at(Colour::Blue))[6][2], 3);
        assert_eq!(of_scene(&spec, &at(Colour::Blue))[5], [0; 5]);
    }

    #[test]
    fn two_things_know_where_the_other_one_lies() {
        let spec = Spec::parse("a square left of a circle").unwrap();
        let object =
            |shape, col, row| scenes::Object { shape, colour: Colour::Red, size: scenes::Size::Large, col, row };
        let scene = Scene { objects: vec![object(Shape::Circle, 0, 1), object(Shape::Square, 3, 1)] };
        let known = of_scene(&spec, &scene);
        let [circle, square] = [2 * GRID, 2 * GRID + 6].map(|place| known[place]);
        assert_eq!(circle[2..], [2, 1, 3], "named second, left of the other, as high");
        assert_eq!(square[2..], [1, 2, 3]);
    }
}
