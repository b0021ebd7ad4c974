//! Drawing codes on the device: Gumbel-argmax, so that only ids and their probabilities come back.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use super::DeviceError;

/// One candidate's draw at every position.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// The drawn code at each position.
    pub codes: Vec<i32>,
    /// Its log-probability under the guided distribution.
    pub log_p: Vec<f32>,
}

/// Draws one code a position for each of `k` candidates from the same logits, then keeps the known ones.
///
/// `logits` `[N, codes]`; `noise` holds `k` blocks of Gumbel noise `[N, codes]`; `tokens` has a negative entry where
/// the position is masked. `log_p` of a known position is that of its known code.
///
/// # Errors
/// The device failed.
pub async fn draw(logits: Tensor<2>, noise: Vec<Vec<f32>>, tokens: &[i32]) -> Result<Vec<Draw>, DeviceError> {
    let [positions, codes] = logits.dims();
    let device = logits.device();
    let log_p = log_softmax(logits, 1);
    let known =
        Tensor::<1, Int>::from_data(TensorData::new(tokens.to_vec(), [positions]), &device).reshape([positions, 1]);
    let is_known = known.clone().greater_equal_scalar(0);
    let candidates = noise.len();
    if candidates == 0 {
        return Ok(Vec::new());
    }
    let mut sampled_all = Vec::with_capacity(candidates);
    let mut chosen_all = Vec::with_capacity(candidates);
    for block in noise {
        let noise = Tensor::<2>::from_data(TensorData::new(block, [positions, codes]), &device);
        let sampled = (log_p.clone() + noise).argmax(1);
        let sampled = sampled.mask_where(is_known.clone(), known.clone());
        chosen_all.push(log_p.clone().gather(1, sampled.clone()));
        sampled_all.push(sampled);
    }
    // All candidates come back in two reads: in a browser each read is a round trip to the GPU process.
    let codes = read_ints(Tensor::cat(sampled_all, 0)).await?;
    let log_p = read_floats(Tensor::cat(chosen_all, 0)).await?;
    let rows = codes.chunks(positions.max(1)).zip(log_p.chunks(positions.max(1)));
    Ok(rows.map(|(codes, log_p)| Draw { codes: codes.to_vec(), log_p: log_p.to_vec() }).collect())
}

/// Reads a float tensor back.
///
/// # Errors
/// The device failed.
pub async fn read_floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    let data = tensor.into_data_async().await.map_err(|error| DeviceError(format!("{error:?}")))?;
    Ok(data.convert::<f32>().iter::<f32>().collect())
}

/// Reads an integer tensor back.
///
/// # Errors
/// The device failed.
pub async fn read_ints<const D: usize>(tensor: Tensor<D, Int>) -> Result<Vec<i32>, DeviceError> {
    let data = tensor.into_data_async().await.map_err(|error| DeviceError(format!("{error:?}")))?;
    Ok(data.iter::<i32>().collect())
}
