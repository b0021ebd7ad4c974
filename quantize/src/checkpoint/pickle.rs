//! A pickle, read as what a state dict needs and nothing else.
//!
//! A pickle is a program for a stack machine that may call any Python function it names. Here nothing is ever called:
//! the names below are the only ones that are known, and each stands for a value of this module. Whatever else a file
//! asks for is refused by its name. Format: `pickletools.py` of CPython; layout of tensors: `torch/_utils.py` and
//! `torch/serialization.py` of PyTorch.

mod error;
mod machine;
mod program;

use std::collections::BTreeMap;

pub use error::PickleError;
pub use machine::Tensor;

use self::error::malformed;
use self::machine::{Machine, Value};

/// Longest pickle that is read, in bytes; a state dict of a thousand tensors takes a hundred thousand.
pub const MAX_BYTES: u64 = 16 << 20;

/// The tensors of a state dict by name; also where the dictionary lies under `state_dict` or `model` in another one.
///
/// # Errors
/// A [`PickleError`]; whatever is named by it was not run.
pub fn state_dict(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, PickleError> {
    let mut machine = Machine::default();
    let top = machine.run(bytes)?;
    let Value::Dict(mut dict) = top else {
        return Err(malformed("it holds one value, not a dictionary"));
    };
    for wrapper in ["state_dict", "model", "module"] {
        let inner = machine.dicts[dict].iter().find(|(key, _)| machine.text(*key) == Some(wrapper));
        if let Some((_, Value::Dict(inner))) = inner {
            dict = *inner;
            break;
        }
    }
    let mut tensors = BTreeMap::new();
    for &(key, value) in &machine.dicts[dict] {
        let name = machine.text(key).ok_or_else(|| malformed("a key is not a text"))?;
        let Value::Tensor(tensor) = value else {
            return Err(malformed(format!("{name} is not a tensor")));
        };
        if tensors.insert(name.to_string(), machine.tensor(tensor)).is_some() {
            return Err(malformed(format!("{name} is there twice")));
        }
    }
    Ok(tensors)
}
