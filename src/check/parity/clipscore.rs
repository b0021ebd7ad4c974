//! CLIPScore from texts and pictures: CLIP's own tokenizer, its pictures from bytes, both towers, and the score.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Case, Findings, ParityError};
use crate::config::ClipConfig;
use crate::decode::sampling::read_floats;
use crate::model::clip::{Clip, clip_score};
use crate::picture::Rgb;
use crate::prompt::{ClipText, ClipTokenizer};

#[derive(serde::Deserialize)]
struct Texts {
    texts: Vec<String>,
}

pub async fn check(case: &Case, device: &Device) -> Result<Findings, ParityError> {
    let config: ClipConfig = case.config()?;
    let Texts { texts } = case.config()?;
    let tokenizer = ClipTokenizer::from_json(case.tokenizer()?).map_err(|error| case.refuse(error))?;
    let network = Clip::new(&config, case.weights(device)?).map_err(|error| case.unbuildable(error))?;
    let mut findings = Findings::default();

    let read = texts.iter().map(|text| tokenizer.encode(text, config.text_config.max_position_embeddings));
    let read: Vec<ClipText> = read.collect::<Result<_, _>>().map_err(|error| case.refuse(error))?;
    let text = texts_embedded(case, &read, &network, device, &mut findings)?;
    let [images, width] = case.shape("image_embeds")?;
    let text_rows = case.floats("text_embeds", [texts.len(), width])?;
    findings.close("text embeddings", "", &read_floats(text.clone()).await?, text_rows, 1e-5);

    let (side, mut pixels) = (config.vision_config.image_size, Vec::new());
    for index in 0..images {
        let place = format!("picture {index}");
        let picture = picture(case, &format!("image.{index}"))?;
        let resized = picture.shorter(side).map_err(|error| case.wrong(error.to_string()))?;
        let shape = [resized.height as usize, resized.width as usize, 3];
        let wanted: Vec<u8> =
            case.ids(&format!("resized.{index}"), shape)?.into_iter().map(|byte| byte as u8).collect();
        findings.equal("resized bytes", &place, &resized.bytes, &wanted, |_| false);
        pixels.extend(picture.for_clip(&config).map_err(|error| case.wrong(error.to_string()))?);
    }
    findings.close("pixels", "", &pixels, case.floats("pixel_values", [images, 3, side, side])?, 1e-5);
    let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [images, 3, side, side]), device);
    let image = network.embed_image(pixels);
    let image_rows = case.floats("image_embeds", [images, width])?;
    findings.close("image embeddings", "", &read_floats(image.clone()).await?, image_rows, 1e-5);

    // The cosines' product is burn's own, which a browser does not carry.
    #[cfg(not(target_arch = "wasm32"))]
    {
        let logits = read_floats(network.logits_per_image(image.clone(), text.clone())).await?;
        findings.close("logits per image", "", &logits, case.floats("logits_per_image", [images, texts.len()])?, 2e-4);
    }
    let wanted = case.floats("clip_score", [images, texts.len()])?;
    for index in 0..texts.len() {
        let scores = read_floats(clip_score(image.clone(), text.clone().narrow(0, index, 1))).await?;
        let wanted: Vec<f32> = wanted.iter().skip(index).step_by(texts.len()).copied().collect();
        findings.close("CLIPScore", &format!("text {index}"), &scores, &wanted, 5e-5);
    }
    Ok(findings)
}

/// Compares the ids, padded as the reference pads them, and embeds them: `[texts, projection]`.
fn texts_embedded(
    case: &Case,
    read: &[ClipText],
    network: &Clip,
    device: &Device,
    findings: &mut Findings,
) -> Result<Tensor<2>, ParityError> {
    let [_, length] = case.shape("input_ids")?;
    let padded = |ids: &[u32]| -> Vec<u32> {
        let end = ids.last().copied().unwrap_or(0);
        ids.iter().copied().chain(std::iter::repeat(end)).take(length).collect()
    };
    let ids: Vec<u32> = read.iter().flat_map(|text| padded(&text.ids)).collect();
    findings.equal("token ids", "", &ids, &case.ids("input_ids", [read.len(), length])?, |_| false);
    let known: Vec<i64> = read.iter().flat_map(|text| (0..length).map(|at| (at < text.ids.len()).into())).collect();
    findings.equal("padding", "", &known, case.ints("attention_mask", [read.len(), length])?, |_| false);
    let ends: Vec<usize> = read.iter().map(|text| text.end).collect();
    let places: Vec<i64> = ends.iter().map(|&end| end as i64).collect();
    findings.equal("ends of texts", "", &places, case.ints("ends", [read.len()])?, |_| false);
    let ids: Vec<i32> = ids.into_iter().map(|id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [read.len(), length]), device);
    Ok(network.embed_text(ids, &ends))
}

/// A golden tensor of bytes as a picture.
fn picture(case: &Case, name: &str) -> Result<Rgb, ParityError> {
    let shape @ [height, width, _] = case.shape(name)?;
    if shape[2] != 3 {
        return Err(case.wrong(format!("`{name}` has {} channels, not 3", shape[2])));
    }
    let bytes = case.ids(name, shape)?.into_iter().map(|byte| byte as u8).collect();
    Ok(Rgb { width: width as u32, height: height as u32, bytes })
}
