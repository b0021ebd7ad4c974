use ::showo::config::MagvitConfig;
use ::showo::model::magvit::Magvit;

use super::{Case, values};

pub fn check(case: &Case) {
    let config: MagvitConfig = case.config();
    let network = Magvit::new(&config, case.weights(), true).expect("network");
    let latent = network.latent(case.tensor::<4>("pixels")).expect("encoder");
    let z = case.floats("encoder_z");
    case.close("latent", &values(latent.clone()), &z, 1e-4);

    let indices: Vec<i64> = network.indices(latent).into_data().iter::<i64>().collect();
    let (bits, tokens) = (config.z_channels, indices.len() / case.shape("pixels")[0]);
    for (at, (found, wanted)) in indices.iter().zip(case.ints("indices")).enumerate() {
        // A bit whose latent is about zero may fall on either side.
        for bit in 0..bits {
            let value = z[(at / tokens * bits + bit) * tokens + at % tokens];
            let of = |index: i64| index >> (bits - 1 - bit) & 1;
            assert!(value.abs() <= 1e-4 || of(*found) == of(wanted), "{}: code {at} bit {bit}", case.name);
        }
    }
    let codes: Vec<i32> = case.ints("decode_codes").into_iter().map(|code| code as i32).collect();
    let grids: Vec<&[i32]> = codes.chunks(tokens).collect();
    let decoded = network.decode(&grids, &case.device);
    case.close("pixels", &values(decoded), &case.floats("decoded"), 1e-4);
}
