//! How each tensor is stored.

use clap::ValueEnum;
use showo::bundle::ModelKind;
use showo::bundle::manifest::StoredDtype;

/// Tensors with fewer elements than this are never quantized: they cost nothing, and small ones are the sensitive ones.
pub const SMALLEST_QUANTIZED: usize = 4_096;

/// How the large weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// int8, one f16 scale per 32 inputs: 8.5 bits a weight
    Q8,
    /// half precision: 16 bits a weight
    F16,
    /// single precision: 32 bits a weight, nothing lost
    F32,
}

/// What `--keep` asks for: tensors that match the pattern are stored in this precision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// F16 or F32.
    pub dtype: StoredDtype,
    /// A pattern over `kind/name`; `*` stands for any text, `?` for one character.
    pub pattern: String,
}

/// How a tensor is stored, and the first `--keep` that decided it.
///
/// Norms, biases (anything of one dimension) and anything below [`SMALLEST_QUANTIZED`] elements stay in single
/// precision under every scheme: together they are under one percent of a model.
pub fn stored_as(
    scheme: Scheme,
    keep: &[Keep],
    kind: ModelKind,
    name: &str,
    shape: &[usize],
) -> (StoredDtype, Option<usize>) {
    let full = format!("{kind}/{name}");
    if let Some(index) = keep.iter().position(|keep| matches(&keep.pattern, &full) || matches(&keep.pattern, name)) {
        return (keep[index].dtype, Some(index));
    }
    let elements: usize = shape.iter().product();
    let small = shape.len() < 2 || elements < SMALLEST_QUANTIZED;
    let dtype = match scheme {
        Scheme::F32 => StoredDtype::F32,
        _ if small => StoredDtype::F32,
        Scheme::F16 => StoredDtype::F16,
        // Layers take their weights as int8. What stands by itself (the reward network's `position`) is added as it is.
        Scheme::Q8 if !name.ends_with(".weight") => StoredDtype::F16,
        Scheme::Q8 => StoredDtype::Q8,
    };
    (dtype, None)
}

/// Whether a pattern of `*` and `?` covers the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use showo::config::RewardLabel;

    use super::*;

    #[test]
    fn what_is_no_layer_s_weight_is_not_quantized() {
        let stored = |name, shape: &[usize]| {
            stored_as(Scheme::Q8, &[], ModelKind::Reward(RewardLabel::Potential), name, shape).0
        };
        assert_eq!(stored("position", &[76, 512]), StoredDtype::F16);
        assert_eq!(stored("text.weight", &[50, 512]), StoredDtype::Q8);
        assert_eq!(stored("position", &[76, 32]), StoredDtype::F32);
    }

    #[test]
    fn patterns() {
        assert!(matches("*", ""));
        assert!(matches("showo/*.embed_tokens.*", "showo/showo.model.embed_tokens.weight"));
        assert!(matches("a?c", "abc"));
        assert!(matches("*a*b", "xaybab"));
        assert!(!matches("a?c", "ac"));
        assert!(!matches("lm_head", "lm_head.weight"));
        assert!(!matches("", "a"));
    }

    #[test]
    fn small_and_flat_tensors_stay_exact() {
        let dtype = |scheme, shape: &[usize]| stored_as(scheme, &[], ModelKind::SHOWO, "w.weight", shape).0;
        assert_eq!(dtype(Scheme::Q8, &[64, 64]), StoredDtype::Q8);
        assert_eq!(dtype(Scheme::Q8, &[64, 63]), StoredDtype::F32);
        assert_eq!(dtype(Scheme::Q8, &[8192]), StoredDtype::F32);
        assert_eq!(dtype(Scheme::F16, &[64, 64]), StoredDtype::F16);
        assert_eq!(dtype(Scheme::F16, &[8192]), StoredDtype::F32);
        assert_eq!(dtype(Scheme::F32, &[64, 64]), StoredDtype::F32);
    }

    #[test]
    fn the_first_pattern_decides() {
        let keep = [
            Keep { dtype: StoredDtype::F16, pattern: "lm_head.*".into() },
            Keep { dtype: StoredDtype::F32, pattern: "showo/*".into() },
        ];
        assert_eq!(
            stored_as(Scheme::Q8, &keep, ModelKind::SHOWO, "lm_head.weight", &[64, 64]),
            (StoredDtype::F16, Some(0))
        );
        assert_eq!(stored_as(Scheme::Q8, &keep, ModelKind::SHOWO, "other", &[64, 64]), (StoredDtype::F32, Some(1)));
        assert_eq!(stored_as(Scheme::Q8, &keep, ModelKind::Magvit, "other.weight", &[64, 64]), (StoredDtype::Q8, None));
    }
}
