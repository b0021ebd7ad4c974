//! Reward networks: what they are trained on, asked, and made of.

use serde::{Deserialize, Serialize};

fn default_true() -> bool {
    true
}

/// What a reward network's label said in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardLabel {
    /// Finishing from here satisfies the prompt (PARM).
    Potential,
    /// This preview satisfies the prompt (PRM).
    Preview,
    /// This finished image satisfies the prompt (ORM).
    Outcome,
}

impl RewardLabel {
    /// Every label.
    pub const ALL: [Self; 3] = [Self::Potential, Self::Preview, Self::Outcome];

    /// The question with this label, for a network that answers several.
    #[must_use]
    pub const fn question(self) -> RewardQuestion {
        match self {
            Self::Potential => RewardQuestion::Potential,
            Self::Preview => RewardQuestion::Preview,
            Self::Outcome => RewardQuestion::Outcome,
        }
    }

    /// As it is written in configurations, commands and the names of runs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Potential => "potential",
            Self::Preview => "preview",
            Self::Outcome => "outcome",
        }
    }
}

/// The reward network: an encoder over prompt and image tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RewardConfig {
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width of the MLP in a block.
    pub intermediate_size: usize,
    /// Width of the head's hidden layer: d → this → 1.
    pub head_size: usize,
    /// Text ids (the language model's vocabulary with its added tokens).
    pub text_vocab_size: usize,
    /// Image codes; one more id stands for `[mask]`.
    pub codebook_size: usize,
    /// N.
    pub num_vq_tokens: usize,
    /// Longest prompt in tokens; shorter ones are padded on the left.
    pub max_text_len: usize,
    /// The id that pads.
    pub pad: u32,
    /// ε of every layer normalization.
    pub layer_norm_eps: f64,
    /// What it was trained on.
    pub label: RewardLabel,
    /// Whether the blocks have biases.
    #[serde(default = "default_true")]
    pub bias: bool,
    /// Side of the square of image tokens that share a position: their embeddings, d / `merge`² wide, lie side by side in it. With 2
    /// a quarter of the positions is computed.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub merge: usize,
    /// Questions that one network answers ([`RewardQuestion`]), each with an embedding of its own; 0 in one that knows its label's
    /// alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub questions: usize,
    /// Of the questions of a network that answers several, those that its training had answers to. What was never learnt is never
    /// asked.
    #[serde(default = "every_question", skip_serializing_if = "is_every_question")]
    pub learnt: Vec<RewardQuestion>,
}

impl RewardConfig {
    /// Positions of an image: N / `merge`².
    #[must_use]
    pub fn image_positions(&self) -> usize {
        self.num_vq_tokens / (self.merge * self.merge).max(1)
    }

    /// The labels that the network stands for: its own, or, where it answers several questions, those of the ones that it learnt.
    #[must_use]
    pub fn labels(&self) -> Vec<RewardLabel> {
        match self.questions {
            0 => vec![self.label],
            _ => RewardLabel::ALL.into_iter().filter(|label| self.knows(label.question())).collect(),
        }
    }

    /// Whether the network can be asked this question beside others.
    #[must_use]
    pub fn knows(&self, question: RewardQuestion) -> bool {
        self.questions > 0 && self.learnt.contains(&question)
    }

    /// Width of one image token's embedding.
    #[must_use]
    pub fn token_width(&self) -> usize {
        self.hidden_size / (self.merge * self.merge).max(1)
    }
}

/// What a reward network that answers several questions can be asked: the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardQuestion {
    /// Can this state be judged yet?
    Clarity,
    /// Will finishing from here satisfy the prompt (PARM)?
    Potential,
    /// Does this finished picture satisfy it (ORM)?
    Outcome,
    /// Does this preview satisfy it (PRM)?
    Preview,
}

impl RewardQuestion {
    /// Every question, in the order of their embeddings.
    pub const ALL: [Self; 4] = [Self::Clarity, Self::Potential, Self::Outcome, Self::Preview];
}

fn one() -> usize {
    1
}

fn every_question() -> Vec<RewardQuestion> {
    RewardQuestion::ALL.to_vec()
}

fn is_every_question(learnt: &[RewardQuestion]) -> bool {
    RewardQuestion::ALL.iter().all(|question| learnt.contains(question))
}

// What older networks do not say is not said of them: their configurations stay as they are.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(value: &usize) -> bool {
    *value == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> RewardConfig {
        let sizes = r#""hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "head_size": 4,
            "text_vocab_size": 9, "codebook_size": 16, "num_vq_tokens": 16, "max_text_len": 4, "pad": 8, "layer_norm_eps": 1e-5,
            "label": "potential""#;
        serde_json::from_str(&format!("{{{sizes}{more}}}")).expect("a configuration")
    }

    #[test]
    fn a_network_stands_for_what_it_learnt() {
        let written = |config: &RewardConfig| serde_json::to_string(config).expect("JSON");
        let alone = read("");
        assert_eq!(alone.labels(), [RewardLabel::Potential]);
        assert!(!alone.knows(RewardQuestion::Potential), "it hears no question");
        let all = read(r#", "questions": 4"#);
        assert_eq!(all.labels(), RewardLabel::ALL);
        assert!(RewardQuestion::ALL.into_iter().all(|question| all.knows(question)));
        assert!(
            [&alone, &all].iter().all(|config| !written(config).contains("learnt")),
            "older ones stay as they were"
        );
        let some = read(r#", "questions": 4, "learnt": ["potential", "outcome"]"#);
        assert_eq!(some.labels(), [RewardLabel::Potential, RewardLabel::Outcome]);
        assert!(!some.knows(RewardQuestion::Clarity) && !some.knows(RewardQuestion::Preview));
        assert_eq!(serde_json::from_str::<RewardConfig>(&written(&some)).expect("its own JSON"), some);
    }
}
