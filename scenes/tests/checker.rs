//! How well the checker sees, measured: on clean pictures, on near misses, and on what an imperfect decoder makes.

use rng::Rng;
use scenes::{
    Category, Picture, SIDE, Scene, Spec, Split, check, detect, near_miss, render, sample_scene, sample_spec,
    sample_training_spec,
};

/// Number `n` of the measured cases: training prompts, and every fourth from the compositional split.
fn case(n: u64) -> (Spec, Scene, Rng) {
    let mut rng = Rng::keyed(&[0xcafe, n]);
    if n % 4 == 3 {
        let category = Category::ALL[rng.below(6)];
        let spec = sample_spec(category, Split::Compositional, &mut rng);
        let scene = sample_scene(&spec, Split::Compositional, &mut rng);
        (spec, scene, rng)
    } else {
        let spec = sample_training_spec(&mut rng);
        let scene = sample_scene(&spec, Split::Train, &mut rng);
        (spec, scene, rng)
    }
}

/// Whether everything seen is exactly what the scene holds: shape, colour, and a centre within two pixels.
fn seen_exactly(scene: &Scene, picture: &Picture) -> bool {
    let mut seen = detect(picture);
    scene.objects.len() == seen.len()
        && scene.objects.iter().all(|object| {
            let (x, y) = object.centre_px();
            let at = seen.iter().position(|d| {
                (d.shape, d.colour) == (Some(object.shape), Some(object.colour))
                    && (d.centre_x_px - x).abs() <= 2.0
                    && (d.centre_y_px - y).abs() <= 2.0
            });
            at.map(|i| seen.swap_remove(i)).is_some()
        })
}

fn noisy(picture: &Picture, rng: &mut Rng) -> Picture {
    let rgb = picture.rgb.iter().map(|&v| (f32::from(v) + 8.0 * rng.normal()).round().clamp(0.0, 255.0) as u8);
    Picture { rgb: rgb.collect() }
}

/// A 3×3 box blur; the edge of the picture is repeated outwards.
fn blurred(picture: &Picture) -> Picture {
    let mut rgb = Vec::with_capacity(picture.rgb.len());
    for at in 0..SIDE * SIDE {
        for channel in 0..3 {
            let mut sum = 0;
            for dy in 0..3 {
                for dx in 0..3 {
                    let x = (at % SIDE + dx).saturating_sub(1).min(SIDE - 1);
                    let y = (at / SIDE + dy).saturating_sub(1).min(SIDE - 1);
                    sum += usize::from(picture.pixel(x, y)[channel]);
                }
            }
            rgb.push((sum as f32 / 9.0).round() as u8);
        }
    }
    Picture { rgb }
}

/// Shares of cases in which (the verdict is acceptance, everything is seen exactly).
fn measure(cases: u64, spoil: impl Fn(&Picture, &mut Rng) -> Picture) -> (f64, f64, f32) {
    let (mut accepted, mut exact, mut least) = (0u64, 0u64, 1.0f32);
    for n in 0..cases {
        let (spec, scene, mut rng) = case(n);
        let picture = spoil(&render(&scene), &mut rng);
        let verdict = check(&picture, &spec);
        accepted += u64::from(verdict.accepted);
        exact += u64::from(seen_exactly(&scene, &picture));
        least = verdict.detections.iter().map(|d| d.confidence).fold(least, f32::min);
        if !verdict.accepted && n - accepted < 5 {
            println!("  refused {spec}: {}", verdict.sentence);
        }
    }
    (accepted as f64 / cases as f64, exact as f64 / cases as f64, least)
}

#[test]
fn right_on_rendered_scenes() {
    let (accepted, exact, least) = measure(10_000, |picture, _| picture.clone());
    println!(
        "clean, 10,000 scenes: accepted {:.2} %, seen exactly {:.2} %, least overlap {least:.3}",
        accepted * 100.0,
        exact * 100.0
    );
    assert!(accepted >= 0.995 && exact >= 0.995);
}

#[test]
fn refuses_near_misses() {
    let (mut wrong, mut wrong_noisy, mut wrong_blurred) = (0u32, 0u32, 0u32);
    for n in 0..10_000 {
        let (spec, scene, mut rng) = case(n);
        let missed = near_miss(&spec, &scene, &mut rng);
        assert!(!missed.satisfies(&spec), "{spec}: {missed:?}");
        let picture = render(&missed);
        wrong += u32::from(check(&picture, &spec).accepted);
        if n < 2_000 {
            wrong_noisy += u32::from(check(&noisy(&picture, &mut rng), &spec).accepted);
            wrong_blurred += u32::from(check(&blurred(&picture), &spec).accepted);
        }
    }
    println!(
        "near misses wrongly accepted: {wrong} of 10,000; noisy {wrong_noisy} and blurred {wrong_blurred} of 2,000"
    );
    assert!(wrong <= 50 && wrong_noisy <= 10 && wrong_blurred <= 10);
}

#[test]
fn sees_through_noise() {
    let (accepted, exact, least) = measure(10_000, noisy);
    println!(
        "noise σ 8/255, 10,000 scenes: accepted {:.2} %, seen exactly {:.2} %, least overlap {least:.3}",
        accepted * 100.0,
        exact * 100.0
    );
    assert!(accepted >= 0.99 && exact >= 0.99);
}

