//! A network's parameters by name, as a checkpoint holds them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::error::ModelError;

/// Parameters by name: shape and values.
pub type Named = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Every floating-point parameter of a network under its checkpoint name, with its shape and values.
///
/// Reads synchronously: for native use (training, conversion).
///
/// # Errors
/// [`ModelError::File`] when the device cannot be read.
pub fn named_parameters<M: Module>(module: &M) -> Result<Named, ModelError> {
    struct Collector {
        path: Vec<String>,
        found: Result<Named, ModelError>,
    }
    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Enum variants and tuple wrappers are ours, not the checkpoint's.
            let name = self
                .path
                .iter()
                .filter(|part| !["Float", "Q8", "Levels", "Patch"].contains(&part.as_str()))
                .cloned()
                .collect::<Vec<_>>()
                .join(".");
            let tensor = param.val();
            let shape = tensor.dims().to_vec();
            match (&mut self.found, tensor.try_into_vec_as::<f32>()) {
                (Ok(found), Ok(values)) => {
                    found.insert(name, (shape, values));
                }
                (found, Err(error)) => *found = Err(ModelError::File(format!("`{name}`: {error}"))),
                (Err(_), Ok(_)) => {}
            }
        }
    }
    let mut collector = Collector { path: Vec::new(), found: Ok(BTreeMap::new()) };
    module.visit(&mut collector);
    collector.found
}
