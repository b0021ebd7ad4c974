//! Why a pickle is refused.

/// A pickle that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// It names something other than what a dictionary of tensors needs.
    #[error(
        "its pickle asks for {0}, which no dictionary of tensors needs; nothing in it was run. Load it where you trust it, and save model.state_dict() alone"
    )]
    Global(String),
    /// An instruction that a state dict does not use.
    #[error("its pickle holds the instruction {0:#04x} at byte {1}, which no dictionary of tensors needs")]
    Instruction(u8, usize),
    /// It ends before its last instruction.
    #[error("its pickle is truncated")]
    Truncated,
    /// It contradicts itself, or the layout of tensors.
    #[error("its pickle is not a dictionary of tensors: {0}")]
    Malformed(String),
}

pub(super) fn malformed(problem: impl Into<String>) -> PickleError {
    PickleError::Malformed(problem.into())
}
