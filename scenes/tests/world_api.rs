//! The interface to the worlds, where it needs the world of things with all its drawings.

use std::error::Error;

use rng::Rng;
use scenes::World;
use scenes::icons::{Atlas, Spec, Variety, render, sample_scene};

#[test]
fn a_rendered_scene_of_things_is_judged_by_both_rules() -> Result<(), Box<dyn Error>> {
    let judged = |asked: &str, prompt: &str| {
        let spec = Spec::parse(asked)?.spec;
        let scene = sample_scene(&spec, &Variety::narrow(), Atlas::shipped(), &mut Rng::new(11));
        let picture = render(&scene, Atlas::shipped());
        Ok::<_, Box<dyn Error>>(World::Icons.check(&picture.rgb, World::Icons.side(), prompt)?)
    };
    let right = judged("a red sofa", "a photo of a red couch")?;
    assert!(right.accepted && right.exact, "{right:?}");
    assert!(right.sentence.contains("couch"), "{right:?}");
    // GenEval lets other things be there.
    let more = judged("a dog and a bus", "a photo of a bus")?;
    assert!(more.accepted && !more.exact && more.sentence.contains("also"), "{more:?}");
    let wrong = judged("a dog and a bus", "a photo of a giraffe")?;
    assert!(!wrong.accepted && !wrong.exact && wrong.sentence.contains("no giraffe"), "{wrong:?}");
    Ok(())
}

/// One rule cuts prompts into words, here and on the page; `www/tests/prompt_words.test.mjs` reads the same cases.
#[test]
fn words_are_cut_as_the_page_cuts_them() -> Result<(), Box<dyn Error>> {
    type Cases = Vec<(String, Vec<(String, usize, usize)>)>;
    let cases: Cases = serde_json::from_str(include_str!("typed_words.json"))?;
    for (typed, words) in cases {
        let cut: Vec<_> =
            scenes::typed_words(&typed).into_iter().map(|word| (word.text, word.place.start, word.place.end)).collect();
        assert_eq!(cut, words, "{typed}");
    }
    Ok(())
}

/// The page offers prompts before a model has arrived; those are the world's.
#[test]
fn the_page_offers_the_worlds_examples() {
    let page = include_str!("../../www/app/worlds.js");
    for example in World::ALL.into_iter().flat_map(World::examples) {
        let line = format!("{{ kind: \"{}\", prompt: \"{}\" }}", example.kind, example.prompt);
        assert!(page.contains(&line), "www/app/worlds.js lacks {line}");
    }
}
