//! Show-o: layout and mask, one forward, and the whole decoding with the recorded uniform numbers, once over whole
//! sequences at every step and once with the prompt's cached keys and values. Inpainting and extrapolation are the same
//! decoding, begun elsewhere: `begun.rs` says where.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Case, Findings, Kind, ParityError, Tolerance};
use crate::config::ShowoConfig;
use crate::decode::generator::{Prompted, attention_bias, ids_tensor};
use crate::decode::noise::gumbel;
use crate::decode::remask::{confidences, cut, remask};
use crate::decode::sampling::{draw, read_floats};
use crate::decode::schedule::{mask_len, temperature};
use crate::model::showo::Showo;
use crate::ops::Noise;
use crate::prompt::{attention_allowed, image_segment, text_segment};

/// The decoding options beside the network's configuration.
#[derive(serde::Deserialize)]
struct Options {
    steps: usize,
    guidance_scale: f32,
    temperature: f32,
    #[serde(default = "cosine")]
    mask_schedule: String,
    #[serde(default = "yes")]
    rm_pad_in_image: bool,
}

fn cosine() -> String {
    "cosine".to_owned()
}

fn yes() -> bool {
    true
}

/// A case with what is read of it once.
pub(super) struct Checked<'a> {
    pub case: &'a Case,
    pub config: ShowoConfig,
    options: Options,
    network: Showo,
    device: &'a Device,
    tolerance: Tolerance,
    pub findings: Findings,
}

/// Pictures that are decoded side by side.
pub(super) struct Begun {
    /// What the names of its golden tensors begin with.
    pub at: String,
    /// A prompt's ids each, without special tokens.
    pub prompts: Vec<Vec<u32>>,
    /// Where each begins: N codes, negative where masked.
    pub states: Vec<Vec<i32>>,
}

#[derive(serde::Deserialize)]
struct Prompts {
    prompt_token_ids: Vec<Vec<u32>>,
}

/// The prompts of a case that has one a picture.
pub(super) fn prompts(case: &Case) -> Result<Vec<Vec<u32>>, ParityError> {
    Ok(case.config::<Prompts>()?.prompt_token_ids)
}

pub async fn check(case: &Case, device: &Device, tolerance: Tolerance) -> Result<Findings, ParityError> {
    let mut checked = Checked::new(case, device, tolerance)?;
    let prompts = prompts(case)?;
    let states = vec![vec![-1; checked.config.num_vq_tokens]; prompts.len()];
    checked.forward().await?;
    checked.decoding(&Begun { at: String::new(), prompts, states }).await?;
    Ok(checked.findings)
}

/// Reads what all cases of decoding have.
fn read(case: &Case) -> Result<(ShowoConfig, Options), ParityError> {
    let config: ShowoConfig = case.config()?;
    let options: Options = case.config()?;
    if options.mask_schedule != cosine() {
        return Err(case.refuse(format!("mask_schedule is {}, but this decoding has cosine", options.mask_schedule)));
    }
    if !options.rm_pad_in_image {
        return Err(case.refuse("rm_pad_in_image is false, but here the image never sees padding"));
    }
    if options.steps == 0 {
        return Err(case.refuse("there is nothing to decode: steps is 0"));
    }
    Ok((config, options))
}

/// The two ways to guided logits.
enum Path {
    Plain(Plain),
    Cached(Prompted),
}

/// Every prompt's sequence and its unconditional twin, in one batch as the reference has them.
struct Plain {
    /// Text segments: conditional rows first; the unconditional ones only with guidance.
    texts: Vec<Vec<u32>>,
    bias: Tensor<4>,
}

impl Path {
    /// Guided logits `[N, codebook]` of every prompt for the images' states.
    fn logits(&self, checked: &Checked<'_>, states: &[Vec<i32>]) -> Vec<Tensor<2>> {
        match self {
            Self::Cached(prompted) => {
                let images: Vec<&[i32]> = states.iter().map(Vec::as_slice).collect();
                let logits = prompted.logits_of(&checked.network, &images);
                let n = checked.config.num_vq_tokens;
                (0..states.len()).map(|row| logits.clone().narrow(0, row * n, n)).collect()
            }
            Self::Plain(plain) => plain.logits(checked, states),
        }
    }
}

