//! What the public checkpoints are, and what their `config.json` leaves unsaid.
//!
//! Sources: `models/modeling_showo.py`, `models/phi.py` and `models/modeling_magvitv2.py` of showlab/Show-o, and the
//! configurations of microsoft/phi-1_5 and openai/clip-vit-base-patch32.

use showo::bundle::ModelKind;
use showo::config::{MagvitConfig, ShowoConfig, SpecialTokens};
use showo::prompt::ADDED_TOKENS;

/// Show-o over Phi-1.5 with another vocabulary, codebook or picture.
///
/// The public configuration names Phi-1.5 and gives only the sizes that are this function's parameters. `phi.py` sets
/// `qk_layernorm` whatever Phi's own configuration says; 128 is `max_seq_length` of the public demo configurations.
pub fn phi_1_5(llm_vocab_size: usize, codebook_size: usize, num_vq_tokens: usize) -> ShowoConfig {
    let added = |index: usize| id(llm_vocab_size.saturating_add(index));
    let vocab_size = llm_vocab_size.saturating_add(ADDED_TOKENS.len()).saturating_add(codebook_size).saturating_add(1);
    ShowoConfig {
        hidden_size: 2_048,
        num_hidden_layers: 24,
        num_attention_heads: 32,
        intermediate_size: 8_192,
        partial_rotary_factor: 0.5,
        rope_theta: 10_000.0,
        layer_norm_eps: 1e-5,
        qk_layernorm: true,
        vocab_size,
        llm_vocab_size,
        num_new_special_tokens: ADDED_TOKENS.len(),
        codebook_size,
        num_vq_tokens,
        max_text_len: 128,
        special_tokens: SpecialTokens { pad: added(0), soi: added(1), eoi: added(2), t2i: added(5) },
        bos: 50_256,
        eos: 50_256,
        mask_token_id: id(vocab_size - 1),
    }
}

/// An id; one that does not fit contradicts the vocabulary, which the configuration's own check says.
fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// MAGVIT-v2 for pictures of this side. Its public configuration is empty: everything is in the code's defaults.
pub fn magvit_v2(resolution: usize) -> MagvitConfig {
    MagvitConfig {
        ch: 128,
        z_channels: 13,
        resolution,
        encoder_ch_mult: vec![1, 2, 2, 4, 4],
        decoder_ch_mult: vec![1, 1, 2, 2, 4],
        encoder_num_res_blocks: vec![4, 3, 4, 3, 4],
        decoder_num_res_blocks: vec![4, 4, 3, 4, 3],
        // Picture sides, of which none is 5: the public network attends in its middle only.
        attn_resolutions: vec![5],
        patch_encoder: None,
        group_norm_groups: 32,
        group_norm_eps: 1e-6,
    }
}

/// What the tensors begin with that bring CLIP-ViT's features to a generator's width.
pub const PROJECTOR: &str = "mm_projector.";

/// Why a generator that understands pictures through CLIP-ViT is refused, and what to take instead. Its code reads pictures for
/// questions by another network than the one that it draws with; none of it is computed here.
pub const WITH_CLIP_VIT: &str = "this Show-o understands pictures through CLIP-ViT (w_clip_vit; showlab/show-o-w-clip-vit and its kin), \
     which is not computed here; take showlab/show-o or showlab/show-o-512x512, which read pictures as the tokens that they draw";

/// Why a tensor of a public checkpoint stays out of the bundle, if it does: what the network computes from its
/// configuration, and what does not take part in drawing.
pub fn left_out(kind: ModelKind, name: &str) -> Option<&'static str> {
    match kind {
        ModelKind::Showo(_) if name.ends_with(".rotary_emb.inv_freq") => Some("the network computes it"),
        // Its checkpoint is refused for it, by name.
        ModelKind::Showo(_) if name.starts_with(PROJECTOR) => Some("it reads what CLIP-ViT sees"),
        ModelKind::Magvit if matches!(name, "quantize.embedding" | "quantize.power_vals") => {
            Some("the network computes it")
        }
        ModelKind::Clip if name.ends_with(".embeddings.position_ids") => Some("the network computes it"),
        _ => None,
    }
}
