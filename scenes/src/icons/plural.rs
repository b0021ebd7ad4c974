//! More than one of a kind: GenEval's plurals, which prompts are written with, and English ones, which people type.

use std::sync::LazyLock;

use super::class::Class;

/// Kinds that are a plural already.
const PAIRS: [&str; 2] = ["skis", "scissors"];

/// Last words whose English plural follows no rule.
const IRREGULAR: [(&str, &str); 9] = [
    ("person", "people"),
    ("man", "men"),
    ("woman", "women"),
    ("child", "children"),
    ("mouse", "mice"),
    ("knife", "knives"),
    ("calf", "calves"),
    ("sheep", "sheep"),
    ("aircraft", "aircraft"),
];

impl Class {
    /// Its plural as GenEval forms it: an `s`, or `es` after an `s`. So `benchs`, `knifes` and `sheeps`, but `buses`.
    /// `skis` and `scissors`, of which GenEval counts none, stay as they are.
    #[must_use]
    pub fn plural(self) -> &'static str {
        static PLURALS: LazyLock<Vec<String>> = LazyLock::new(|| {
            Class::all()
                .map(|class| match class.name() {
                    pair if class.is_pair() => pair.to_owned(),
                    name if name.ends_with('s') => format!("{name}es"),
                    name => format!("{name}s"),
                })
                .collect()
        });
        &PLURALS[self.index()]
    }

    /// Whether one of it has a plural's name, as `a pair of scissors` is one thing.
    #[must_use]
    pub fn is_pair(self) -> bool {
        PAIRS.contains(&self.name())
    }
}

/// The English plural of a noun, whose last word alone changes.
pub(super) fn english_plural(noun: &str) -> String {
    let (before, last) = noun.rsplit_once(' ').map_or(("", noun), |(before, last)| (before, last));
    let many = match last {
        pair if PAIRS.contains(&pair) => pair.to_owned(),
        word => match IRREGULAR.iter().find(|(one, _)| *one == word) {
            Some((_, many)) => (*many).to_owned(),
            None => regular(word),
        },
    };
    if before.is_empty() { many } else { format!("{before} {many}") }
}

fn regular(word: &str) -> String {
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        return format!("{word}es");
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_plural() {
        for (name, geneval, english) in [
            ("bus", "buses", "buses"),
            ("wine glass", "wine glasses", "wine glasses"),
            ("bench", "benchs", "benches"),
            ("knife", "knifes", "knives"),
            ("computer mouse", "computer mouses", "computer mice"),
            ("skis", "skis", "skis"),
            ("person", "persons", "people"),
        ] {
            assert_eq!(Class::named(name).map(Class::plural), Some(geneval));
            assert_eq!(english_plural(name), english);
        }
        assert_eq!(english_plural("puppy"), "puppies");
        assert_eq!(english_plural("toy"), "toys");
    }
}
