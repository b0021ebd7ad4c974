//! Questions about a picture that yes or no answers: what the generator learns to understand by.

use super::class::{Class, Colour};
use super::near_miss::{Change, near_miss_by, turned_round};
use super::sample::{sample_training_spec, takes_colour};
use super::spec::{MAX_THINGS, Relation, Spec, Wanted};
use super::split::held_out_pair;
use rng::Rng;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In words of [`vocabulary`](super::vocabulary), separated by one space, without punctuation.
    pub text: String,
    /// Whether it is so.
    pub answer: bool,
}

/// The paper's question to a verifier, in few words: whether a picture is what a prompt asks for.
#[must_use]
pub fn prompt_question(asked: &Spec) -> String {
    format!("does this image accurately represent the prompt {}", asked.phrase())
}

/// What a question is about.
#[derive(Debug, Clone, Copy)]
enum About {
    Prompt,
    Presence,
    Count,
    Colour,
    Relation,
}

/// The prompt in half of the questions, for that is what verifiers are asked.
const ABOUT: [About; 8] = [
    About::Prompt,
    About::Prompt,
    About::Prompt,
    About::Prompt,
    About::Presence,
    About::Count,
    About::Colour,
    About::Relation,
];

/// A question about a picture of a spec, which shows that and nothing else. Half of the answers are no, most of them
/// near misses. Where the spec may be trained on, the question names nothing that is held out, either.
#[must_use]
pub fn sample_question(shown: &Spec, rng: &mut Rng) -> Question {
    let answer = rng.chance(0.5);
    let about = ABOUT[rng.below(ABOUT.len())];
    let text = match about {
        About::Prompt => None,
        About::Presence => presence(shown, answer, rng),
        About::Count => count(shown, answer, rng),
        About::Colour => colour(shown, answer, rng),
        About::Relation => relation(shown, answer, rng),
    };
    Question { text: text.unwrap_or_else(|| prompt_question(&asked(shown, answer, rng))), answer }
}

/// A prompt that a picture of the spec satisfies, or does not satisfy, whether extras are allowed or not.
fn asked(shown: &Spec, answer: bool, rng: &mut Rng) -> Spec {
    if answer {
        return if rng.chance(0.25) { turned_round(shown) } else { shown.clone() };
    }
    if rng.chance(0.8) {
        let mut changes = [Change::Class, Change::Colour, Change::Count, Change::Relation, Change::SwappedColours];
        rng.shuffle(&mut changes);
        // Few prompts count; if "two dogs" were mostly wrong, the words alone would tell the answer.
        if shown.wanted.iter().all(|wanted| wanted.count == 1) && rng.chance(0.75) {
            changes.sort_by_key(|change| *change == Change::Count);
        }
        for change in changes {
            // A fewer one is still there as GenEval judges, except where the prompt is about counting.
            let misses = near_miss_by(shown, change, rng)
                .filter(|miss| change != Change::Count || miss.total() > shown.total() || counts(miss));
            if let Some(miss) = misses {
                return miss;
            }
        }
    }
    let news = |spec: &Spec| spec.wanted.iter().any(|wanted| !shows(shown, wanted.class));
    loop {
        let other = sample_training_spec(rng);
        if news(&other) {
            return other;
        }
    }
}

fn counts(spec: &Spec) -> bool {
    spec.wanted.len() == 1 && spec.total() > 1
}

fn shows(shown: &Spec, class: Class) -> bool {
    shown.wanted.iter().any(|wanted| wanted.class == class)
}

/// A class that the picture does not show, but that could have been shown with what it does.
fn absent(shown: &Spec, coloured: bool, rng: &mut Rng) -> Option<Class> {
    let trained = shown.is_trained();
    let fits = |class: Class| {
        !shows(shown, class)
            && (!coloured || takes_colour(class))
            && (!trained || shown.wanted.iter().all(|wanted| !held_out_pair(wanted.class, class)))
    };
    let fit: Vec<Class> = Class::all().filter(|class| fits(*class)).collect();
    rng.pick(&fit)
}

/// A group of the spec whose class no other group has, with a colour where that is asked.
fn group(shown: &Spec, coloured: bool, rng: &mut Rng) -> Option<Wanted> {
    let alone = |wanted: &Wanted| shown.wanted.iter().filter(|other| other.class == wanted.class).count() == 1;
    let fit: Vec<Wanted> =
        shown.wanted.iter().filter(|wanted| alone(wanted) && (!coloured || wanted.colour.is_some())).copied().collect();
    rng.pick(&fit)
}

/// Another colour that the class may be named in.
fn other_colour(shown: &Spec, wanted: Wanted, rng: &mut Rng) -> Option<Colour> {
    let one = Spec { wanted: vec![Wanted { count: 1, ..wanted }], relation: None };
    near_miss_by(&one, Change::Colour, rng)
        .filter(|miss| !shown.is_trained() || miss.is_trained())
        .and_then(|miss| miss.wanted.first()?.colour)
}

fn noun(wanted: Wanted) -> String {
    Spec { wanted: vec![wanted], relation: None }.phrase()
}

/// "is there a dog", "is there a red dog"
fn presence(shown: &Spec, answer: bool, rng: &mut Rng) -> Option<String> {
    let there = group(shown, false, rng)?;
    let named = there.colour.filter(|_| rng.chance(0.5));
    let asked = match (answer, named) {
        (true, colour) => Wanted::one(there.class, colour),
        // The right thing in the wrong colour, or another thing.
        (false, Some(_)) if rng.chance(0.5) => Wanted::one(there.class, Some(other_colour(shown, there, rng)?)),
        (false, _) => Wanted::one(absent(shown, false, rng)?, None),
    };
    Some(format!("is there {}", noun(asked)))
}

/// "are there three dogs", seldom where there is one: for that no number is right, and the words alone would tell.
fn count(shown: &Spec, answer: bool, rng: &mut Rng) -> Option<String> {
    let there = group(shown, false, rng).filter(|there| there.count > 1 || rng.chance(0.08))?;
    let wrong = |count: &u8| *count != there.count;
    let fit: Vec<u8> = (2..=MAX_THINGS).filter(|count| answer != wrong(count)).collect();
    Some(format!("are there {}", noun(Wanted { count: rng.pick(&fit)?, class: there.class, colour: None })))
}

/// "is the dog red", "are the dogs red"
fn colour(shown: &Spec, answer: bool, rng: &mut Rng) -> Option<String> {
    let there = group(shown, true, rng)?;
    let colour = if answer { there.colour? } else { other_colour(shown, there, rng)? };
    Some(match there.count {
        1 => format!("is the {} {}", there.class.name(), colour.name()),
        _ => format!("are the {} {}", there.class.plural(), colour.name()),
    })
}

/// "is the dog left of the bench"
fn relation(shown: &Spec, answer: bool, rng: &mut Rng) -> Option<String> {
    let told = if answer { Some(shown.clone()) } else { near_miss_by(shown, Change::Relation, rng) };
    let told = told.map(|told| if rng.chance(0.5) { turned_round(&told) } else { told })?;
    let ([first, second], Some(relation)) = (&told.wanted[..], told.relation) else { return None };
    let words = Relation::words(relation);
    (first.class != second.class).then(|| format!("is the {} {words} the {}", first.class.name(), second.class.name()))
}
