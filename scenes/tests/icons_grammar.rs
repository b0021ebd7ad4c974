//! The language of the world of things.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use proptest::prelude::*;
use rng::Rng;
use scenes::icons::{
    Atlas, Change, Class, Colour, MAX_THINGS, PromptError, Relation, Spec, Task, Wanted, colour_held_out_of,
    compositional_prompts, geneval_prompts, held_out_colour, held_out_pair, near_miss, near_miss_by, question_words,
    sample_question, sample_spec, sample_training_spec, takes_colour, vocabulary,
};

fn any_wanted() -> impl Strategy<Value = Wanted> {
    (1..=MAX_THINGS, 0..80usize, 0..11usize).prop_map(|(count, class, colour)| Wanted {
        count,
        class: Class::all().nth(class).unwrap(),
        colour: Colour::ALL.get(colour).copied(),
    })
}

/// Every spec that can be said.
fn any_spec() -> impl Strategy<Value = Spec> {
    let single = || any_wanted().prop_map(|wanted| Wanted { count: 1, ..wanted });
    prop_oneof![
        proptest::collection::vec(any_wanted(), 1..=4).prop_map(|wanted| Spec { wanted, relation: None }),
        (single(), single(), 0..4usize)
            .prop_map(|(a, b, relation)| Spec { wanted: vec![a, b], relation: Some(Relation::ALL[relation]) }),
    ]
    .prop_filter("a kind twice or more than four", Spec::is_sayable)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_prompt_says_its_spec_in_words_of_the_vocabulary(spec in any_spec()) {
        let prompt = spec.prompt();
        let read = |text: &str| Spec::parse(text).map(|reading| (reading.spec, reading.taken.len()));
        prop_assert_eq!(read(&prompt), Ok((spec.clone(), 0)));
        prop_assert_eq!(read(&spec.phrase()), Ok((spec.clone(), 0)));
        let shouted = format!(" \t“{}”!! ", prompt.to_uppercase().replace(" AND", ", AND").replace(' ', "  "));
        prop_assert_eq!(read(&shouted), Ok((spec.clone(), 0)));
        prop_assert_eq!(read(&prompt.replace(" and ", "; ")), Ok((spec, 0)));
        let known = vocabulary();
        prop_assert!(prompt.split(' ').all(|word| known.contains(&word)), "{}", prompt);
    }

    #[test]
    fn no_text_panics(
        text in "\\PC{0,60}|([a-z]{1,7}[ ,.]){0,9}|((a|the|two|5|0|pair|of|red|orange|light|grey|hot|dog|dogs|sheep|tv|wine|glass|left|to|and|above|on|in|that|is|,|\\.|photo) ){0,12}"
    ) {
        match Spec::parse(&text) {
            Ok(reading) => prop_assert!(reading.spec.is_sayable(), "{:?}", reading),
            Err(error) => prop_assert!(error.to_string().chars().count() < 500),
        }
    }

    #[test]
    fn a_near_miss_is_another_spec(spec in any_spec(), seed: u64) {
        let miss = near_miss(&spec, &mut Rng::new(seed));
        prop_assert!(miss.is_sayable() && !miss.means_same(&spec), "{} / {}", spec, miss);
        prop_assert!(!spec.is_trained() || miss.is_trained());
        for change in Change::ALL {
            if let Some(miss) = near_miss_by(&spec, change, &mut Rng::new(seed)) {
                prop_assert!(miss.is_sayable() && !miss.means_same(&spec), "{:?}: {} / {}", change, spec, miss);
            }
        }
    }

    #[test]
    fn a_question_is_in_words_of_the_vocabulary(seed: u64) {
        let mut rng = Rng::new(seed);
        let spec = sample_training_spec(&mut rng);
        let question = sample_question(&spec, &mut rng);
        let known = vocabulary();
        prop_assert!(question.text.split(' ').all(|word| known.contains(&word)), "{}", question.text);
    }
}

