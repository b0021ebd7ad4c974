//! The checker on rendered pictures, softened ones, near misses and broken ones. The figures proper are
//! `cargo run --release -p scenes --example icons_checker`.

use std::sync::LazyLock;

use rng::Rng;
use scenes::icons::checker::Options;
use scenes::icons::{
    Atlas, Checker, Class, Picture, Placed, Scene, Sighting, Spec, Task, Variety, Wanted, near_miss, render,
    sample_scene, sample_spec, verdicts,
};

#[path = "../examples/icons_checker/damage.rs"]
mod damage;

static CHECKER: LazyLock<Checker> = LazyLock::new(|| Checker::new(Atlas::shipped(), &Options::default()));

fn scene(number: u64) -> (Spec, Scene, Rng) {
    let mut rng = Rng::keyed(&[18, number]);
    let spec = sample_spec(Task::ALL[number as usize % 6], &mut rng);
    let scene = sample_scene(&spec, &Variety::full(), Atlas::shipped(), &mut rng);
    (spec, scene, rng)
}

#[test]
fn rendered_scenes_are_right_and_near_misses_are_not() {
    let atlas = Atlas::shipped();
    let mut right = 0;
    for number in 0..48 {
        let (spec, scene, mut rng) = scene(number);
        let verdict = CHECKER.check(&render(&scene, atlas), &spec);
        assert_eq!(verdict.exact, verdict.why.is_none(), "{verdict:?}");
        assert!(!verdict.exact || verdict.geneval, "what is exact is right for GenEval, too: {verdict:?}");
        right += usize::from(verdict.exact);
        for _ in 0..4 {
            let miss = near_miss(&spec, &mut rng);
            let (_, exact) = verdicts(&verdict.seen, &miss);
            assert!(!exact, "{} is no picture of {}: {}", spec.prompt(), miss.prompt(), verdict.sentence);
        }
    }
    assert!(right >= 47, "{right} of 48");
}

#[test]
fn softened_and_moved_scenes_are_right() {
    let right = (100..130)
        .filter(|number| {
            let (spec, scene, mut rng) = scene(*number);
            let scene = damage::moved(&scene, &mut rng);
            let picture = damage::degrade(&render(&scene, Atlas::shipped()), &mut rng);
            CHECKER.check(&picture, &spec).exact
        })
        .count();
    assert!(right >= 28, "{right} of 30");
}

#[test]
fn halves_are_refused() {
    let atlas = Atlas::shipped();
    let mut refused = 0;
    for number in 200..230 {
        let (spec, scene, mut rng) = scene(number);
        let mut without = scene.clone();
        without.things.remove(0);
        let (whole, without) = (render(&scene, atlas), render(&without, atlas));
        let other = if number % 2 == 0 {
            without.clone()
        } else {
            let mut other = scene.clone();
            let class = atlas.glyphs()[usize::from(scene.things[0].glyph)].class;
            let next = (class.index() + 1 + rng.below(79)) % 80;
            let class = Class::all().nth(next).expect("there are eighty classes");
            other.things[0].glyph = atlas.of_class(class)[0];
            render(&other, atlas)
        };
        let picture = damage::partly(&whole, &without, &other, 0.5, &mut rng);
        refused += usize::from(!CHECKER.check(&picture, &spec).exact);
    }
    assert!(refused >= 28, "{refused} of 30");
}

#[test]
fn what_is_seen_is_what_was_drawn() {
    let atlas = Atlas::shipped();
    let (_, scene, _) = scene(3);
    let seen = CHECKER.see(&render(&scene, atlas));
    let truth = Sighting::of_scene(&scene, atlas);
    assert_eq!(seen.things.len(), truth.things.len());
    for thing in &truth.things {
        let same = seen.things.iter().find(|seen| (seen.x - thing.x).abs() <= 1 && (seen.y - thing.y).abs() <= 1);
        let same = same.expect("something is seen where a thing is");
        assert_eq!((same.class, same.colour), (thing.class, thing.colour));
        assert!(same.is_sure() && same.score > 0.9, "{same:?}");
        for (a, b) in same.extent.iter().zip(thing.extent) {
            assert!((a - b).abs() <= 3.0, "{:?} is tight around {:?}", same.extent, thing.extent);
        }
    }
}

/// Every task's scene is right by its own plan, without pixels.
#[test]
fn plans_are_judged_like_pictures() {
    for number in 300..900 {
        let (spec, scene, mut rng) = scene(number);
        let truth = Sighting::of_scene(&scene, Atlas::shipped());
        assert_eq!(verdicts(&truth, &spec), (true, true), "{}: {truth:?}", spec.prompt());
        assert!(!verdicts(&truth, &near_miss(&spec, &mut rng)).1);
    }
}

#[test]
fn strange_pictures_are_no_trouble() {
    let spec = Spec { wanted: vec![Wanted::one(Class::all().next().expect("a class"), None)], relation: None };
    let mut rng = Rng::new(9);
    let noise = (0..128 * 128 * 3).map(|_| rng.below(256) as u8).collect();
    for rgb in [Vec::new(), vec![7; 100], vec![0; 128 * 128 * 3], vec![255; 128 * 128 * 3], noise] {
        let verdict = CHECKER.check(&Picture { rgb }, &spec);
        assert!(!verdict.exact && !verdict.geneval, "{}", verdict.sentence);
    }
    let nothing = Options { glyphs: Some(vec![u16::MAX]), sizes: Some(vec![0, 9, 255]), mirrored: true };
    let blind = Checker::new(Atlas::shipped(), &nothing);
    assert!(blind.see(&Picture::empty()).things.is_empty());
}

/// A checker for a part of the world sees that part.
#[test]
fn a_smaller_world_is_seen_too() {
    let atlas = Atlas::shipped();
    let dog = Class::named("dog").expect("a class");
    let glyph = atlas.of_class(dog)[0];
    let options = Options { glyphs: Some(vec![glyph]), sizes: Some(vec![64]), mirrored: false };
    let placed = Placed { glyph, colour: None, size_px: 64, x: 32, y: 48, mirrored: false };
    let picture = render(&Scene { ground: 0, shadow: false, things: vec![placed] }, atlas);
    let spec = Spec { wanted: vec![Wanted::one(dog, None)], relation: None };
    let verdict = Checker::new(atlas, &options).check(&picture, &spec);
    assert!(verdict.exact, "{verdict:?}");
    assert!(verdict.sentence.starts_with("a dog "), "{}", verdict.sentence);
}
