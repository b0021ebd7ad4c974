//! The tokenizer's encoder as plain loops: it sees one token's pixels at a time, so most of a picture, its ground, is known before.
//!
//! Training's batches are made on the processor beside a busy card, several thousand pictures a second; burn's convolutions over
//! whole pictures would not keep up. A test holds the codes to the network's.

use std::collections::HashMap;
use std::sync::RwLock;

use anyhow::{Context, Result, ensure};
use scenes::icons::{Picture, SIDE, Scene};

use super::world::World;
use crate::checkpoint::Named;

/// Pixels along a token's side.
const PATCH: usize = 8;
/// Numbers of a token's pixels.
const INPUTS: usize = 3 * PATCH * PATCH;

/// The encoder, and the codes of grounds that were met.
pub struct PatchEncoder {
    layers: [Layer; 3],
    grounds: RwLock<HashMap<u8, (Picture, Vec<u16>)>>,
}

/// `y = W x + b`, with `W` transposed: `[inputs, out]`.
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn take(named: &Named, name: &str) -> Result<Self> {
        let get = |part: &str| {
            let full = format!("encoder.{name}.{part}");
            named
                .get(&full)
                .with_context(|| format!("the tokenizer lacks `{full}`; only one with a patch encoder can be used"))
        };
        let ((shape, weight), (_, bias)) = (get("weight")?, get("bias")?);
        let out = shape[0];
        ensure!(bias.len() == out, "`encoder.{name}` has {out} rows and {} biases", bias.len());
        let inputs = weight.len() / out;
        let mut turned = vec![0.0; weight.len()];
        for (row, values) in weight.chunks_exact(inputs).enumerate() {
            for (column, value) in values.iter().enumerate() {
                turned[column * out + row] = *value;
            }
        }
        Ok(Self { weight: turned, bias: bias.clone() })
    }

    fn forward(&self, x: &[f32], y: &mut Vec<f32>) {
        y.clear();
        y.extend_from_slice(&self.bias);
        for (row, &x) in self.weight.chunks_exact(self.bias.len()).zip(x) {
            for (y, weight) in y.iter_mut().zip(row) {
                *y += x * weight;
            }
        }
    }
}

fn silu(x: &mut [f32]) {
    for x in x {
        *x /= 1.0 + (-*x).exp();
    }
}

impl PatchEncoder {
    /// From a tokenizer's parameters in f32.
    ///
    /// # Errors
    /// It has another encoder.
    pub fn new(tokenizer: &Named) -> Result<Self> {
        let layers = ["patch_in", "patch_mid", "patch_out"];
        let [first, second, third] = layers.map(|name| Layer::take(tokenizer, name));
        let layers = [first?, second?, third?];
        ensure!(
            layers[0].weight.len() == INPUTS * layers[0].bias.len(),
            "the tokenizer's patches are not of {PATCH} × {PATCH} pixels"
        );
        Ok(Self { layers, grounds: RwLock::default() })
    }

    /// The codes of a scene's picture, row by row.
    #[must_use]
    pub fn codes(&self, world: &World, scene: &Scene) -> Vec<u16> {
        let picture = world.picture(scene);
        if let Ok(known) = self.grounds.read()
            && let Some((bare, codes)) = known.get(&scene.ground)
        {
            return self.where_different(&picture, bare, codes);
        }
        let bare = world.bare(scene);
        let codes = self.of_picture(&bare);
        let mine = self.where_different(&picture, &bare, &codes);
        if let Ok(mut known) = self.grounds.write() {
            known.insert(scene.ground, (bare, codes));
        }
        mine
    }

    /// The codes of any picture.
    #[must_use]
    pub fn of_picture(&self, picture: &Picture) -> Vec<u16> {
        let grid = SIDE / PATCH;
        let mut room = Room::default();
        (0..grid * grid).map(|token| self.code(picture, token % grid, token / grid, &mut room)).collect()
    }

    fn where_different(&self, picture: &Picture, bare: &Picture, codes: &[u16]) -> Vec<u16> {
        let grid = SIDE / PATCH;
        let mut room = Room::default();
        let differs = |column: usize, row: usize| {
            (0..PATCH).any(|y| {
                let start = 3 * ((row * PATCH + y) * SIDE + column * PATCH);
                picture.rgb[start..start + 3 * PATCH] != bare.rgb[start..start + 3 * PATCH]
            })
        };
        let of = |(token, &known): (usize, &u16)| {
            let (column, row) = (token % grid, token / grid);
            if differs(column, row) { self.code(picture, column, row, &mut room) } else { known }
        };
        codes.iter().enumerate().map(of).collect()
    }

    fn code(&self, picture: &Picture, column: usize, row: usize, room: &mut Room) -> u16 {
        let Room { x, y } = room;
        x.clear();
        for channel in 0..3 {
            for line in 0..PATCH {
                let start = 3 * ((row * PATCH + line) * SIDE + column * PATCH);
                let pixels = picture.rgb[start..start + 3 * PATCH].iter().skip(channel).step_by(3);
                x.extend(pixels.map(|&value| f32::from(value) / 127.5 - 1.0));
            }
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                silu(x);
            }
            layer.forward(x, y);
            std::mem::swap(x, y);
        }
        x.iter().fold(0, |code, value| code << 1 | u16::from(*value > 0.0))
    }
}

/// Memory that is used again for every token.
#[derive(Default)]
struct Room {
    x: Vec<f32>,
    y: Vec<f32>,
}