#[test]
fn hostile_text_is_refused_at_once() {
    let start = std::time::Instant::now();
    for text in ["a", "dog ", "🐕", "\u{301}", "a red dog and ", "ﬃ", "İ", "9"] {
        assert_eq!(Spec::parse(&text.repeat(1_000_000 / text.len())), Err(PromptError::TooLong), "{text}");
    }
    assert_eq!(Spec::parse(&" ".repeat(1_000_000)), Err(PromptError::Empty));
    assert_eq!(Spec::parse(&"\u{202e}\0".repeat(100)), Err(PromptError::Empty));
    for letter in ['x', 'é', '日', '９', '\u{1f415}'] {
        assert!(Spec::parse(&letter.to_string().repeat(240)).is_err());
    }
    assert!(start.elapsed().as_secs_f32() < 2.0);
}

#[test]
fn what_people_type() {
    for (typed, canonical, remark) in [
        ("dog", "a dog", ""),
        ("A photo of the DOG.", "a dog", ""),
        ("Please draw me a picture of a cat!", "a cat", ""),
        ("an image of four dogs", "four dogs", ""),
        ("4 dogs", "four dogs", ""),
        ("a photo, of a dog", "a dog", ""),
        ("a pair of zebras", "two zebras", ""),
        ("a couple of cats and a dog", "two cats and a dog", ""),
        ("a pair of scissors", "a scissors", ""),
        ("two pairs of skis", "two skis", ""),
        ("scissors", "a scissors", ""),
        ("dogs", "two dogs", "“dogs” is read as “two dogs”"),
        ("some sheep", "a sheep", ""),
        ("two sheep", "two sheeps", ""),
        ("three people", "three persons", ""),
        ("3 knives, 1 fork", "three knifes and a fork", ""),
        ("two mice", "two computer mouses", "“mice” is read as “computer mice”"),
        ("two wine-glasses & two buses", "two wine glasses and two buses", ""),
        ("sofa", "a couch", "“sofa” is read as “couch”"),
        ("sofas", "two couchs", "“sofas” is read as “two couches”"),
        ("a red bike", "a red bicycle", "“bike” is read as “bicycle”"),
        ("a T.V. remote", "a tv remote", ""),
        ("a t.v.", "a tv", ""),
        ("a t v. a cat", "a tv and a cat", "“t v” is read as “tv”"),
        ("a puppy and a kitten", "a dog and a cat", "“puppy” is read as “dog”, “kitten” is read as “cat”"),
        ("hair dryer", "a hair drier", "“hair dryer” is read as “hair drier”"),
        ("a hot dog", "a hot dog", ""),
        ("a hot pink hot-dog", "a pink hot dog", "“hot pink” is read as “pink”"),
        ("an orange", "an orange", ""),
        ("a orange orange", "an orange orange", ""),
        ("two orange oranges", "two orange oranges", ""),
        ("orange, dog", "an orange and a dog", ""),
        ("orange and white dog", "an orange and a white dog", ""),
        ("a violet vase", "a purple vase", "“violet” is read as “purple”"),
        ("dark blue car", "a blue car", "“dark blue” is read as “blue”"),
        ("a red-coloured cup", "a red cup", ""),
        ("a cup that is red", "a red cup", ""),
        ("a man and a car in blue", "a person and a blue car", "“man” is read as “person”"),
        ("a dog, a cat and a bird", "a dog and a cat and a bird", ""),
        ("a dog. A cat.", "a dog and a cat", ""),
        ("a dog with a frisbee", "a dog and a frisbee", ""),
        ("a dog next to a bench", "a dog and a bench", "“next to” is read as “and”"),
        ("a dog and a dog", "two dogs", ""),
        ("a red dog and a dog", "a red dog and a dog", ""),
        ("a dog to the left of a bench", "a dog left of a bench", ""),
        ("the dog is on the right-hand side of the bench", "a dog right of a bench", ""),
        ("a dog, left of a bench", "a dog left of a bench", ""),
        ("a cat on top of a car", "a cat above a car", ""),
        ("a cat over a car", "a cat above a car", ""),
        ("a cat sitting on a car", "a cat above a car", "“on” is read as “above”"),
        ("a cat under the table", "a cat below a dining table", "“table” is read as “dining table”"),
        ("a red cat beneath a blue bench", "a red cat below a blue bench", ""),
        ("a dog above a dog", "a dog above a dog", ""),
        ("a dog on the left and a cat on the right", "a dog left of a cat", ""),
        ("a dog, a cat to the left.", "a dog right of a cat", ""),
        ("there are two cats", "two cats", ""),
        ("i would like to see a giraffe", "a giraffe", ""),
        ("a slice of pizza", "a pizza", "“slice of pizza” is read as “pizza”"),
    ] {
        let reading = Spec::parse(typed).map(|reading| (reading.spec.phrase(), reading.remark()));
        assert_eq!(reading, Ok((canonical.to_owned(), remark.to_owned())), "{typed}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (typed, message) in [
        ("", "the prompt names nothing; try “a purple dog and a black dining table”"),
        ("a photo of", "the prompt names nothing; try “a purple dog and a black dining table”"),
        ("🐕!!", "the prompt names nothing; try “a purple dog and a black dining table”"),
        ("a purple elefant", "“elefant” is not a word of this world; did you mean “elephant”?"),
        ("a trafic ligth", "“trafic” is not a word of this world; did you mean “traffic light” or “train”?"),
        (
            "a zyxwv",
            "“zyxwv” is not a word of this world; name things such as a dog, a bus or a chair, and colours such as red or blue",
        ),
        ("a grey dog", "there is no “grey” in this world; did you mean “black” or “white”?"),
        ("five dogs", "5 things are too many; a picture holds at most 4"),
        ("99999999999999999999999 dogs", "18446744073709551615 things are too many; a picture holds at most 4"),
        ("three dogs and two cats", "5 things are too many; a picture holds at most 4"),
        ("0 dogs", "“0” cannot be drawn; leave out what should not be there, or ask for one to 4"),
        ("a bench and no dog", "“no” cannot be drawn; leave out what should not be there, or ask for one to 4"),
        ("a bench without a dog", "“without” cannot be drawn; leave out what should not be there, or ask for one to 4"),
        ("a dog but no cat", "“no” cannot be drawn; leave out what should not be there, or ask for one to 4"),
        (
            "a big dog",
            "“big” is not a word of this world; name things such as a dog, a bus or a chair, and colours such as red or blue",
        ),
        (
            "a dog on the left",
            "cannot make sense of “on the left”; say where one thing lies to another, for example “a dog left of a bench”",
        ),
        (
            "a dog on the left and a cat on the left",
            "cannot make sense of “on the left”; say where one thing lies to another, for example “a dog left of a bench”",
        ),
        ("many dogs", "“many” is no number; say “two”, “three” or “four”"),
        ("two three dogs", "cannot make sense of “three dogs”; say one number for a thing"),
        ("a red", "“red” colours nothing here; put it before a thing, for example “a red dog”"),
        ("a red and white dog", "“red” colours nothing here; put it before a thing, for example “a red dog”"),
        ("a red blue dog", "“red” and “blue” are two colours for one thing; a thing has one"),
        (
            "a dog left of a cat and above a bench",
            "a prompt can say how two things lie to each other, and no more; leave out a relation or a thing",
        ),
        (
            "two dogs left of a bench",
            "“left of” goes between two single things, for example “a dog left of a bench”; leave out the others",
        ),
        (
            "a dog above a bench and a cat",
            "“above” goes between two single things, for example “a dog above a bench”; leave out the others",
        ),
        (
            "a dog behind a bench",
            "“behind” is no place this world knows; it knows “left of”, “right of”, “above” and “below”",
        ),
        (
            "a dog left a bench",
            "cannot make sense of “left a bench”; things are joined by “and”, “left of”, “right of”, “above” or “below”",
        ),
        ("a dog bench", "cannot make sense of “bench”; put “and” between two things"),
        ("a dog and", "cannot make sense of “the end of the prompt”; a thing belongs here, for example “a dog”"),
        ("two", "cannot make sense of “the end of the prompt”; a thing belongs here, for example “a dog”"),
    ] {
        let said = Spec::parse(typed).map(|reading| reading.spec.phrase()).map_err(|error| error.to_string());
        assert_eq!(said, Err(message.to_owned()), "{typed}");
    }
}

fn geneval_file() -> Option<String> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/icons/geneval_evaluation_metadata.jsonl");
    let path = std::env::var_os("GENEVAL_METADATA").map_or(beside, PathBuf::from);
    std::fs::read_to_string(path).ok()
}

