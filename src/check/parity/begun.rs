//! Drawings that begin with something: a picture with a hole, and the edge of a panorama. The mask, the canvas and where
//! it goes are compared here; the decoding from there is `showo.rs`.

use burn::tensor::Device;

use super::showo::{Begun, Checked, prompts};
use super::{Case, Findings, ParityError, Tolerance};
use crate::decode::canvas::{CanvasError, Direction, Panorama, with_hole};
use crate::picture::mask::{hole, mask_pixels, sampled};

#[derive(serde::Deserialize)]
struct Size {
    resolution: usize,
}

#[derive(serde::Deserialize)]
struct Rounds {
    #[serde(default)]
    offset: usize,
    rounds: Vec<Round>,
}

#[derive(serde::Deserialize)]
struct Round {
    direction: Direction,
    prompt_token_ids: Vec<u32>,
}

/// Codes as the decoding has them.
fn signed(codes: Vec<u32>) -> Vec<i32> {
    codes.into_iter().map(|code| code as i32).collect()
}

/// A part of a picture drawn again.
pub async fn inpaint(case: &Case, device: &Device, tolerance: Tolerance) -> Result<Findings, ParityError> {
    let mut checked = Checked::new(case, device, tolerance)?;
    let Size { resolution } = case.config()?;
    let prompts = prompts(case)?;
    let (grid, n) = (checked.config.grid(), checked.config.num_vq_tokens);
    let codes = signed(case.ids("image_codes", [prompts.len(), n])?);
    let masks = case.ints("token_mask", [prompts.len(), n])?;
    let mut states = Vec::new();
    for row in 0..prompts.len() {
        let place = format!("mask {row}");
        let name = format!("mask_image.{row}");
        let [height, width] = case.shape(&name)?;
        let greys: Vec<u8> = case.ids(&name, [height, width])?.into_iter().map(|byte| byte as u8).collect();
        if width == 0 || height == 0 {
            return Err(case.wrong(format!("`{name}` has no pixels")));
        }
        let pixels = mask_pixels(&greys, [width, height], resolution);
        let wanted = case.floats(&format!("mask_pixels.{row}"), [resolution, resolution])?;
        // Equal bytes are what is promised; these are they, divided by 255.
        let bytes = |pixels: &[f32]| pixels.iter().map(|pixel| (pixel * 255.0).round() as u8).collect::<Vec<_>>();
        checked.findings.equal("resized bytes of the masks", &place, &bytes(&pixels), &bytes(wanted), |_| false);
        checked.findings.close("pixels of the masks", &place, &pixels, wanted, 1e-5);
        let values = sampled(&pixels, resolution, grid);
        let wanted = case.floats(&format!("mask_values.{row}"), [grid, grid])?;
        checked.findings.close("cells of the masks", &place, &values, wanted, 1e-5);
        let hole = hole(&values);
        let flags: Vec<i64> = hole.iter().map(|&hole| hole.into()).collect();
        checked.findings.equal("token masks", &place, &flags, &masks[row * n..(row + 1) * n], |_| false);
        let state = with_hole(&codes[row * n..(row + 1) * n], &hole);
        states.push(state.map_err(|error| case.wrong(error.to_string()))?);
    }
    checked.decoding(&Begun { at: String::new(), prompts, states }).await?;
    Ok(checked.findings)
}

/// A picture continued beyond its edge, round by round.
pub async fn extrapolate(case: &Case, device: &Device, tolerance: Tolerance) -> Result<Findings, ParityError> {
    let mut checked = Checked::new(case, device, tolerance)?;
    let Rounds { offset, rounds } = case.config()?;
    let (grid, n) = (checked.config.grid(), checked.config.num_vq_tokens);
    let refused = |error: CanvasError| case.refuse(error);
    let kept = Panorama::kept(grid, offset).map_err(refused)?;
    let mut panorama = Panorama::new(signed(case.ids("image_codes", [grid, grid])?), grid);
    for (index, Round { direction, prompt_token_ids }) in rounds.into_iter().enumerate() {
        let at = format!("round{index}.");
        let canvas = panorama.canvas(grid, kept, direction).map_err(refused)?;
        let found: Vec<i64> = canvas.iter().map(|&code| code.into()).collect();
        let wanted = case.ints(&format!("{at}canvas"), [grid, grid])?;
        checked.findings.equal("canvases", &at, &found, wanted, |_| false);
        checked.decoding(&Begun { at: at.clone(), prompts: vec![prompt_token_ids], states: vec![canvas] }).await?;
        let drawn = signed(case.ids(&format!("{at}final_codes"), [1, n])?);
        panorama = panorama.extended(grid, kept, direction, &drawn).map_err(refused)?;
        let wanted = signed(case.ids(&format!("{at}panorama"), [panorama.rows, panorama.columns])?);
        checked.findings.equal("panoramas", &at, &panorama.codes, &wanted, |_| false);
    }
    Ok(checked.findings)
}
