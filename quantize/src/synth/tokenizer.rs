//! A tokenizer of the size and form of Phi's, over invented words.

use std::collections::HashSet;

use serde_json::{Value, json};

/// Learned tokens of GPT-2's vocabulary, which Phi-1.5's is, beside the 256 bytes and the end of text.
const MERGES: usize = 50_000;

/// `tokenizer.json`: byte-level BPE with `size` tokens, the end of text behind the merges and, where room is left as
/// in Phi-1.5, runs of spaces as added tokens.
pub fn json(size: usize) -> Value {
    let alphabet = alphabet();
    let merges = MERGES.min(size.saturating_sub(alphabet.len() + 1));
    let mut tokens: Vec<String> = alphabet.iter().map(char::to_string).collect();
    let mut known: HashSet<String> = tokens.iter().cloned().collect();
    let mut pairs = Vec::with_capacity(merges);
    // Two words of English, so that a generator with these can be asked; before all others, which would take them apart.
    let answers = [("y", "e"), ("ye", "s"), ("Ġ", "yes"), ("n", "o"), ("Ġ", "no")];
    for (left, right) in answers.into_iter().take(if merges == MERGES { answers.len() } else { 0 }) {
        let token = format!("{left}{right}");
        known.insert(token.clone());
        pairs.push(format!("{left} {right}"));
        tokens.push(token);
    }
    // Every word of letters, shorter ones first, each a merge of what stands before its last letter and that letter.
    // `Ġ` is how byte-level BPE writes a space.
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut longest: Vec<String> = std::iter::once("Ġ".to_string()).chain(letters.iter().cloned()).collect();
    'all: loop {
        let mut next = Vec::new();
        for left in &longest {
            for right in &letters {
                if pairs.len() == merges {
                    break 'all;
                }
                let token = format!("{left}{right}");
                if known.insert(token.clone()) {
                    pairs.push(format!("{left} {right}"));
                    tokens.push(token.clone());
                    next.push(token);
                }
            }
        }
        longest = next;
    }
    let added = |id: usize, content: &str, special: bool| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": !special, "special": special })
    };
    let end_of_text = tokens.len();
    tokens.push("<|endoftext|>".into());
    let mut extra = vec![added(end_of_text, "<|endoftext|>", true)];
    extra.extend((tokens.len()..size).map(|id| added(id, &" ".repeat(1 + size - id), false)));
    let vocab: serde_json::Map<String, Value> =
        tokens.into_iter().enumerate().map(|(id, token)| (token, id.into())).collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": extra, "normalizer": null,
        "pre_tokenizer": bytes, "post_processor": bytes, "decoder": bytes,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": pairs },
    })
}

/// The 256 bytes as GPT-2 writes them: printable ones as themselves, the others from U+0100 on.
pub fn alphabet() -> Vec<char> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let hidden = (0..256).filter(|&byte| !printable(byte)).count() as u32;
    (0..256u32).filter(|&byte| printable(byte)).chain(256..256 + hidden).filter_map(char::from_u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use showo::prompt::TextTokenizer;

    #[test]
    fn it_has_the_size_that_was_asked_for() {
        for size in [300, 50_295] {
            let json = json(size);
            let vocab = json["model"]["vocab"].as_object().unwrap();
            let ids: HashSet<u64> = vocab
                .values()
                .chain(json["added_tokens"].as_array().unwrap().iter().map(|token| &token["id"]))
                .map(|id| id.as_u64().unwrap())
                .collect();
            assert_eq!(ids.len(), size);
            assert_eq!(ids.iter().max(), Some(&(size as u64 - 1)));
            assert_eq!(json["added_tokens"][0]["id"], if size == 300 { 299 } else { 50_256 });
            let tokenizer = TextTokenizer::from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
            assert_eq!(tokenizer.answers().is_ok(), size > 300, "{size}");
        }
    }
}
