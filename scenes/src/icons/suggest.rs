//! The words nearest to one that is not understood.

use super::alias::NOUNS;
use super::class::Colour;
use super::words::NUMBERS;

/// Words of no kind that are worth suggesting.
const OTHERS: [&str; 7] = ["and", "left of", "right of", "above", "below", "photo of", "pair of"];

/// Longer words are near to nothing, and comparing them would take long.
const LONGEST: usize = 24;

/// At most three things to write instead of a word, nearest first: names, colours, numbers, relations. `next` is the
/// word after it, for names of two words ("trafic ligth").
pub(super) fn near(word: &str, next: Option<&str>) -> Vec<String> {
    let length = word.chars().count();
    if !(2..=LONGEST).contains(&length) {
        return Vec::new();
    }
    let both = next.filter(|next| next.chars().count() <= LONGEST).map(|next| format!("{word} {next}"));
    let known = NOUNS
        .iter()
        .map(|(form, noun)| (form.as_str(), Some(noun.class), noun.alias))
        .chain(Colour::ALL.map(|colour| (colour.name(), None, false)))
        .chain(NUMBERS.map(|number| (number, None, false)))
        .chain(OTHERS.map(|other| (other, None, false)));
    let mut ranked: Vec<(usize, bool, usize, &str, _)> = known
        .filter_map(|(form, meaning, alias)| {
            let alone = distance_if_near(word, form);
            // A name that the next word fits, too, is the likelier.
            let with_next =
                both.as_ref().and_then(|both| slips_if_near(both, form)).map(|slips| slips.saturating_sub(2));
            let distance = alone.into_iter().chain(with_next).min()?;
            Some((distance, alias, form.len().abs_diff(word.len()), form, meaning))
        })
        .collect();
    // A class's own name comes first. The form itself settles ties: a hash map's order must not show.
    ranked.sort_by_key(|&(distance, alias, lengths, form, _)| (distance, alias, lengths, form));
    let mut meanings = Vec::new();
    let mut words = Vec::new();
    for (.., form, meaning) in ranked {
        if words.len() < 3 && (meaning.is_none() || !meanings.contains(&meaning)) {
            meanings.push(meaning);
            words.push(form.to_owned());
        }
    }
    words
}

/// How far a known form is, where that is near enough to be more than a guess: some slips of the pen, or the beginning
/// of one another, or a word of a longer name.
fn distance_if_near(word: &str, form: &str) -> Option<usize> {
    let begins = (word.len() >= 3 && form.starts_with(word)) || (form.len() >= 3 && word.starts_with(form));
    // A word of a longer name is less than the whole of a shorter one.
    let part = || form.split(' ').filter_map(|part| slips_if_near(word, part)).min().map(|slips| slips + 2);
    let part = if form.contains(' ') { part() } else { None };
    slips_if_near(word, form).into_iter().chain(begins.then_some(2)).chain(part).min()
}

/// How many slips of the pen lie between a word and a known form; none where they are too many to be slips.
fn slips_if_near(word: &str, form: &str) -> Option<usize> {
    let length = word.chars().count();
    // Short words are near to everything; the longest words allow three slips.
    let allowed = (length / 3).clamp(1, 3);
    if form.len().abs_diff(length) > allowed {
        return None;
    }
    Some(edit_distance(word, form)).filter(|slips| *slips <= allowed)
}

/// Insertions, deletions, substitutions and exchanges of neighbours between two words (the distance of Damerau and
/// Levenshtein, each place edited once), two rows at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut least = (above[j] + usize::from(a[i] != b[j])).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_parts_and_beginnings() {
        for (word, next, first) in [
            ("dgo", None, "dog"),
            ("elefant", None, "elephant"),
            ("trafic", Some("ligth"), "traffic light"),
            ("girafe", None, "giraffe"),
            ("brocolli", None, "broccoli"),
            ("purpel", None, "purple"),
            ("tooth", None, "toothbrush"),
        ] {
            assert_eq!(near(word, next).first().map(String::as_str), Some(first), "{word}");
        }
        assert_eq!(near("qqqqqqq", None), Vec::<String>::new());
        assert_eq!(near(&"dog".repeat(100_000), None), Vec::<String>::new());
    }
}
