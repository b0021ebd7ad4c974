//! Yes-or-no questions about pictures, as the generator is taught to answer them.
//!
//! The sequence is Show-o's for understanding: `<|mmu|> <|soi|> code×N <|eoi|> <bos> user question assistant`, positions from 0; the
//! picture's part sees itself fully, the text behind it is causal; what follows is the answer.

use burn::tensor::{Device, Int, Tensor, TensorData};
use showo::config::ShowoConfig;
use showo::model::showo::FORBIDDEN;

use crate::data::Words;
use crate::generator::Tied;
use crate::tie::bits_of;

/// Ids of the words around a question.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    /// `<|mmu|>`.
    mmu: u32,
    user: u32,
    assistant: u32,
    /// The answer "yes".
    pub yes: u32,
    /// The answer "no".
    pub no: u32,
}

impl Speech {
    /// From a vocabulary that has all of them.
    ///
    /// # Panics
    /// It has not: a bug of the world's vocabulary.
    #[must_use]
    pub fn new(words: &Words) -> Self {
        let id = |word: &str| *words.encode(word).first().unwrap_or_else(|| panic!("the vocabulary lacks `{word}`"));
        Self {
            mmu: words.special_tokens().t2i + 1,
            user: id("user"),
            assistant: id("assistant"),
            yes: id("yes"),
            no: id("no"),
        }
    }
}

/// Pictures with as many questions each. All of a picture's stand in one sequence, and none sees another: each is answered as if it
/// were alone, and a picture is read once for all.
pub struct Asked<'a> {
    network: &'a ShowoConfig,
    bits: usize,
    speech: Speech,
    pictures: Vec<Vec<i32>>,
    /// Each question with the words around it, a picture's after another's.
    questions: Vec<Vec<u32>>,
    /// The answers' ids.
    answers: Vec<i32>,
}

impl<'a> Asked<'a> {
    /// None yet.
    #[must_use]
    pub fn new(network: &'a ShowoConfig, bits: usize, speech: Speech) -> Self {
        Self { network, bits, speech, pictures: Vec::new(), questions: Vec::new(), answers: Vec::new() }
    }

    /// Adds questions about a picture of `codes`, as many as about the others.
    pub fn push(&mut self, codes: &[i32], questions: &[(Vec<u32>, bool)]) {
        self.pictures.push(codes.to_vec());
        for (question, answer) in questions {
            let mut words = vec![self.network.bos, self.speech.user];
            words.extend(question);
            words.push(self.speech.assistant);
            self.questions.push(words);
            self.answers.push(if *answer { self.speech.yes } else { self.speech.no } as i32);
        }
    }

    /// Questions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// The ids of the right answers, `[questions]`.
    #[must_use]
    pub fn labels(&self, device: &Device) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(self.answers.clone(), [self.len()]), device)
    }

    /// Hidden states where the answers are read, `[questions, d]`.
    #[must_use]
    pub fn hidden(&self, model: &Tied, device: &Device) -> Tensor<2> {
        let (count, n, d) = (self.pictures.len(), self.network.num_vq_tokens, self.network.hidden_size);
        let each = self.len() / count;
        // Room for the longest question; what stands behind a shorter one is never seen by it.
        let room = self.questions.iter().map(Vec::len).max().unwrap_or(0);
        let (picture, length) = (n + 3, n + 3 + each * room);
        let special = &self.network.special_tokens;
        let first = self.network.first_code() as i32;
        let mut ids = Vec::with_capacity(count * length);
        for (codes, questions) in self.pictures.iter().zip(self.questions.chunks(each)) {
            ids.extend([self.speech.mmu as i32, special.soi as i32]);
            ids.extend(codes.iter().map(|code| first + code));
            ids.push(special.eoi as i32);
            for question in questions {
                let rest = std::iter::repeat_n(self.network.eos, room - question.len());
                ids.extend(question.iter().copied().chain(rest).map(|id| id as i32));
            }
        }
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [count, length]), device);
        let signs: Vec<f32> = self.pictures.iter().flatten().flat_map(|&code| bits_of(code, self.bits)).collect();
        let signs = Tensor::<2>::from_data(TensorData::new(signs, [count * n, self.bits]), device);
        let tied = signs.matmul(model.bits_in.val()).reshape([count, n, d]);
        let embedded = model.base.embed(ids);
        let codes = embedded.clone().narrow(1, 2, n) + tied;
        let parts = vec![embedded.clone().narrow(1, 0, 2), codes, embedded.narrow(1, n + 2, length - n - 2)];
        let embedded = Tensor::cat(parts, 1);

        let allowed = |row: usize, column: usize| {
            let question = |at: usize| (at - picture) / room;
            match (row < picture, column < picture) {
                (_, true) => true,
                (true, false) => false,
                (false, false) => column <= row && question(column) == question(row),
            }
        };
        let bias = (0..length * length).map(|at| if allowed(at / length, at % length) { 0.0 } else { FORBIDDEN });
        let bias: Vec<f32> = bias.collect();
        let bias = Tensor::<4>::from_data(TensorData::new(bias, [1, 1, length, length]), device);
        let row = |(index, question): (usize, &Vec<u32>)| {
            (index / each * length + picture + index % each * room + question.len() - 1) as i32
        };
        let rows: Vec<i32> = self.questions.iter().enumerate().map(row).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [self.len()]), device);
        model.base.forward_embedded(embedded, &bias).reshape([count * length, d]).select(0, rows)
    }

    /// Logits of "yes" less those of "no", `[questions]`: `p(yes) / (p(yes) + p(no))` is their logistic function.
    #[must_use]
    pub fn margins(&self, model: &Tied, device: &Device) -> Tensor<1> {
        let logits = model.base.text_logits(self.hidden(model, device));
        let of = |id: u32| logits.clone().narrow(1, id as usize, 1).reshape([self.len()]);
        of(self.speech.yes) - of(self.speech.no)
    }
}
