//! CLIP: normalised embeddings of both towers, and CLIPScore on top.

use burn::tensor::Device;

use super::{Case, Findings, ParityError};
use crate::config::ClipConfig;
use crate::decode::sampling::read_floats;
use crate::model::clip::{CLIP_SCORE_WEIGHT, Clip, clip_score};

/// What transformers' configurations say where they mean "the highest id of the text".
const LEGACY_END: i64 = 2;

#[derive(serde::Deserialize)]
struct Towers {
    text_config: Act,
    vision_config: Act,
}

#[derive(serde::Deserialize)]
struct Act {
    #[serde(default = "quick_gelu")]
    hidden_act: String,
}

fn quick_gelu() -> String {
    "quick_gelu".to_owned()
}

pub async fn check(case: &Case, device: &Device) -> Result<Findings, ParityError> {
    let config: ClipConfig = case.config()?;
    let towers: Towers = case.config()?;
    for Act { hidden_act } in [&towers.text_config, &towers.vision_config] {
        if *hidden_act != quick_gelu() {
            return Err(case.refuse(format!("hidden_act is {hidden_act}, but this CLIP has quick_gelu only")));
        }
    }
    let network = Clip::new(&config, case.weights(device)?).map_err(|error| case.unbuildable(error))?;
    let [texts, tokens] = case.shape("input_ids")?;
    let [images, _, _, _] = case.shape("pixel_values")?;
    let eos = config.text_config.eos_token_id.ok_or_else(|| case.refuse("text_config.eos_token_id is missing"))?;
    let ids = case.ints("input_ids", [texts, tokens])?;
    let most = config.text_config.max_position_embeddings;
    if tokens > most {
        return Err(case.wrong(format!("`input_ids` has rows of {tokens} tokens, but this CLIP reads at most {most}")));
    }
    if let Some(id) = ids.iter().find(|id| !(0..config.text_config.vocab_size as i64).contains(*id)) {
        return Err(case.wrong(format!("`input_ids` holds the id {id}, which is outside the vocabulary")));
    }
    let ends = ids.chunks(tokens).map(|row| end(row, i64::from(eos)));
    let ends: Vec<usize> =
        ends.collect::<Option<_>>().ok_or_else(|| case.wrong(format!("`input_ids` has a row without {eos}")))?;

    let mut findings = Findings::default();
    let width = config.projection_dim;
    let text = network.embed_text(case.int_tensor("input_ids", device)?, &ends);
    let image = network.embed_image(case.tensor("pixel_values", device)?);
    let text_rows = case.floats("text_embeds", [texts, width])?;
    let image_rows = case.floats("image_embeds", [images, width])?;
    let (found_texts, found_images) = (read_floats(text.clone()).await?, read_floats(image.clone()).await?);
    findings.close("text embeddings", "", &found_texts, text_rows, 1e-5);
    findings.close("image embeddings", "", &found_images, image_rows, 1e-5);

    // The cosines' product is burn's own, which a browser does not carry.
    #[cfg(not(target_arch = "wasm32"))]
    {
        let logits = read_floats(network.logits_per_image(image.clone(), text.clone())).await?;
        let wanted = case.floats("logits_per_image", [images, texts])?;
        findings.close("logits per image", "", &logits, wanted, 1e-4);
    }

    // CLIPScore from the golden embeddings, computed here by hand.
    for (index, text_row) in text_rows.chunks(width).enumerate() {
        let cosine = |image: &[f32]| image.iter().zip(text_row).map(|(a, b)| a * b).sum::<f32>();
        let wanted: Vec<f32> =
            image_rows.chunks(width).map(|image| CLIP_SCORE_WEIGHT * cosine(image).max(0.0)).collect();
        let scores = read_floats(clip_score(image.clone(), text.clone().narrow(0, index, 1))).await?;
        findings.close("CLIPScore", &format!("text {index}"), &scores, &wanted, 5e-5);
    }
    Ok(findings)
}

/// The token that stands for a text: the first end, as transformers has it.
fn end(row: &[i64], eos: i64) -> Option<usize> {
    if eos == LEGACY_END {
        let highest = row.iter().max()?;
        return row.iter().position(|id| id == highest);
    }
    row.iter().position(|&id| id == eos)
}