#[test]
fn sees_through_blur() {
    let (accepted, exact, least) = measure(10_000, |picture, _| blurred(picture));
    println!(
        "3×3 box blur, 10,000 scenes: accepted {:.2} %, seen exactly {:.2} %, least overlap {least:.3}",
        accepted * 100.0,
        exact * 100.0
    );
    assert!(accepted >= 0.99 && exact >= 0.99);
}

#[test]
fn sees_through_blur_and_noise() {
    let (accepted, exact, least) = measure(2_000, |picture, rng| noisy(&blurred(picture), rng));
    println!(
        "blur and noise, 2,000 scenes: accepted {:.2} %, seen exactly {:.2} %, least overlap {least:.3}",
        accepted * 100.0,
        exact * 100.0
    );
    assert!(accepted >= 0.98);
}

/// On scenes that have nothing to do with the prompt the pixels and the scene graph say the same.
#[test]
fn agrees_with_the_scene_graph() {
    let (mut agree, mut satisfied) = (0u32, 0u32);
    for n in 0..10_000 {
        let (spec, own, mut rng) = case(n);
        let scene = match n % 3 {
            0 => own,
            1 => near_miss(&spec, &own, &mut rng),
            _ => case(n + 10_000).1,
        };
        let truth = scene.satisfies(&spec);
        satisfied += u32::from(truth);
        agree += u32::from(check(&render(&scene), &spec).accepted == truth);
    }
    println!("checker and scene graph agree on {agree} of 10,000 ({satisfied} satisfied)");
    assert!(agree >= 9_950);
}

/// The checker knows nothing of the lattice: a picture moved by any few pixels shows the same.
#[test]
fn sees_objects_off_the_lattice() {
    let (mut right, mut cases) = (0u32, 0u32);
    for n in 0..2_000 {
        let (spec, scene, mut rng) = case(n);
        let picture = render(&scene);
        let (dx, dy) = (rng.below(SIDE), rng.below(SIDE));
        // Moved around the edge; objects cut by it are left out.
        let cut = |slot: u8, by: usize| (usize::from(slot) * 16 + by) % SIDE > SIDE - 16;
        let relation_kept = spec.relation.is_none();
        if !relation_kept || scene.objects.iter().any(|o| cut(o.col, dx) || cut(o.row, dy)) {
            continue;
        }
        let mut moved = Picture::empty();
        for at in 0..SIDE * SIDE {
            let to = ((at / SIDE + dy) % SIDE * SIDE + (at % SIDE + dx) % SIDE) * 3;
            moved.rgb[to..to + 3].copy_from_slice(&picture.pixel(at % SIDE, at / SIDE));
        }
        cases += 1;
        right += u32::from(check(&moved, &spec).accepted);
    }
    println!("off the lattice: {right} of {cases}");
    assert!(cases > 100 && f64::from(right) >= 0.995 * f64::from(cases));
}

/// What is not a shape is reported, and spoils the verdict.
#[test]
fn reports_what_it_does_not_know() -> Result<(), scenes::PromptError> {
    let spec = Spec::parse("a red circle")?;
    let (mut picture, mut rng) = (Picture::empty(), Rng::new(1));
    let scene = sample_scene(&spec, Split::Train, &mut rng);
    let clean = render(&scene);
    let object = scene.objects[0];
    // An L of green, in the slot diagonally across.
    let (left, top) = (usize::from((object.col + 2) % 4) * 16, usize::from((object.row + 2) % 4) * 16);
    picture.rgb.copy_from_slice(&clean.rgb);
    for y in 0..14 {
        for x in 0..14 {
            if x < 4 || y > 10 {
                let at = ((top + y) * SIDE + left + x) * 3;
                picture.rgb[at..at + 3].copy_from_slice(&scenes::rgb(scenes::Colour::Green));
            }
        }
    }
    let verdict = check(&picture, &spec);
    assert!(!verdict.accepted);
    assert_eq!(verdict.sentence, "1 of 1: red circle; extra: unknown green shape");

    // A speck spoils nothing.
    picture.rgb.copy_from_slice(&clean.rgb);
    let at = ((top + 5) * SIDE + left + 5) * 3;
    picture.rgb[at..at + 9].fill(255);
    assert!(check(&picture, &spec).accepted);

    // Neither half a picture nor a bright one is a reason to panic.
    assert!(!check(&Picture { rgb: vec![200; 100] }, &spec).accepted);
    assert!(!check(&Picture { rgb: vec![200; 3 * SIDE * SIDE] }, &spec).accepted);
    assert_eq!(check(&Picture::empty(), &spec).sentence, "0 of 1: nothing; missing: red circle");
    Ok(())
}

#[test]
fn says_it_in_a_sentence() -> Result<(), scenes::PromptError> {
    let spec = Spec::parse("a red circle left of a blue square")?;
    let other = Spec::parse("a red circle right of a blue square")?;
    let picture = render(&sample_scene(&spec, Split::Train, &mut Rng::new(3)));
    assert_eq!(check(&picture, &spec).sentence, "2 of 2: red circle, blue square; left of: yes");
    assert_eq!(check(&picture, &other).sentence, "2 of 2: red circle, blue square; right of: no");
    assert_eq!(
        check(&picture, &Spec::parse("a red circle above a star")?).sentence,
        "1 of 2: red circle; missing: star; extra: blue square; above: cannot tell"
    );
    Ok(())
}