impl Plain {
    fn logits(&self, checked: &Checked<'_>, states: &[Vec<i32>]) -> Vec<Tensor<2>> {
        let config = &checked.config;
        let sequences: Vec<Vec<u32>> = (self.texts.iter().enumerate())
            .map(|(row, text)| [text.clone(), image_segment(config, &states[row % states.len()])].concat())
            .collect();
        let hidden = checked.network.forward(ids_tensor(&sequences, checked.device), self.bias.clone());
        let (n, g) = (config.num_vq_tokens, checked.options.guidance_scale);
        let [rows, _, d] = hidden.dims();
        let logits = hidden.narrow(1, config.prefix_len() + 1, n).reshape([rows * n, d]);
        let logits = checked.network.code_logits(logits);
        let of = |row: usize| logits.clone().narrow(0, row * n, n);
        let guided = |row: usize| of(row) * (1.0 + g) - of(row + states.len()) * g;
        (0..states.len()).map(|row| if rows == states.len() { of(row) } else { guided(row) }).collect()
    }
}

impl<'a> Checked<'a> {
    pub fn new(case: &'a Case, device: &'a Device, tolerance: Tolerance) -> Result<Self, ParityError> {
        let (config, options) = read(case)?;
        let network = Showo::new(&config, case.weights(device)?).map_err(|error| case.unbuildable(error))?;
        Ok(Self { case, config, options, network, device, tolerance, findings: Findings::default() })
    }

    /// Layout and mask, and the decoding both ways.
    pub async fn decoding(&mut self, begun: &Begun) -> Result<(), ParityError> {
        if begun.prompts.is_empty() {
            return Err(self.case.refuse("there is nothing to decode: there are no prompts"));
        }
        if let Some(id) = begun.prompts.iter().flatten().find(|&&id| id as usize >= self.config.vocab_size) {
            return Err(self.case.refuse(format!("prompt_token_ids holds {id}, which is outside the vocabulary")));
        }
        self.layout(begun)?;
        let plain = Path::Plain(self.plain(begun));
        self.decode("whole sequences", &plain, begun).await?;
        let cached = Path::Cached(self.cached(begun));
        self.decode("cached prompt", &cached, begun).await
    }

    fn sequence(&self, ids: &[u32], state: &[i32]) -> Vec<u32> {
        [text_segment(&self.config, ids), image_segment(&self.config, state)].concat()
    }

    fn guided(&self) -> bool {
        self.options.guidance_scale > 0.0
    }

    /// Tokens of a sequence.
    fn length(&self) -> usize {
        self.config.prefix_len() + self.config.num_vq_tokens + 2
    }

    /// Every picture's sequence at its beginning, for the prompts or for the empty one.
    fn sequences(&self, begun: &Begun, empty: bool) -> Vec<Vec<u32>> {
        let rows = begun.prompts.iter().zip(&begun.states);
        rows.map(|(ids, state)| self.sequence(if empty { &[] } else { ids }, state)).collect()
    }

    fn plain(&self, begun: &Begun) -> Plain {
        let mut sequences = self.sequences(begun, false);
        if self.guided() {
            sequences.extend(self.sequences(begun, true));
        }
        let (length, text) = (self.length(), self.config.prefix_len());
        Plain {
            bias: attention_bias(&self.config, &sequences, 0..length, 0..length, self.device),
            texts: sequences.into_iter().map(|sequence| sequence[..text].to_vec()).collect(),
        }
    }

    fn cached(&self, begun: &Begun) -> Prompted {
        let prompts: Vec<&[u32]> = begun.prompts.iter().map(Vec::as_slice).collect();
        Prompted::several(&self.network, &self.config, &prompts, self.options.guidance_scale, self.device)
    }

