//! The small files of a public CLIP's folder, over invented words: `vocab.json`, `merges.txt`, `tokenizer.json`,
//! `preprocessor_config.json`.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use showo::config::ClipConfig;

use super::tokenizer::alphabet;
use crate::clip::words::tokenizer_json;

/// What ends a word.
const END: &str = "</w>";

/// Names and contents, in the form of openai/clip-vit-base-patch32.
pub fn files(config: &ClipConfig) -> Vec<(&'static str, String)> {
    let (vocab, merges) = words(config.text_config.vocab_size);
    let list = format!("#version: 0.2\n{}\n", merges.join("\n"));
    let side = config.vision_config.image_size;
    let processor = json!({
        "crop_size": side, "do_center_crop": true, "do_normalize": true, "do_resize": true,
        "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": config.image_mean, "image_std": config.image_std,
        "resample": 3, "size": side,
    });
    let mut files = vec![("merges.txt", list), ("preprocessor_config.json", processor.to_string())];
    files.push(("vocab.json", Value::Object(vocab.clone()).to_string()));
    // Both ends are in the vocabulary.
    files.extend(tokenizer_json(vocab, merges).ok().map(|json| ("tokenizer.json", json.to_string())));
    files
}

/// A vocabulary of `size` tokens (512 bytes, merges, a beginning and an end), and its merges.
fn words(size: usize) -> (Map<String, Value>, Vec<String>) {
    let bytes: Vec<String> = alphabet().iter().map(char::to_string).collect();
    let mut tokens: Vec<String> =
        bytes.iter().cloned().chain(bytes.iter().map(|byte| format!("{byte}{END}"))).collect();
    let most = size.saturating_sub(tokens.len() + 2);
    let mut known: HashSet<String> = tokens.iter().cloned().collect();
    let mut merges = Vec::with_capacity(most);
    // Every word of letters, shorter ones first: within a longer word, and as a word of its own.
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut longest = letters.clone();
    'all: loop {
        let mut next = Vec::new();
        for left in &longest {
            for right in &letters {
                for ending in ["", END] {
                    if merges.len() == most {
                        break 'all;
                    }
                    let token = format!("{left}{right}{ending}");
                    if known.insert(token.clone()) {
                        merges.push(format!("{left} {right}{ending}"));
                        tokens.push(token);
                    }
                }
                next.push(format!("{left}{right}"));
            }
        }
        longest = next;
    }
    tokens.extend(["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()]);
    let vocab = tokens.into_iter().enumerate().map(|(id, token)| (token, id.into())).collect();
    (vocab, merges)
}

#[cfg(test)]
mod tests {
    use showo::prompt::ClipTokenizer;

    use super::*;
    use crate::layout::ModelConfig;
    use crate::synth::{Beside, Preset};

    #[test]
    fn its_words_are_as_many_as_its_rows() {
        for preset in [Preset::Tiny, Preset::Showo256] {
            let models = preset.models(None, &[Beside::Clip]);
            let Some(ModelConfig::Clip(config)) = models.last().map(|model| &model.config) else { panic!("no CLIP") };
            let (vocab, merges) = words(config.text_config.vocab_size);
            assert_eq!(
                (vocab.len(), merges.len()),
                (config.text_config.vocab_size, config.text_config.vocab_size - 514)
            );
            let files = files(config);
            let (_, json) = files.iter().find(|(name, _)| *name == "tokenizer.json").unwrap();
            let tokenizer = ClipTokenizer::from_json(json.as_bytes()).unwrap();
            tokenizer.fits(config).unwrap();
            // A word that is known is one token.
            let read = tokenizer.encode("Ab", 77).unwrap();
            let rows = config.text_config.vocab_size as u32;
            assert_eq!((read.ids[0], read.ids.len(), read.ids[2], read.end), (rows - 2, 3, rows - 1, 2));
        }
    }
}
