//! Drawing codes on the device: Gumbel-argmax, so that only ids and their probabilities come back.

use burn::tensor::{DType, Tensor, TensorData};

use super::DeviceError;
use crate::ops::{Noise, sample};

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
/// `logits` `[N, codes]`; `noise` is that of k candidates; `tokens` has a negative entry where the position is masked. `log_p` of a
/// known position is that of its known code.
///
/// # Errors
/// The device failed.
pub async fn draw(logits: Tensor<2>, noise: Noise, tokens: &[i32]) -> Result<Vec<Draw>, DeviceError> {
    let positions = tokens.len();
    if positions == 0 {
        return Ok(Vec::new());
    }
    let tokens = Tensor::from_data(TensorData::new(tokens.to_vec(), [positions]), (&logits.device(), DType::I32));
    // All candidates come back in one read: in a browser each read is a round trip to the GPU process.
    let drawn = read_floats(sample(logits, noise, tokens)).await?;
    let (codes, log_p) = drawn.split_at(drawn.len() / 2);
    let rows = codes.chunks(positions).zip(log_p.chunks(positions));
    Ok(rows
        .map(|(codes, log_p)| Draw { codes: codes.iter().map(|&code| code as i32).collect(), log_p: log_p.to_vec() })
        .collect())
}

/// Reads a float tensor back. Whoever no longer wants it may drop the future.
///
/// # Errors
/// The device failed.
pub async fn read_floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    let data = to_its_end(tensor.into_data_async()).await.map_err(|error| DeviceError(format!("{error:?}")))?;
    Ok(data.convert::<f32>().iter::<f32>().collect())
}

/// In a browser a read-back goes on also where nobody waits for it any more: cut off, it would leave a buffer mapped that burn uses again.
#[cfg(target_arch = "wasm32")]
async fn to_its_end<T: 'static>(read: impl Future<Output = T> + 'static) -> T {
    use std::cell::RefCell;
    use std::rc::Rc;

    use crate::signal::Signal;

    let (arrived, result) = (Signal::default(), Rc::new(RefCell::new(None)));
    let (announce, keep) = (arrived.clone(), result.clone());
    wasm_bindgen_futures::spawn_local(async move {
        *keep.borrow_mut() = Some(read.await);
        announce.raise();
    });
    loop {
        arrived.unless_raised(std::future::pending::<()>()).await;
        if let Some(data) = result.borrow_mut().take() {
            return data;
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn to_its_end<T>(read: impl Future<Output = T>) -> T {
    read.await
}
