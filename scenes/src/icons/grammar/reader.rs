//! Reading a prompt's words from left to right.

use super::super::alias::{LONGEST_NOUN, NOUNS, Noun, colour_of, foreign_colour};
use super::super::class::Colour;
use super::super::plural::english_plural;
use super::super::prompt_error::PromptError;
use super::super::spec::{MAX_THINGS, Relation, Wanted};
use super::super::suggest::near;
use super::super::words::NUMBERS;
use super::phrases::*;
use super::reading::Taken;
use crate::typed::{Token, TypedWord};

/// The tokens, and how far they are read.
pub(super) struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The words that were taken for others.
    pub(super) taken: Vec<Taken>,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens, at: 0, taken: Vec::new() }
    }

    /// The word so many tokens ahead; none for a pause or the end.
    fn word(&self, ahead: usize) -> Option<&'a str> {
        self.typed_word(ahead).map(|word| word.text.as_str())
    }

    fn typed_word(&self, ahead: usize) -> Option<&'a TypedWord> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn skip_pauses(&mut self) -> bool {
        let start = self.at;
        while self.tokens.get(self.at) == Some(&Token::Pause) {
            self.at += 1;
        }
        self.at > start
    }

    /// Whether nothing but pauses is left.
    pub(super) fn at_end(&self) -> bool {
        self.tokens[self.at.min(self.tokens.len())..].iter().all(|token| *token == Token::Pause)
    }

    fn take(&mut self, phrase: &[&str]) -> bool {
        let there = self.begins_with(phrase);
        if there {
            self.at += phrase.len();
        }
        there
    }

    fn take_one_of(&mut self, words: &[&str]) -> Option<&'a str> {
        let word = self.word(0).filter(|word| words.contains(word))?;
        self.at += 1;
        Some(word)
    }

    fn remark(&mut self, said: String, meant: impl Into<String>) {
        let taken = Taken { said, meant: meant.into() };
        if !self.taken.contains(&taken) {
            self.taken.push(taken);
        }
    }

    /// Known words that make no sense here, or a word that is not known.
    fn wrong(&self, remedy: &str) -> PromptError {
        let Some(TypedWord { text: word, place }) = self.typed_word(0) else {
            let at = if self.at_end() { "the end of the prompt" } else { "the punctuation" };
            return PromptError::NotUnderstood { at: at.to_owned(), remedy: remedy.to_owned() };
        };
        let (word, place) = (word.as_str(), place.clone());
        if let Some(colours) = foreign_colour(word) {
            let near = colours.iter().map(|colour| colour.name().to_owned()).collect();
            return PromptError::UnknownColour { word: word.to_owned(), near, place };
        }
        if NONE.contains(&word) {
            return PromptError::NoThings { said: word.to_owned() };
        }
        if let Some(said) = OTHER_PLACES.iter().find(|place| self.begins_with(place)) {
            return PromptError::UnknownRelation { said: said.join(" ") };
        }
        if !self.is_known() {
            let near = if OF_NO_KIND.contains(&word) { Vec::new() } else { near(word, self.word(1)) };
            return PromptError::UnknownWord { word: word.to_owned(), near, place };
        }
        let rest: Vec<&str> = (0..).map_while(|ahead| self.word(ahead)).collect();
        PromptError::NotUnderstood { at: rest.join(" "), remedy: remedy.to_owned() }
    }

    fn begins_with(&self, phrase: &[&str]) -> bool {
        phrase.iter().enumerate().all(|(ahead, word)| self.word(ahead) == Some(*word))
    }

    /// Whether the next word means something somewhere.
    fn is_known(&self) -> bool {
        let Some(word) = self.word(0) else { return false };
        let joining = JOINTS.iter().chain(RELATIONS.iter().map(|(phrase, _)| phrase)).any(|phrase| phrase[0] == word);
        let listed =
            [&ONE[..], &ANY_NUMBER, &TOO_MANY, &NONE, &VAGUE, &NUMBERS, &STANDING, &["left", "right", "of", "to"]];
        joining
            || self.noun_at(0).is_some()
            || colour_of(word).is_some()
            || word.bytes().all(|byte| byte.is_ascii_digit())
            || listed.iter().any(|words| words.contains(&word))
    }

    pub(super) fn opening(&mut self) {
        loop {
            let start = self.at;
            self.skip_pauses();
            if self.take_one_of(&ASKING).is_some() {
                self.take_one_of(&["is", "are"]);
                continue;
            }
            self.take_one_of(&ONE).or_else(|| self.take_one_of(&ANY_NUMBER));
            if self.take_one_of(&MEDIA).is_none() {
                self.at = start;
                return;
            }
            self.skip_pauses();
            self.take_one_of(&["of", "with", "showing", "containing"]);
        }
    }

    /// The longest name that begins so many tokens ahead, and how many words it has.
    fn noun_at(&self, ahead: usize) -> Option<(Noun, usize)> {
        (1..=LONGEST_NOUN).rev().find_map(|length| {
            let words: Vec<&str> = (0..length).map_while(|word| self.word(ahead + word)).collect();
            if words.len() < length {
                return None;
            }
            NOUNS.get(&words.join(" ")).map(|noun| (*noun, length))
        })
    }

    /// How many, and whether in pairs; no number where nothing says it.
    fn number(&mut self) -> Result<(Option<u8>, bool), PromptError> {
        let mut count = None;
        let mut pairs = false;
        while let Some(word) = self.word(0) {
            let number = NUMBERS.iter().position(|number| *number == word).map(|at| at as u64 + 2);
            let many = TOO_MANY.iter().position(|number| *number == word).map(|at| (at as u64 + 5).min(12));
            let digits = || word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().unwrap_or(u64::MAX));
            if let Some(asked) = number.or(many).or_else(digits) {
                match u8::try_from(asked) {
                    Ok(0) => return Err(PromptError::NoThings { said: word.to_owned() }),
                    Ok(asked) if asked <= MAX_THINGS => {
                        if count.is_some_and(|count| count > 1) {
                            return Err(self.wrong("say one number for a thing"));
                        }
                        count = Some(asked);
                    }
                    _ => return Err(PromptError::TooManyThings { asked }),
                }
            } else if NONE.contains(&word) {
                return Err(PromptError::NoThings { said: word.to_owned() });
            } else if VAGUE.contains(&word) {
                return Err(PromptError::HowMany { said: word.to_owned() });
            } else if ["pair", "pairs", "couple"].contains(&word) {
                pairs = true;
                self.at += usize::from(self.word(1) == Some("of"));
            } else if ONE.contains(&word) {
                count = count.or(Some(1));
            } else if !ANY_NUMBER.contains(&word) {
                break;
            }
            self.at += 1;
        }
        Ok((count, pairs))
    }

    /// A colour before a thing. "Orange" is one only where a name follows it: "an orange orange".
    fn colour(&mut self) -> Option<(Colour, String)> {
        let shaded = usize::from(self.word(0).is_some_and(|word| SHADES.contains(&word)) && self.noun_at(0).is_none());
        let word = self.word(shaded)?;
        let (colour, alias) = colour_of(word)?;
        let coloured = self.word(shaded + 1).is_some_and(|word| ["coloured", "colored"].contains(&word));
        let is_name = NOUNS.contains_key(word) && !coloured && self.noun_at(shaded + 1).is_none();
        if is_name {
            return None;
        }
        let said = if shaded == 1 { format!("{} {word}", self.word(0)?) } else { word.to_owned() };
        if alias || shaded == 1 {
            self.remark(said.clone(), colour.name());
        }
        self.at += shaded + 1 + usize::from(coloured);
        Some((colour, said))
    }

    /// A colour after a thing: "a dog that is red", "a car in blue".
    fn colour_after(&mut self) -> Option<(Colour, String)> {
        let start = self.at;
        self.take_one_of(&["that", "which"]);
        if self.take_one_of(&["is", "are", "in"]).is_some() {
            let alone = self.word(0).is_some_and(|word| colour_of(word).is_some()) && self.noun_at(1).is_none();
            if alone && let Some(word) = self.word(0) {
                let (colour, alias) = colour_of(word)?;
                if alias {
                    self.remark(word.to_owned(), colour.name());
                }
                self.at += 1;
                return Some((colour, word.to_owned()));
            }
        }
        self.at = start;
        None
    }

    pub(super) fn group(&mut self) -> Result<Wanted, PromptError> {
        self.skip_pauses();
        let (number, pairs) = self.number()?;
        let mut colour: Option<(Colour, String)> = None;
        while let Some(next) = self.colour() {
            if let Some((_, first)) = colour {
                return Err(PromptError::TwoColours { first, second: next.1 });
            }
            colour = Some(next);
            // "A red, dog" is a slip; "a red, a dog" says nothing.
            if self.word(0).is_none() {
                let start = self.at;
                self.skip_pauses();
                if self.noun_at(0).is_none() {
                    self.at = start;
                }
            }
        }
        let Some((noun, length)) = self.noun_at(0) else {
            return Err(match (colour, self.word(0)) {
                (Some((_, said)), None) => PromptError::ColourAlone { said },
                (Some((_, said)), Some(_)) if self.is_known() => PromptError::ColourAlone { said },
                _ => self.wrong("a thing belongs here, for example “a dog”"),
            });
        };
        let said: Vec<&str> = (0..length).map_while(|ahead| self.word(ahead)).collect();
        let said = said.join(" ");
        self.at += length;
        let count = match (number, pairs) {
            (Some(number), true) if noun.class.is_pair() => number,
            (None, true) if noun.class.is_pair() => 1,
            (number, true) => number.unwrap_or(1) * 2,
            (Some(number), false) => number,
            (None, false) if noun.plural && !noun.class.is_pair() => {
                let name = english_plural(noun.class.name());
                self.remark(said.clone(), format!("two {name}"));
                2
            }
            (None, false) => 1,
        };
        if noun.alias && (number.is_some() || pairs || !noun.plural) {
            let name = noun.class.name();
            self.remark(said, if noun.plural { english_plural(name) } else { name.to_owned() });
        }
        match (&colour, self.colour_after()) {
            (Some((_, first)), Some((_, second))) => {
                return Err(PromptError::TwoColours { first: first.clone(), second });
            }
            (None, Some(after)) => colour = Some(after),
            (_, None) => {}
        }
        Ok(Wanted { count, class: noun.class, colour: colour.map(|(colour, _)| colour) })
    }

    /// What stands between two groups; none at the end.
    pub(super) fn joint(&mut self) -> Result<Option<Option<Relation>>, PromptError> {
        if self.at_end() {
            return Ok(None);
        }
        let mut joined = false;
        let mut relation = None;
        loop {
            joined |= self.skip_pauses();
            if self.plain_joint() {
                joined = true;
            } else if let Some(found) = self.relation() {
                if relation.is_some() {
                    return Err(PromptError::TwoRelations);
                }
                relation = Some(found);
                joined = true;
            } else if joined {
                return Ok(Some(relation));
            } else if self.noun_at(0).is_some() {
                return Err(self.wrong("put “and” between two things"));
            } else {
                return Err(self.wrong("things are joined by “and”, “left of”, “right of”, “above” or “below”"));
            }
        }
    }

    fn plain_joint(&mut self) -> bool {
        let Some(at) = JOINTS.iter().position(|phrase| self.take(phrase)) else { return false };
        if at >= PLAIN_JOINTS {
            self.remark(JOINTS[at].join(" "), "and");
        }
        true
    }

    /// A relation with what may stand before it; nothing is read where none follows.
    fn relation(&mut self) -> Option<Relation> {
        let start = self.at;
        while self.take_one_of(&STANDING).is_some() {}
        let found = self.side().or_else(|| {
            let at = RELATIONS.iter().position(|(phrase, _)| self.take(phrase))?;
            let (phrase, relation) = RELATIONS[at];
            if at >= PLAIN_RELATIONS {
                self.remark(phrase.join(" "), relation.words());
            }
            Some(relation)
        });
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// "On the left", without a thing that it is seen from.
    pub(super) fn side_alone(&mut self) -> Option<Relation> {
        let start = self.at;
        self.take_one_of(&["is"]);
        if self.take_one_of(&["on", "to", "at"]).is_some() && self.take_one_of(&["the"]).is_some() {
            let side = self.take_one_of(&["left", "right"]);
            self.take_one_of(&["hand"]);
            self.take_one_of(&["side"]);
            if self.word(0).is_none_or(|word| !["of", "from", "to"].contains(&word)) {
                match side {
                    Some("left") => return Some(Relation::LeftOf),
                    Some(_) => return Some(Relation::RightOf),
                    None => {}
                }
            }
        }
        self.at = start;
        None
    }

    /// "Left of", "to the right of", "on the left hand side of".
    fn side(&mut self) -> Option<Relation> {
        let start = self.at;
        if self.take_one_of(&["to", "on", "at"]).is_some() {
            self.take_one_of(&["the", "its"]);
        }
        let side = self.take_one_of(&["left", "right"]);
        self.take_one_of(&["hand"]);
        self.take_one_of(&["side"]);
        let relation = match (side, self.take_one_of(&["of", "from", "to"])) {
            (Some("left"), Some(_)) => Some(Relation::LeftOf),
            (Some(_), Some(_)) => Some(Relation::RightOf),
            _ => None,
        };
        if relation.is_none() {
            self.at = start;
        }
        relation
    }
}
