//! What a spec is called: GenEval's sentences, and their like where GenEval has none.

use std::fmt::Write as _;

use super::spec::{MAX_THINGS, Spec, Wanted};
use super::words::NUMBERS;

/// What every canonical prompt begins with.
pub(super) const OPENING: &str = "a photo of";

/// How many, which colour, what: for example `two red dogs` or `an orange orange`.
fn group(wanted: &Wanted) -> String {
    let noun = if wanted.count == 1 { wanted.class.name() } else { wanted.class.plural() };
    let first = wanted.colour.map_or(noun, super::class::Colour::name);
    let mut said = match (wanted.count, usize::from(wanted.count).checked_sub(2).and_then(|at| NUMBERS.get(at))) {
        (_, Some(number)) => (*number).to_owned(),
        (1, None) if first.starts_with(['a', 'e', 'i', 'o', 'u']) => "an".to_owned(),
        (1, None) => "a".to_owned(),
        // Not sayable, but to be seen for what it is.
        (other, None) => other.to_string(),
    };
    if let Some(colour) = wanted.colour {
        let _ = write!(said, " {}", colour.name());
    }
    let _ = write!(said, " {noun}");
    said
}

impl Spec {
    /// The canonical prompt, exactly as GenEval writes it: "a photo of a red dog and a blue bench". It falls into words
    /// of [`vocabulary`](super::vocabulary) at white space, and for every [sayable](Self::is_sayable) spec
    /// [`Spec::parse`] gives the spec back.
    #[must_use]
    pub fn prompt(&self) -> String {
        format!("{OPENING} {}", self.phrase())
    }

    /// [`prompt`](Self::prompt) without its "a photo of".
    #[must_use]
    pub fn phrase(&self) -> String {
        let joint = self.relation.map_or(" and ".to_owned(), |relation| format!(" {} ", relation.words()));
        self.wanted.iter().map(group).collect::<Vec<_>>().join(&joint)
    }

    /// Whether a prompt can ask for it: one to [`MAX_THINGS`] things, no kind of them twice, and a relation only between
    /// two single things.
    #[must_use]
    pub fn is_sayable(&self) -> bool {
        let counted = self.wanted.iter().all(|wanted| (1..=MAX_THINGS).contains(&wanted.count));
        let fits = (1..=u32::from(MAX_THINGS)).contains(&self.total());
        let apart = match self.relation {
            Some(_) => self.wanted.len() == 2 && self.total() == 2,
            None => self.wanted.iter().enumerate().all(|(at, wanted)| {
                self.wanted[..at].iter().all(|other| (other.class, other.colour) != (wanted.class, wanted.colour))
            }),
        };
        counted && fits && apart
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.prompt())
    }
}
