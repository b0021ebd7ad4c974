//! MAGVIT-v2: pixels to codes, codes to pixels.

use burn::tensor::Device;

use super::{Case, Findings, ParityError};
use crate::config::MagvitConfig;
use crate::decode::sampling::read_floats;
use crate::model::magvit::{Magvit, codes_of};

/// A bit whose latent is nearer to zero may fall on either side.
const NEAR: f32 = 1e-4;

pub async fn check(case: &Case, device: &Device) -> Result<Findings, ParityError> {
    let config: MagvitConfig = case.config()?;
    let network = Magvit::new(&config, case.weights(device)?, true).map_err(|error| case.unbuildable(error))?;
    let (bits, grid, side) = (config.z_channels, config.grid(), config.resolution);
    let positions = grid * grid;
    let mut findings = Findings::default();

    let [pictures, _, _, _] = case.shape("pixels")?;
    case.floats("pixels", [pictures, 3, side, side])?;
    let latent = network.latent(case.tensor("pixels", device)?);
    let latent = latent.ok_or_else(|| case.refuse("the network was built without its encoder"))?;
    let found = read_floats(latent.clone()).await?;
    let z = case.floats("encoder_z", [pictures, bits, grid, grid])?;
    findings.close("latent", "", &found, z, 1e-4);

    let wanted = case.ids("indices", [pictures, positions])?;
    let mut compare = |what: &str, codes: &[i64]| {
        // Bit by bit, most significant first.
        let of = |code: i64| (0..bits).map(move |bit| code >> (bits - 1 - bit) & 1);
        let found: Vec<i64> = codes.iter().flat_map(|&code| of(code)).collect();
        let wanted: Vec<i64> = wanted.iter().flat_map(|&code| of(code.into())).collect();
        let value = |at: usize| {
            let (code, bit) = (at / bits, at % bits);
            z[(code / positions * bits + bit) * positions + code % positions]
        };
        findings.equal(what, "", &found, &wanted, |at| value(at).abs() <= NEAR);
    };
    let codes: Vec<i64> = codes_of(&found, bits, positions).into_iter().map(i64::from).collect();
    compare("bits of the codes", &codes);
    // The same on the device, with sums that a browser does not carry.
    #[cfg(not(target_arch = "wasm32"))]
    {
        let data = network.indices(latent).into_data_async().await;
        let data = data.map_err(|error| crate::decode::DeviceError(format!("{error:?}")))?;
        compare("bits of the codes (on the device)", &data.iter::<i64>().collect::<Vec<_>>());
    }

    // The grid that is decoded need not be the one that was encoded.
    let [pictures, positions] = case.shape("decode_codes")?;
    let codes: Vec<i32> =
        case.ids("decode_codes", [pictures, positions])?.into_iter().map(|code| code as i32).collect();
    let side = positions.isqrt() * (config.resolution / grid);
    let grids: Vec<&[i32]> = codes.chunks(positions.max(1)).collect();
    let decoded = read_floats(network.decode(&grids, device)).await?;
    findings.close("pixels", "", &decoded, case.floats("decoded", [pictures, 3, side, side])?, 1e-4);
    Ok(findings)
}
