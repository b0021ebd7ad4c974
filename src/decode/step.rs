//! One decoding step for k candidates: independent draws and re-maskings from the same logits.

use burn::tensor::{DType, Tensor, TensorData};

use super::DeviceError;
use super::noise::{Place, mask_uniforms, sample_keys};
use super::remask::remask;
use super::sampling::draw;
use super::schedule::{mask_len, temperature};
use crate::ops::Noise;

/// Everything that decides a step besides its logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPlan {
    /// The drawing's seed.
    pub seed: u64,
    /// 0 for the drawing, r for round r of reflection.
    pub pass: u32,
    /// From 0.
    pub step: u32,
    /// T, or the steps of the round.
    pub steps: u32,
    /// The positions that were masked before step 0: what the mask schedule counts over.
    pub total: usize,
    /// Temperature of the re-masking noise before step 0.
    pub temperature: f32,
    /// The number of the first candidate: the path, in modes that draw whole paths.
    pub first: u32,
    /// k.
    pub candidates: u32,
}

/// One candidate after its draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Each position's code, negative where masked again; the whole draw after the last step.
    pub tokens: Vec<i32>,
    /// The whole draw.
    pub sampled: Vec<i32>,
}

/// Draws k candidates from guided logits `[N, codebook]`; `tokens` is the state before, negative where masked.
///
/// # Errors
/// The device failed.
pub async fn draw_candidates(logits: Tensor<2>, tokens: &[i32], plan: &StepPlan) -> Result<Vec<Drawn>, DeviceError> {
    let [positions, _] = logits.dims();
    let places: Vec<Place> = (plan.first..plan.first.saturating_add(plan.candidates))
        .map(|candidate| Place {
            seed: plan.seed,
            pass: plan.pass.into(),
            step: plan.step.into(),
            candidate: candidate.into(),
        })
        .collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let keys = places.iter().flat_map(|&place| sample_keys(place, positions)).flatten().map(u32::cast_signed).collect();
    let keys = TensorData::new::<i32, _>(keys, [places.len(), positions, 2]);
    let keys = Tensor::from_data(keys, (&logits.device(), DType::I32));
    let draws = draw(logits, Noise::Counted(keys), tokens).await?;

    Ok(places.iter().zip(draws).map(|(&place, drawn)| decide(drawn.codes, &drawn.log_p, tokens, plan, place)).collect())
}

/// What is kept of a whole draw of `codes` with its log-probabilities, `tokens` being the state before: the most confident
/// positions stay, the others are masked again, and after the last step all stay.
#[must_use]
pub fn decide(codes: Vec<i32>, log_p: &[f32], tokens: &[i32], plan: &StepPlan, place: Place) -> Drawn {
    let (step, steps) = (plan.step as usize, plan.steps as usize);
    if step + 1 >= steps {
        return Drawn { tokens: codes.clone(), sampled: codes };
    }
    let known: Vec<bool> = tokens.iter().map(|&token| token >= 0).collect();
    let unknown = known.iter().filter(|&&known| !known).count();
    let left = mask_len(plan.total, unknown, step, steps);
    let heat = temperature(plan.temperature, step, steps);
    let masked = remask(log_p, &known, &mask_uniforms(place, codes.len()), heat, left);
    // However high the temperature, what was known stays known.
    let again = masked.iter().zip(&known).map(|(&masked, &known)| masked && !known);
    let tokens = codes.iter().zip(again).map(|(&code, again)| if again { -1 } else { code }).collect();
    Drawn { tokens, sampled: codes }
}
