//! Show-o asked about pictures: layout and mask, the first answer's logits and its odds, and the greedy answer, once over
//! whole sequences and once with the picture's cached keys and values.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Case, Findings, ParityError, Tolerance};
use crate::config::ShowoConfig;
use crate::decode::generator::ids_tensor;
use crate::decode::sampling::read_floats;
use crate::decode::understanding::{Seen, likeliest};
use crate::model::showo::{FORBIDDEN, Showo};
use crate::prompt::{Answers, question_allowed, seen_segment};

/// What was asked, beside the network's configuration.
#[derive(serde::Deserialize)]
struct Options {
    text_token_ids: Vec<Vec<u32>>,
    yes_id: u32,
    no_id: u32,
    max_new_tokens: usize,
    top_k: usize,
}

/// One question about one picture, and what the reference said.
struct Asked<'a> {
    place: String,
    codes: Vec<i32>,
    /// `<bos>` and the text.
    text: Vec<u32>,
    /// The whole sequence as the reference has it.
    sequence: &'a [u32],
    p_yes: f32,
    ids: &'a [u32],
    /// `[new tokens, vocab]`: the rows that they were taken from.
    logits: &'a [f32],
    /// Tokens before the reference stops, the end of the text among them.
    length: i64,
}

pub async fn check(case: &Case, device: &Device, tolerance: Tolerance) -> Result<Findings, ParityError> {
    let config: ShowoConfig = case.config()?;
    let options: Options = case.config()?;
    if options.top_k != 1 {
        return Err(case.refuse(format!("top_k is {}, but answers are greedy here: 1", options.top_k)));
    }
    if options.max_new_tokens == 0 || options.text_token_ids.iter().any(Vec::is_empty) {
        return Err(case.refuse("there is nothing to ask: max_new_tokens and text_token_ids must not be empty"));
    }
    let ids = options.text_token_ids.iter().flatten().chain([&options.yes_id, &options.no_id]);
    if let Some(id) = ids.into_iter().find(|&&id| id as usize >= config.vocab_size) {
        return Err(case.refuse(format!("it holds the id {id}, which is outside the vocabulary")));
    }
    let network = Showo::new(&config, case.weights(device)?).map_err(|error| case.unbuildable(error))?;
    let answers = Answers { yes: vec![options.yes_id], no: vec![options.no_id] };
    let [pictures, n] = case.shape("image_codes")?;
    if n != config.num_vq_tokens {
        return Err(case.wrong(format!("`image_codes` has {n} codes a picture, not {}", config.num_vq_tokens)));
    }
    let codes = case.ids("image_codes", [pictures, n])?;
    let (new, vocab) = (options.max_new_tokens, config.vocab_size);
    let checked = Checked { network, config, answers, device, tolerance };
    let mut findings = Findings::default();
    for (question, text) in options.text_token_ids.iter().enumerate() {
        let at = |rest: &str| format!("q{question}.{rest}");
        let length = n + 4 + text.len();
        let sequences = case.ids(&at("input_ids"), [pictures, length])?;
        let last_logits = case.floats(&at("last_logits"), [pictures, vocab])?;
        let p_yes = case.floats(&at("p_yes"), [pictures])?;
        let ids = case.ids(&at("greedy_ids"), [pictures, new])?;
        let logits = case.floats(&at("greedy_logits"), [pictures, new, vocab])?;
        let lengths = case.ints(&at("answer_len"), [pictures])?;
        let first = case.ints(&at("attention_allowed"), [length, length])?;
        let last = length + new - 1;
        let last = case.ints(&at("attention_allowed_last"), [last, last])?;
        for picture in 0..pictures {
            let asked = Asked {
                place: format!("question {question} picture {picture}"),
                codes: codes[picture * n..(picture + 1) * n].iter().map(|&code| code as i32).collect(),
                text: [&[checked.config.bos], &text[..]].concat(),
                sequence: &sequences[picture * length..(picture + 1) * length],
                p_yes: p_yes[picture],
                ids: &ids[picture * new..(picture + 1) * new],
                logits: &logits[picture * new * vocab..(picture + 1) * new * vocab],
                length: lengths[picture],
            };
            // Both are the row that the first token was taken from.
            let row = &last_logits[picture * vocab..(picture + 1) * vocab];
            findings.close("first rows of both", &asked.place, &asked.logits[..vocab], row, 0.0);
            checked.layout(&asked, [first, last], &mut findings);
            checked.whole(&asked, &mut findings).await?;
            checked.cached(&asked, &mut findings).await?;
        }
    }
    Ok(findings)
}

