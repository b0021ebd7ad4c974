//! A reward network that is there already, asked for its word on many states. The network is the engine's own.

use showo::load::RewardModel;

use crate::data::Words;

/// States that are scored at once.
const AT_ONCE: usize = 32;

/// Logits of "yes" for states, each with its prompt.
#[must_use]
pub fn logits(parm: &RewardModel, states: &[(&str, &[i32])]) -> Vec<f32> {
    let words = Words::new();
    let prompts: Vec<Vec<u32>> = states.iter().map(|(prompt, _)| words.encode(prompt)).collect();
    let encoded = prompts.iter().map(Vec::as_slice).zip(states.iter().map(|&(_, state)| state));
    logits_of(parm, &encoded.collect::<Vec<_>>())
}

/// [`logits`] of prompts as ids.
#[must_use]
pub fn logits_of(parm: &RewardModel, states: &[(&[u32], &[i32])]) -> Vec<f32> {
    let scored = states.chunks(AT_ONCE).flat_map(|part| {
        let (prompts, grids): (Vec<&[u32]>, Vec<&[i32]>) = part.iter().copied().unzip();
        parm.logits(&prompts, &grids, parm.config.label.question()).into_data().iter::<f32>().collect::<Vec<f32>>()
    });
    scored.collect()
}