/// The text of a field whose value is a string without escapes; GenEval's are.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!("\"{name}\": \""))?.1.split('"').next()
}

#[test]
fn facts_say_genevals_sentences() {
    let prompts = geneval_prompts();
    let mut per_task = BTreeMap::new();
    for (task, spec) in &prompts {
        *per_task.entry(*task).or_insert(0) += 1;
        assert!(spec.is_sayable());
        assert_eq!(spec.task(), *task, "{spec}");
        let reading = Spec::parse(&spec.prompt()).map(|reading| (reading.spec, reading.taken.len()));
        assert_eq!(reading, Ok((spec.clone(), 0)));
    }
    assert_eq!(per_task.into_values().collect::<Vec<_>>(), [80, 99, 80, 94, 100, 100]);
    let Some(file) = geneval_file() else {
        eprintln!("skipped the comparison with GenEval's file: set GENEVAL_METADATA to its evaluation_metadata.jsonl");
        return;
    };
    let ours: Vec<(String, String)> =
        prompts.iter().map(|(task, spec)| (task.tag().to_owned(), spec.prompt())).collect();
    let theirs: Vec<(String, String)> = file
        .lines()
        .filter_map(|line| Some((field(line, "tag")?.to_owned(), field(line, "prompt")?.to_owned())))
        .collect();
    assert_eq!(theirs.len(), 553);
    assert_eq!(ours, theirs);
}