/// What every question of a case has in common.
struct Checked<'a> {
    network: Showo,
    config: ShowoConfig,
    answers: Answers,
    device: &'a Device,
    tolerance: Tolerance,
}

impl Checked<'_> {
    fn layout(&self, asked: &Asked<'_>, [first, last]: [&[i64]; 2], findings: &mut Findings) {
        let sequence = [seen_segment(&self.config, &asked.codes), asked.text.clone()].concat();
        findings.equal("sequence layout", &asked.place, &sequence, asked.sequence, |_| false);
        let answered = [&sequence[..], &asked.ids[..asked.ids.len() - 1]].concat();
        for (what, sequence, wanted) in
            [("attention mask", &sequence, first), ("attention mask of the last token", &answered, last)]
        {
            let allowed: Vec<i64> =
                question_allowed(&self.config, sequence).into_iter().flatten().map(i64::from).collect();
            findings.equal(what, &asked.place, &allowed, wanted, |_| false);
        }
    }

    /// Every token in one forward, the reference's answer behind the question.
    async fn whole(&self, asked: &Asked<'_>, findings: &mut Findings) -> Result<(), ParityError> {
        let sequence = [asked.sequence, &asked.ids[..asked.ids.len() - 1]].concat();
        let (length, count) = (sequence.len(), asked.ids.len());
        let allowed = question_allowed(&self.config, &sequence).into_iter().flatten();
        let bias: Vec<f32> = allowed.map(|may| if may { 0.0 } else { FORBIDDEN }).collect();
        let bias = Tensor::from_data(TensorData::new(bias, [1, 1, length, length]), self.device);
        let hidden = self.network.forward(ids_tensor(&[sequence], self.device), bias);
        let d = self.config.hidden_size;
        let hidden = hidden.narrow(1, length - count, count).reshape([count, d]);
        let logits = read_floats(self.network.logits(hidden)).await?;
        findings.close("logits, whole sequences", &asked.place, &logits, asked.logits, self.logits());
        Ok(())
    }

    /// The picture once, then the question, then the answer token by token.
    async fn cached(&self, asked: &Asked<'_>, findings: &mut Findings) -> Result<(), ParityError> {
        let (network, place) = (&self.network, &asked.place);
        let seen = Seen::new(network, &self.config, &asked.codes, self.device);
        let reading = seen.read(network, &asked.text, self.device);
        let yes = reading.yes(network, &self.answers).await?;
        findings.close("p(yes)", place, &[yes], &[asked.p_yes], 1e-5 * self.tolerance.logits);
        let (mut next, mut ids, mut logits) = (reading.clone(), Vec::new(), Vec::new());
        for &id in asked.ids {
            let row = read_floats(next.logits(network)).await?;
            ids.push(likeliest(&row));
            logits.extend(row);
            next = next.then(network, id);
        }
        findings.close("logits, cached picture", place, &logits, asked.logits, self.logits());
        findings.equal("answers", place, &ids, asked.ids, |_| false);
        // The reference counts the end of the text, which an answer leaves out.
        let answer = reading.answer(network, self.config.eos, asked.ids.len()).await?;
        let length = asked.ids.len().min(answer.len() + 1) as i64;
        findings.equal("lengths of answers", place, &[length], &[asked.length], |_| false);
        let wanted = asked.ids.get(..answer.len()).unwrap_or(asked.ids);
        findings.equal("answers", place, &answer, wanted, |_| false);
        Ok(())
    }

    fn logits(&self) -> f32 {
        2e-4 * self.tolerance.logits
    }
}
