//! The atlas, its tints, layouts and pictures.

use std::collections::HashSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use rng::Rng;
use scenes::icons::{
    Atlas, AtlasError, CLASSES, Class, Colour, FEWEST_DRAWINGS, GROUNDS, LICENCES, Picture, Relation, SIDE, Scene,
    Spec, Variety, Wanted, extent, ground, lies, render, sample_scene, satisfies,
};

/// What the ten colours look like, 8-bit sRGB: the middle of each ramp.
const LOOKS: [(Colour, [u8; 3]); 10] = [
    (Colour::Red, [222, 41, 40]),
    (Colour::Orange, [250, 132, 22]),
    (Colour::Yellow, [250, 220, 40]),
    (Colour::Green, [48, 165, 70]),
    (Colour::Blue, [35, 111, 228]),
    (Colour::Purple, [122, 50, 188]),
    (Colour::Pink, [252, 150, 192]),
    (Colour::Brown, [117, 69, 36]),
    (Colour::Black, [33, 34, 37]),
    (Colour::White, [241, 240, 236]),
];

fn index() -> serde_json::Value {
    serde_json::from_slice(Atlas::shipped_parts().1).unwrap()
}

fn read(index: &serde_json::Value) -> Result<Atlas, AtlasError> {
    Atlas::from_parts(Atlas::shipped_parts().0, index.to_string().as_bytes())
}

#[test]
fn every_class_has_drawings_that_may_be_shown() {
    let atlas = Atlas::shipped();
    for class in Class::all() {
        let drawings = atlas.of_class(class);
        assert!(drawings.len() >= FEWEST_DRAWINGS, "{}: {}", class.name(), drawings.len());
        assert!(drawings.iter().all(|&glyph| atlas.glyphs()[usize::from(glyph)].class == class));
    }
    let sets: HashSet<&str> = atlas.sets().iter().map(|set| set.set.as_str()).collect();
    for (number, glyph) in atlas.glyphs().iter().enumerate() {
        assert!(LICENCES.contains(&glyph.licence.as_str()), "{}/{}", glyph.set, glyph.id);
        assert!(sets.contains(glyph.set.as_str()), "{}/{}", glyph.set, glyph.id);
        let sprite = atlas.sprite(number as u16, None, 48, false);
        let [left, top, right, bottom] = sprite.content().unwrap();
        assert!((right - left).max(bottom - top) >= 40, "{}/{} does not fill its box", glyph.set, glyph.id);
    }
    let (png, json) = Atlas::shipped_parts();
    assert!(png.len() + json.len() <= 3_000_000);
}

/// What was changed in an index, and what its refusal has to name.
#[test]
fn a_damaged_or_foreign_atlas_is_refused_with_the_remedy() {
    let (png, json) = Atlas::shipped_parts();
    let mut damaged = png.to_vec();
    damaged[5000] ^= 1;
    let refused = |result: Result<Atlas, AtlasError>| {
        let sentence = result.expect_err("it was read").to_string();
        assert!(sentence.contains("cargo xtask atlas") || sentence.contains("glyphs.json"), "{sentence}");
        sentence
    };
    assert!(matches!(Atlas::from_parts(&damaged, json), Err(AtlasError::Damaged)));
    refused(Atlas::from_parts(&damaged, json));
    refused(Atlas::from_parts(png, &json[..json.len() / 2]));
    refused(Atlas::from_parts(png, b"{}"));

    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut index = index();
        change(&mut index);
        refused(read(&index))
    };
    assert!(changed(&|index| index["format"] = 9.into()).contains("format 9"));
    let first = |sentence: String| assert!(sentence.contains("noto/person-standing"), "{sentence}");
    first(changed(&|index| index["glyphs"][0]["licence"] = serde_json::Value::Null));
    first(changed(&|index| drop(index["glyphs"][0].as_object_mut().unwrap().remove("licence"))));
    first(changed(&|index| index["glyphs"][0]["licence"] = "CC-BY-SA-4.0".into()));
    first(changed(&|index| index["glyphs"][0]["class"] = "dragon".into()));
    first(changed(&|index| index["glyphs"][0]["own_colour"] = "teal".into()));
    first(changed(&|index| index["glyphs"][0]["cell"] = 100_000.into()));
    changed(&|index| index["sets"] = serde_json::json!([]));
    changed(&|index| index["cell_px"] = 97.into());
    changed(&|index| index["cells"] = u32::MAX.into());
    changed(&|index| index["columns"] = 0.into());
    let lacking = changed(&|index| {
        index["glyphs"].as_array_mut().unwrap().retain(|glyph| glyph["class"] != "surfboard");
    });
    assert!(lacking.contains("surfboard"), "{lacking}");
}

/// Squared distance that weighs lightness less than colour, since tints are shaded.
fn apart(a: [u8; 3], b: [f32; 3]) -> f32 {
    let luma = |[r, g, b]: [f32; 3]| 0.3 * r + 0.59 * g + 0.11 * b;
    let a = a.map(f32::from);
    let (light_a, light_b) = (luma(a), luma(b));
    let chroma: f32 = (0..3).map(|c| ((a[c] - light_a) - (b[c] - light_b)).powi(2)).sum();
    chroma + 0.5 * (light_a - light_b).powi(2)
}

/// The colour that most of a sprite's pixels are nearest to.
fn leading_colour(sprite: &scenes::icons::Sprite) -> Colour {
    let mut counts = [0; 10];
    for &[r, g, b, alpha] in sprite.pixels.iter().filter(|pixel| pixel[3] > 250) {
        let straight = [r, g, b].map(|value| f32::from(value) * 255.0 / f32::from(alpha));
        let nearest = LOOKS.iter().min_by(|a, b| apart(a.1, straight).total_cmp(&apart(b.1, straight))).unwrap();
        counts[nearest.0 as usize] += 1;
    }
    Colour::ALL.into_iter().max_by_key(|&colour| counts[colour as usize]).unwrap()
}