#[test]
fn vocabulary_has_every_word_once() {
    let words = vocabulary();
    assert_eq!(words.iter().collect::<HashSet<_>>().len(), words.len());
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    assert!(question_words().iter().all(|word| words.contains(word)));
    println!("{} words", words.len());
}

#[test]
fn what_is_held_out() {
    let prompts = geneval_prompts();
    let mut per_colour: HashMap<Colour, usize> = HashMap::new();
    for class in Class::all() {
        let held: Vec<Colour> = Colour::ALL.into_iter().filter(|colour| held_out_colour(class, *colour)).collect();
        assert_eq!(held, [colour_held_out_of(class)]);
        *per_colour.entry(held[0]).or_default() += 1;
    }
    assert!(per_colour.values().all(|classes| *classes == 8), "{per_colour:?}");
    assert!(prompts.iter().all(|(_, spec)| !spec.names_held_out_colour()), "the split is beside GenEval");
    // Else training would show it without being asked.
    for glyph in Atlas::shipped().glyphs() {
        assert_ne!(glyph.own_colour, Some(colour_held_out_of(glyph.class)), "{}/{}", glyph.set, glyph.id);
    }
    for (_, spec) in prompts.iter().filter(|(_, spec)| spec.wanted.len() == 2) {
        let (a, b) = (spec.wanted[0].class, spec.wanted[1].class);
        assert!(held_out_pair(a, b) && held_out_pair(b, a) && !spec.is_trained(), "{spec}");
    }
    let pairs = Class::all().flat_map(|a| Class::all().map(move |b| (a, b))).filter(|(a, b)| held_out_pair(*a, *b));
    assert_eq!(pairs.count(), 2 * 286);
}

