use ::showo::config::ClipConfig;
use ::showo::model::clip::{Clip, clip_score};

use super::{Case, values};

pub fn check(case: &Case) {
    let config: ClipConfig = case.config();
    let network = Clip::new(&config, case.weights()).expect("network");
    let tokens = case.shape("input_ids")[1];
    let eos = i64::from(config.text_config.eos_token_id.expect("eos_token_id"));
    let ends: Vec<usize> = case
        .ints("input_ids")
        .chunks(tokens)
        .map(|row| row.iter().position(|&id| id == eos).expect("an end-of-text token"))
        .collect();
    let texts = network.embed_text(case.int_tensor("input_ids"), &ends);
    let images = network.embed_image(case.tensor::<4>("pixel_values"));
    case.close("text embeddings", &values(texts.clone()), &case.floats("text_embeds"), 1e-5);
    case.close("image embeddings", &values(images.clone()), &case.floats("image_embeds"), 1e-5);
    let logits = network.logits_per_image(images.clone(), texts.clone());
    case.close("logits per image", &values(logits), &case.floats("logits_per_image"), 1e-4);

    // CLIPScore from the golden embeddings, computed here by hand.
    let (image_rows, text_rows) = (case.floats("image_embeds"), case.floats("text_embeds"));
    let width = config.projection_dim;
    let wanted: Vec<f32> = image_rows
        .chunks(width)
        .map(|image| 2.5 * image.iter().zip(&text_rows[..width]).map(|(a, b)| a * b).sum::<f32>().max(0.0))
        .collect();
    case.close("CLIPScore", &values(clip_score(images, texts.narrow(0, 0, 1))), &wanted, 1e-4);
}
