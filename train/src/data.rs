//! Scenes as training examples, each a function of (seed, number), and the words as token ids.

use burn::tensor::{Device, Tensor, TensorData};
use rng::Rng;
use scenes::{Picture, SIDE, Scene, Spec, Split};
use showo::config::{ShowoConfig, SpecialTokens};

/// To be raised whenever the same seed gives other examples: a run does not go on with data that it did not begin with.
pub const VERSION: u32 = 4;

/// The words' ids: pad-free, in the order of the world's vocabulary, then `<bos>` and `<eos>`.
#[derive(Debug, Clone)]
pub struct Words {
    words: Vec<&'static str>,
}

impl Words {
    /// The vocabulary of the world of shapes.
    #[must_use]
    pub fn new() -> Self {
        Self { words: scenes::vocabulary() }
    }

    /// The vocabulary of the world of things.
    #[must_use]
    pub fn icons() -> Self {
        Self { words: scenes::icons::vocabulary() }
    }

    /// Words, `<bos>` and `<eos>`.
    #[must_use]
    pub fn llm_vocab_size(&self) -> usize {
        self.words.len() + 2
    }

    /// The id of `<bos>`.
    #[must_use]
    pub fn bos(&self) -> u32 {
        self.words.len() as u32
    }

    /// The ids of a canonical prompt; words outside the vocabulary are a bug of the grammar and are left out.
    #[must_use]
    pub fn encode(&self, prompt: &str) -> Vec<u32> {
        prompt
            .split_whitespace()
            .filter_map(|word| self.words.iter().position(|known| *known == word))
            .map(|id| id as u32)
            .collect()
    }

    /// Ids of a prompt as CLIP learns it: `<bos>` first, `<eos>` up to `length`, and the index of the first `<eos>`.
    #[must_use]
    pub fn padded(&self, prompt: &str, length: usize) -> (Vec<i32>, usize) {
        let mut ids: Vec<i32> = self.encode(prompt).into_iter().map(|id| id as i32).collect();
        ids.insert(0, self.bos() as i32);
        ids.truncate(length - 1);
        let end = ids.len();
        ids.resize(length, self.bos() as i32 + 1);
        (ids, end)
    }

    /// A `tokenizer.json` (word level) for the bundle.
    #[must_use]
    pub fn tokenizer_json(&self) -> serde_json::Value {
        let mut names: Vec<String> = self.words.iter().map(|word| (*word).to_owned()).collect();
        names.push("<|bos|>".into());
        names.push("<|eos|>".into());
        let vocab: serde_json::Map<String, serde_json::Value> =
            names.iter().enumerate().map(|(id, name)| (name.clone(), id.into())).collect();
        let special = [
            "[PAD]", "<|soi|>", "<|eoi|>", "<|sov|>", "<|eov|>", "<|t2i|>", "<|mmu|>", "<|t2v|>", "<|v2v|>", "<|lvg|>",
        ];
        let added: Vec<serde_json::Value> = special
            .iter()
            .enumerate()
            .map(|(index, name)| {
                serde_json::json!({
                    "id": names.len() + index, "content": name, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true,
                })
            })
            .collect();
        serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": { "type": "Lowercase" }, "pre_tokenizer": { "type": "WhitespaceSplit" },
            "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "<|eos|>" },
        })
    }

    /// The vocabulary's part of a generator's configuration.
    #[must_use]
    pub fn special_tokens(&self) -> SpecialTokens {
        let first = self.llm_vocab_size() as u32;
        SpecialTokens { pad: first, soi: first + 1, eoi: first + 2, t2i: first + 5 }
    }
}

/// The shape of a generator that knows `words` and draws 8 × 8 tokens.
#[must_use]
pub fn showo_config(words: &Words, width: usize, layers: usize, heads: usize, mlp: usize, bits: usize) -> ShowoConfig {
    let codebook_size = 1 << bits;
    let vocab_size = words.llm_vocab_size() + 10 + codebook_size + 1;
    ShowoConfig {
        hidden_size: width,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: mlp,
        partial_rotary_factor: 0.5,
        rope_theta: 10_000.0,
        layer_norm_eps: 1e-5,
        qk_layernorm: false,
        vocab_size,
        llm_vocab_size: words.llm_vocab_size(),
        num_new_special_tokens: 10,
        codebook_size,
        num_vq_tokens: 64,
        max_text_len: MAX_TEXT_LEN,
        special_tokens: words.special_tokens(),
        bos: words.bos(),
        eos: words.bos() + 1,
        mask_token_id: vocab_size as u32 - 1,
    }
}

/// Room for the longest prompt of the grammar with `<bos>` and `<eos>`.
pub const MAX_TEXT_LEN: usize = 14;

/// The scene numbered `number`: what it says and what it shows.
#[must_use]
pub fn training_scene(seed: u64, number: u64) -> (Spec, Scene) {
    let mut rng = Rng::keyed(&[seed, number]);
    let spec = scenes::sample_training_spec(&mut rng);
    let scene = scenes::sample_scene(&spec, Split::Train, &mut rng);
    (spec, scene)
}

/// Pictures as pixels in [−1, 1], `[batch, 3, 64, 64]`.
#[must_use]
pub fn pixels(pictures: &[Picture], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = pictures.iter().flat_map(Picture::to_signed).collect();
    Tensor::from_data(TensorData::new(values, [pictures.len(), 3, SIDE, SIDE]), device)
}

/// Pixels `[batch, 3, 64, 64]` as pictures. Reads synchronously.
#[must_use]
pub fn pictures(pixels: Tensor<4>) -> Vec<Picture> {
    let values: Vec<f32> = pixels.into_data().iter::<f32>().collect();
    values.chunks(3 * SIDE * SIDE).map(Picture::from_signed).collect()
}

/// Writes pictures as a grid, `columns` wide, each enlarged by `zoom`.
///
/// # Errors
/// The file cannot be written.
pub fn write_sheet(path: &std::path::Path, pictures: &[Picture], columns: usize, zoom: usize) -> anyhow::Result<()> {
    let cell = SIDE * zoom + 4;
    let rows = pictures.len().div_ceil(columns);
    let mut sheet =
        image::RgbImage::from_pixel((columns * cell) as u32, (rows * cell) as u32, image::Rgb([70, 70, 80]));
    for (index, picture) in pictures.iter().enumerate() {
        let (left, top) = (index % columns * cell + 2, index / columns * cell + 2);
        for y in 0..SIDE * zoom {
            for x in 0..SIDE * zoom {
                let pixel = picture.pixel(x / zoom, y / zoom);
                sheet.put_pixel((left + x) as u32, (top + y) as u32, image::Rgb(pixel));
            }
        }
    }
    sheet.save(path)?;
    Ok(())
}