    fn layout(&mut self, begun: &Begun) -> Result<(), ParityError> {
        let (rows, length) = (begun.prompts.len(), self.length());
        // Cases of plain drawing have the unconditional rows even where nothing guides.
        let twins = self.guided() || self.case.kind == Kind::Showo;
        let mut allowed = Vec::new();
        for (name, empty) in [("input_ids", false), ("uncond_input_ids", true)].into_iter().take(1 + usize::from(twins))
        {
            let name = format!("{}{name}", begun.at);
            let sequences = self.sequences(begun, empty);
            let wanted = self.case.ids(&name, [rows, length])?;
            self.findings.equal("sequence layout", &name, &sequences.concat(), &wanted, |_| false);
            allowed.extend(sequences.iter().flat_map(|sequence| attention_allowed(&self.config, sequence)).flatten());
        }
        let batch = if twins { 2 * rows } else { rows };
        let wanted = self.case.ints(&format!("{}attention_allowed", begun.at), [batch, length, length])?;
        let wanted: Vec<bool> = wanted.iter().map(|&may| may != 0).collect();
        self.findings.equal("attention mask", &begun.at, &allowed, &wanted, |_| false);
        Ok(())
    }

    /// One plain forward over partly revealed images.
    async fn forward(&mut self) -> Result<(), ParityError> {
        let [rows, _] = self.case.shape("forward.input_ids")?;
        let (length, n, d) = (self.length(), self.config.num_vq_tokens, self.config.hidden_size);
        let ids = self.case.ids("forward.input_ids", [rows, length])?;
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.config.vocab_size) {
            return Err(self
                .case
                .wrong(format!("`forward.input_ids` holds the id {id}, which is outside the vocabulary")));
        }
        let sequences: Vec<Vec<u32>> = ids.chunks(length).map(<[u32]>::to_vec).collect();
        let bias = attention_bias(&self.config, &sequences, 0..length, 0..length, self.device);
        let hidden = self.network.forward(ids_tensor(&sequences, self.device), bias);
        let allowed = 2e-4 * self.tolerance.logits;

