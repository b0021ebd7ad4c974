//! What models are loaded for beyond drawing from words: more weights are then fetched and held.

/// What somebody means to do besides drawing; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// To ask the generator about pictures: its head's rows of the language model are kept.
    pub answers: bool,
    /// To bring pictures of one's own: the image tokenizer's encoder is kept.
    pub pictures: bool,
}
