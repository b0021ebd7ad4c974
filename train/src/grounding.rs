//! What stands where: a shape, a colour and a role for every image token.
//!
//! A verdict is one bit a picture; what it rests on is known of every token, from the scene or from the checker's
//! detections. A reward network that also has to say this of its tokens learns what it sees from sixty-four answers a
//! picture instead of one. The map from tokens to answers is the training's alone and is not exported.

use burn::tensor::{Device, Int, Tensor, TensorData};
use scenes::{Colour, Detection, SIDE, Scene, Shape, Spec};
use showo::ops::gradient::cross_entropy;

use crate::shuffle::GRID;

/// Answers to each of the three questions: no object or one of its kind, the last being "none that is known"; and for the
/// role no object, one that the prompt asks for, one that it does not.
const ANSWERS: [usize; 3] = [Shape::ALL.len() + 2, Colour::ALL.len() + 2, 3];
/// All answers.
pub const CLASSES: usize = ANSWERS[0] + ANSWERS[1] + ANSWERS[2];
/// A token belongs to an object whose centre is no farther from its own than this, along both axes.
const REACH_PX: f32 = 8.0;

/// The answers for one token, in the order of [`ANSWERS`].
type Token = [u8; 3];

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
        nearest.map_or([0; 3], |thing| answers(spec, thing))
    };
    (0..GRID * GRID).map(token).collect()
}

fn answers(spec: &Spec, thing: &Thing) -> Token {
    let shape = thing.shape.map_or(Shape::ALL.len(), |shape| shape as usize);
    let colour = thing.colour.map_or(Colour::ALL.len(), |colour| colour as usize);
    let wanted = spec
        .objects
        .iter()
        .any(|wanted| thing.shape == Some(wanted.shape) && (wanted.colour.is_none() || wanted.colour == thing.colour));
    [shape as u8 + 1, colour as u8 + 1, if wanted { 1 } else { 2 }]
}

/// Mean cross-entropy of the three answers, summed over them: `logits` `[pictures · N, CLASSES]`.
#[must_use]
pub fn loss(logits: Tensor<2>, groundings: &[&Grounding], device: &Device) -> Tensor<1> {
    let rows = logits.dims()[0];
    let mut first = 0;
    let losses = ANSWERS.iter().enumerate().map(|(question, &answers)| {
        let labels: Vec<i32> = groundings.iter().flat_map(|of| of.iter()).map(|token| token[question].into()).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), device);
        let of_question = logits.clone().narrow(1, first, answers);
        first += answers;
        cross_entropy(of_question, labels).mean()
    });
    Tensor::cat(losses.collect(), 0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_covers_its_slot_and_a_rendering_says_the_same_as_its_scene() {
        let mut rng = scenes::Rng::new(3);
        for _ in 0..50 {
            let spec = scenes::sample_training_spec(&mut rng);
            let scene = scenes::sample_scene(&spec, scenes::Split::Train, &mut rng);
            let known = of_scene(&spec, &scene);
            assert_eq!(known.iter().filter(|token| token[0] > 0).count(), 4 * scene.objects.len());
            assert!(known.iter().all(|token| token[2] != 2), "all of it is wanted");
            assert_eq!(known, of_detections(&spec, &scenes::detect(&scenes::render(&scene))), "{spec:?} {scene:?}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_told_apart() {
        let spec = Spec::parse("a red circle").unwrap();
        let at = |colour| Scene {
            objects: vec![scenes::Object { shape: Shape::Circle, colour, size: scenes::Size::Large, col: 3, row: 0 }],
        };
        assert_eq!(of_scene(&spec, &at(Colour::Red))[6], [1, 1, 1]);
        assert_eq!(of_scene(&spec, &at(Colour::Blue))[6][2], 2);
        assert_eq!(of_scene(&spec, &at(Colour::Blue))[5], [0; 3]);
    }
}