        let last = hidden.clone().narrow(1, length - 1, 1).reshape([rows, d]);
        let last = read_floats(self.network.logits(last)).await?;
        let wanted = self.case.floats("forward.last_logits", [rows, self.config.vocab_size])?;
        self.findings.close("last-position logits", "", &last, wanted, allowed);
        let image = hidden.narrow(1, self.config.prefix_len() + 1, n).reshape([rows * n, d]);
        let image = read_floats(self.network.code_logits(image)).await?;
        let wanted = self.case.floats("forward.image_logits", [rows, n, self.config.codebook_size])?;
        self.findings.close("image logits", "", &image, wanted, allowed);
        Ok(())
    }

    /// The whole decoding of every prompt. Each step begins from the reference's state, so that a near tie at one step
    /// says nothing about the next.
    async fn decode(&mut self, way: &str, path: &Path, begun: &Begun) -> Result<(), ParityError> {
        let (n, codes, steps) = (self.config.num_vq_tokens, self.config.codebook_size, self.options.steps);
        let rows = begun.prompts.len();
        let mut states = begun.states.clone();
        for step in 0..steps {
            let at = |rest: &str| format!("{}step{step:02}.{rest}", begun.at);
            let u_sample = self.case.floats(&at("u_sample"), [rows, n, codes])?;
            let u_mask = self.case.floats(&at("u_mask"), [rows, n])?;
            let sampled = self.case.ids(&at("sampled"), [rows, n])?;
            let masked = self.case.ints(&at("masked"), [rows, n])?;
            if self.case.kind != Kind::Showo {
                let left = self.case.ints(&at("mask_len"), [rows])?;
                let unknown = states.iter().map(|state| state.iter().filter(|&&code| code < 0).count());
                let found: Vec<i64> = unknown.map(|unknown| mask_len(n, unknown, step, steps) as i64).collect();
                self.findings.equal("positions left masked", &at(""), &found, left, |_| false);
            }
            for (row, logits) in path.logits(self, &states).into_iter().enumerate() {
                let of_row = row * n..(row + 1) * n;
                let recorded = Recorded {
                    step,
                    noise: u_sample[row * n * codes..(row + 1) * n * codes].iter().map(|&u| gumbel(u)).collect(),
                    u_mask: &u_mask[of_row.clone()],
                    sampled: sampled[of_row.clone()].iter().map(|&code| code as i32).collect(),
                    masked: masked[of_row].iter().map(|&flag| flag != 0).collect(),
                };
                states[row] = self.step((way, begun, row), recorded, logits, &states[row]).await?;
            }
        }
        Ok(())
    }

    /// One step of one prompt; gives the reference's state after it.
    async fn step(
        &mut self,
        (way, begun, row): (&str, &Begun, usize),
        recorded: Recorded<'_>,
        logits: Tensor<2>,
        state: &[i32],
    ) -> Result<Vec<i32>, ParityError> {
        let Recorded { step, noise, u_mask, sampled, masked } = recorded;
        let (n, codes, steps) = (self.config.num_vq_tokens, self.config.codebook_size, self.options.steps);
        let (place, tie) = (format!("{}prompt {row} step {step}", begun.at), self.tolerance.tie);
        let logits = without_gradient(logits);
        let guided = read_floats(logits.clone()).await?;
        if row == 0 {
            let name = format!("{}step{step:02}.guided_logits_row0", begun.at);
            let [given, _] = self.case.shape(&name)?;
            let wanted = self.case.floats(&name, [given, codes])?;
            let found = guided.get(..wanted.len()).unwrap_or(&guided);
            // What each folder of cases asks for.
            let allowed = if self.case.kind == Kind::Showo { 5e-4 } else { 2e-4 } * self.tolerance.logits;
            self.findings.close(&format!("guided logits, {way}"), &place, found, wanted, allowed);
        }

        let given = Tensor::from_data(TensorData::new(noise.clone(), [1, n, codes]), &logits.device());
        let drawn = draw(logits, Noise::Given(given), state).await?;
        let [drawn] = <[_; 1]>::try_from(drawn).map_err(|_| self.case.refuse("nothing was drawn"))?;
        let near = |at: usize| gap(&guided[at * codes..][..codes], &noise[at * codes..][..codes]) < tie;
        self.findings.equal(&format!("sampled ids, {way}"), &place, &drawn.codes, &sampled, near);
        if step + 1 == steps {
            let wanted: Vec<i32> = self.case.ids(&format!("{}final_codes", begun.at), [begun.prompts.len(), n])?
                [row * n..(row + 1) * n]
                .iter()
                .map(|&code| code as i32)
                .collect();
            self.findings.equal(&format!("final codes, {way}"), &place, &drawn.codes, &wanted, near);
        }

        // Where a near tie fell on the other side, the confidence is that of the reference's code.
        let log_p: Vec<f32> =
            (drawn.codes.iter().zip(&sampled).enumerate())
                .map(|(at, (drawn_code, &code))| {
                    if *drawn_code == code {
                        drawn.log_p[at]
                    } else {
                        log_softmax(&guided[at * codes..][..codes], code)
                    }
                })
                .collect();
        let known: Vec<bool> = state.iter().map(|&token| token >= 0).collect();
        let unknown = known.iter().filter(|&&known| !known).count();
        let heat = temperature(self.options.temperature, step, steps);
        let left = mask_len(n, unknown, step, steps);
        let found = remask(&log_p, &known, u_mask, heat, left);
        let confidence = confidences(&log_p, &known, u_mask, heat);
        let cut = cut(&confidence, left);
        let near = |at: usize| (confidence[at] - cut).abs() < tie;
        self.findings.equal(&format!("re-masked sets, {way}"), &place, &found, &masked, near);
        Ok(sampled.iter().zip(&masked).map(|(&code, &masked)| if masked { -1 } else { code }).collect())
    }
}

/// What the reference drew in one step of one prompt.
struct Recorded<'a> {
    step: usize,
    /// Gumbel noise `[N, codebook]`.
    noise: Vec<f32>,
    u_mask: &'a [f32],
    sampled: Vec<i32>,
    masked: Vec<bool>,
}

/// Drawing has no gradient; only the logits before it differ.
fn without_gradient(logits: Tensor<2>) -> Tensor<2> {
    #[cfg(not(target_arch = "wasm32"))]
    if logits.device().is_autodiff() {
        return logits.inner();
    }
    logits
}

/// By how much the best candidate of a position is better than the second.
fn gap(logits: &[f32], noise: &[f32]) -> f32 {
    let (mut best, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for score in logits.iter().zip(noise).map(|(logit, noise)| logit + noise) {
        if score > best {
            (best, second) = (score, best);
        } else if score > second {
            second = score;
        }
    }
    best - second
}

fn log_softmax(logits: &[f32], code: i32) -> f32 {
    let high = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - high).exp()).sum();
    logits.get(code as usize).map_or(f32::NEG_INFINITY, |logit| logit - high - sum.ln())
}