#[test]
fn samplers_keep_to_the_split() {
    let mut rng = Rng::new(5);
    let mut classes = HashSet::new();
    for task in Task::ALL {
        for _ in 0..500 {
            let spec = sample_spec(task, &mut rng);
            assert!(spec.task() == task && spec.is_trained() && spec.is_sayable(), "{spec}");
            assert!(spec.each().all(|(class, colour)| colour.is_none() || takes_colour(class)));
            classes.extend(spec.each().map(|(class, _)| class));
        }
    }
    assert_eq!(classes.len(), 80);

    let mut plain = 0;
    let mut three = 0;
    for _ in 0..6_000 {
        let spec = sample_training_spec(&mut rng);
        assert!(spec.is_trained() && spec.is_sayable(), "{spec}");
        assert!(spec.each().all(|(class, colour)| colour.is_none() || takes_colour(class)));
        let coloured = spec.wanted.iter().filter(|wanted| wanted.colour.is_some()).count();
        let pure = match spec.task() {
            Task::SingleObject | Task::Colors => true,
            Task::TwoObject => spec.total() == 2,
            Task::Counting | Task::Position => coloured == 0,
            Task::ColorAttr => coloured == 2,
        };
        plain += usize::from(pure);
        three += usize::from(spec.wanted.len() == 3);
    }
    println!("of 6,000 training specs {plain} are pure, {three} name three kinds");
    assert!((4_300..=4_900).contains(&plain), "{plain}");
    assert!((100..=300).contains(&three), "{three}");

    let prompts = compositional_prompts(158, 7);
    assert_eq!(prompts, compositional_prompts(158, 7));
    assert_eq!(prompts.iter().map(|(_, spec)| spec.clone()).collect::<HashSet<_>>().len(), 158);
    for (at, (task, spec)) in prompts.iter().enumerate() {
        assert_eq!(*task, if at < 79 { Task::Colors } else { Task::ColorAttr });
        assert!(spec.task() == *task && spec.names_held_out_colour() && spec.is_sayable(), "{spec}");
    }
}

/// Answers a question from the spec that a picture shows, by other means than the sampler's.
fn truth(shown: &Spec, question: &str) -> Option<bool> {
    let of = |class: Class| shown.wanted.iter().filter(move |wanted| wanted.class == class);
    if let Some(asked) = question.strip_prefix("does this image accurately represent the prompt ") {
        return Some(Spec::parse(asked).ok()?.spec.means_same(shown));
    }
    if let Some(asked) = question.strip_prefix("is there ") {
        let wanted = *Spec::parse(asked).ok()?.spec.wanted.first()?;
        return Some(of(wanted.class).any(|there| wanted.colour.is_none() || wanted.colour == there.colour));
    }
    if let Some(asked) = question.strip_prefix("are there ") {
        let wanted = *Spec::parse(asked).ok()?.spec.wanted.first()?;
        return Some(of(wanted.class).map(|there| there.count).sum::<u8>() == wanted.count);
    }
    let asked = question.strip_prefix("is the ").or_else(|| question.strip_prefix("are the "))?;
    if let Some((noun, colour)) = asked.rsplit_once(' ')
        && let Some(colour) = Colour::named(colour)
        && let Ok(reading) = Spec::parse(noun)
        && reading.spec.wanted.len() == 1
        && shown.relation.is_none_or(|relation| !asked.contains(relation.words()))
        && !asked.contains(" the ")
    {
        return Some(of(reading.spec.wanted[0].class).all(|there| there.colour == Some(colour)));
    }
    let asked = Spec::parse(asked).ok()?.spec;
    let mut bare = shown.clone();
    bare.wanted.iter_mut().for_each(|wanted| wanted.colour = None);
    Some(asked.means_same(&bare))
}

#[test]
fn questions_are_answered_rightly() {
    let mut rng = Rng::new(11);
    let mut yes = 0;
    let mut forms: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for _ in 0..6_000 {
        let shown = sample_training_spec(&mut rng);
        let question = sample_question(&shown, &mut rng);
        assert_eq!(truth(&shown, &question.text), Some(question.answer), "{shown}: {}", question.text);
        yes += usize::from(question.answer);
        let form = question.text.split(' ').take(2).collect::<Vec<_>>().join(" ");
        forms.entry(form).or_default()[usize::from(question.answer)] += 1;
    }
    println!("no and yes: {forms:?}");
    assert!((2_800..=3_200).contains(&yes), "{yes}");
}