#[test]
fn a_tint_is_the_colour_that_leads() {
    let atlas = Atlas::shipped();
    let (mut right, mut all) = (0, 0);
    let mut wrong = Vec::new();
    for (number, glyph) in atlas.glyphs().iter().enumerate().filter(|(_, glyph)| glyph.class.name() != "person") {
        for colour in Colour::ALL {
            let leads = leading_colour(&atlas.tinted_master(number as u16, Some(colour)));
            all += 1;
            if leads == colour {
                right += 1;
            } else {
                wrong.push(format!("{}/{} {}: {}", glyph.set, glyph.id, colour.name(), leads.name()));
            }
        }
    }
    println!("{right} of {all}; not: {wrong:#?}");
    assert!(f64::from(right) >= 0.98 * f64::from(all), "{right} of {all}: {wrong:#?}");
}

#[test]
fn pictures_do_not_depend_on_when_they_are_drawn() {
    let other = Atlas::from_parts(Atlas::shipped_parts().0, Atlas::shipped_parts().1).unwrap();
    for seed in 0..20 {
        let mut rng = Rng::keyed(&[5, seed]);
        let spec = Spec { wanted: vec![Wanted::one(class(seed), Some(Colour::Blue))], relation: None };
        let scene = sample_scene(&spec, &Variety::full(), Atlas::shipped(), &mut rng);
        let picture = render(&scene, Atlas::shipped());
        assert_eq!(picture, render(&scene, Atlas::shipped()));
        assert_eq!(picture, render(&scene, &other));
        assert_eq!(picture, Picture::from_signed(&picture.to_signed()));
    }
}

#[test]
fn grounds_differ() {
    let all: HashSet<_> = (0..GROUNDS as u8).map(ground).collect();
    assert_eq!(all.len(), GROUNDS);
}

#[test]
fn a_scene_that_names_what_is_not_there_is_drawn_without_it() {
    let thing = scenes::icons::Placed { glyph: u16::MAX, colour: None, size_px: 255, x: -500, y: 90, mirrored: true };
    let seen = scenes::icons::Placed { glyph: 3, x: i16::MAX, size_px: 0, ..thing };
    let partly = scenes::icons::Placed { glyph: 3, x: -20, y: 100, size_px: 200, ..thing };
    let scene = Scene { ground: 255, shadow: true, things: vec![thing, seen, partly] };
    assert_eq!(render(&scene, Atlas::shipped()).rgb.len(), SIDE * SIDE * 3);
}

fn class(number: u64) -> Class {
    Class::named(CLASSES[number as usize % CLASSES.len()]).unwrap()
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (0..80u64, proptest::option::of(0..10usize), 1..=4u8).prop_map(|(number, colour, count)| {
        let class = class(number);
        let colour = colour.filter(|_| class.name() != "person").map(|colour| Colour::ALL[colour]);
        Wanted { count, class, colour }
    })
}

/// Specs of at most four things, of different classes; a relation between two.
fn spec() -> impl Strategy<Value = Spec> {
    (proptest::collection::vec(wanted(), 1..=4), proptest::option::of(0..4usize)).prop_map(|(mut wanted, relation)| {
        if relation.is_some() && wanted.len() >= 2 {
            wanted.truncate(2);
            wanted.iter_mut().for_each(|wanted| wanted.count = 1);
        }
        let mut left = 4;
        wanted.retain_mut(|wanted| {
            wanted.count = wanted.count.min(left);
            left -= wanted.count;
            wanted.count > 0
        });
        let mut seen = HashSet::new();
        wanted.retain(|wanted| seen.insert(wanted.class));
        let pair = wanted.len() == 2 && wanted.iter().all(|wanted| wanted.count == 1);
        Spec { relation: relation.filter(|_| pair).map(|relation| Relation::ALL[relation]), wanted }
    })
}

fn varieties() -> &'static [Variety] {
    static ALL: OnceLock<Vec<Variety>> = OnceLock::new();
    ALL.get_or_init(|| {
        let odd = Variety {
            sizes_one: vec![255],
            sizes_two: vec![],
            sizes_many: vec![100],
            grounds: vec![],
            lattice_px: 0,
            ..Variety::full()
        };
        let coarse = Variety { lattice_px: 16, tinted: 0.5, ..Variety::narrow() };
        vec![Variety::narrow(), Variety::full(), coarse, odd]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn scenes_show_what_is_asked(spec in spec(), seed in any::<u64>(), variety in 0..4usize) {
        let atlas = Atlas::shipped();
        let variety = &varieties()[variety];
        let scene = sample_scene(&spec, variety, atlas, &mut Rng::new(seed));
        prop_assert!(satisfies(&scene, &spec, atlas), "{scene:?}");
        let lattice = if variety.lattice_px == 0 { 1 } else { variety.lattice_px as i16 };
        for thing in &scene.things {
            prop_assert!(thing.x % lattice == 0 && thing.y % lattice == 0, "{thing:?}");
        }
        if let Some(relation) = spec.relation {
            let [first, second] = [0, 1].map(|i| extent(&scene.things[i], atlas));
            let held: Vec<Relation> = Relation::ALL.into_iter().filter(|&one| lies(first, one, second)).collect();
            prop_assert_eq!(held, vec![relation]);
        }
    }
}
