//! Reading a case and comparing tensors.

pub mod clip;
pub mod magvit;
pub mod showo;

use std::path::Path;

use ::showo::model::Weights;
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;

pub struct Case {
    pub name: String,
    pub config: serde_json::Value,
    golden: Vec<u8>,
    weights: Vec<u8>,
    pub device: Device,
}

impl Case {
    pub fn read(folder: &Path, name: &str, device: &Device) -> Self {
        let file = |suffix: &str| std::fs::read(folder.join(format!("{name}{suffix}")));
        Self {
            name: name.to_owned(),
            config: serde_json::from_slice(&file(".json").expect("configuration")).expect("JSON"),
            golden: file(".golden.safetensors").expect("golden tensors"),
            weights: file(".weights.safetensors").unwrap_or_default(),
            device: device.clone(),
        }
    }

    pub fn config<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.config.clone()).expect("the case's configuration")
    }

    pub fn weights(&self) -> Weights {
        Weights::from_safetensors(&self.weights, &self.device).expect("the case's weights")
    }

    fn bytes(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        let file = SafeTensors::deserialize(&self.golden).expect("golden file");
        let view = file.tensor(name).unwrap_or_else(|_| panic!("{}: no golden tensor `{name}`", self.name));
        (view.shape().to_vec(), view.data().to_vec())
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.bytes(name).0
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.bytes(name).1.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    pub fn ints(&self, name: &str) -> Vec<i64> {
        self.bytes(name).1.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
    }

    pub fn flags(&self, name: &str) -> Vec<bool> {
        self.bytes(name).1.iter().map(|&byte| byte != 0).collect()
    }

    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.floats(name), self.shape(name)), &self.device)
    }

    pub fn int_tensor<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        let values: Vec<i32> = self.ints(name).into_iter().map(|value| value as i32).collect();
        Tensor::from_data(TensorData::new(values, self.shape(name)), &self.device)
    }

    pub fn close(&self, what: &str, found: &[f32], wanted: &[f32], tolerance: f32) {
        assert_eq!(found.len(), wanted.len(), "{}: {what}", self.name);
        let worst = found
            .iter()
            .zip(wanted)
            .enumerate()
            .map(|(at, (a, b))| (if a.is_nan() { f32::INFINITY } else { (a - b).abs() }, at))
            .fold((0.0, 0), |x, y| if y.0 > x.0 { y } else { x });
        println!("  {what}: largest difference {:.2e} (tolerance {tolerance:.0e})", worst.0);
        assert!(
            worst.0 <= tolerance,
            "{}: {what} differs by {} at {}: {} instead of {}",
            self.name,
            worst.0,
            worst.1,
            found[worst.1],
            wanted[worst.1]
        );
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
