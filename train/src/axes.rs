//! Rows and columns in a reward network's position embedding.
//!
//! Drawn at random, the embeddings of 64 positions say nothing of which of them lie beside each other, and how two things lie to
//! each other is what a network learns last (docs/notebook.md, "Relations"). With a direction along which the embedding grows
//! from row to row, and one from column to column, what attention brings from another token can be compared with one's own by
//! a difference.

use anyhow::{Context, Result, ensure};
use rng::Rng;

use crate::checkpoint::Named;
use crate::grounding::CLASSES;
use crate::shuffle::GRID;

/// What [`add`] is asked for where nothing else is said.
pub const STRENGTH: f32 = 0.3;

/// As [`add_rows_and_columns`]; and answers that an older training did not ask for.
///
/// # Errors
/// These are not the parameters of a reward network in training.
pub fn add(named: &mut Named, strength: f32, seed: u64) -> Result<()> {
    add_rows_and_columns(named, strength, seed)?;
    let d = named["base.position"].0[1];
    let (shape, values) = named.get_mut("ground").context("the parameters lack `ground`")?;
    let known = shape[1];
    ensure!(known <= CLASSES, "`ground` has {known} answers, where training asks for {CLASSES}");
    let wider = |row: &[f32]| row.iter().copied().chain(std::iter::repeat_n(0.0, CLASSES - known)).collect::<Vec<_>>();
    *values = values.chunks_exact(known).flat_map(wider).collect();
    *shape = vec![d, CLASSES];
    Ok(())
}

/// Adds a direction for rows and one for columns to the embeddings of 8 × 8 image positions, with components that have the standard
/// deviation `strength` at the edges and are 0 in the middle.
///
/// # Errors
/// These are not the parameters of a reward network in training.
pub fn add_rows_and_columns(named: &mut Named, strength: f32, seed: u64) -> Result<()> {
    add_to_grid(named, GRID, strength, seed)
}

/// As [`add_rows_and_columns`], of `side` × `side` image positions.
///
/// # Errors
/// As there.
pub fn add_to_grid(named: &mut Named, side: usize, strength: f32, seed: u64) -> Result<()> {
    if side < 2 {
        // One position lies beside no other.
        return Ok(());
    }
    let (shape, values) = named.get_mut("base.position").context("the parameters lack `base.position`")?;
    let d = shape[1];
    let text = values.len().checked_sub(side * side * d).context("`base.position` has too few rows")?;
    let mut rng = Rng::keyed(&[seed, 0x6178_6573]);
    let [down, across]: [Vec<f32>; 2] = std::array::from_fn(|_| (0..d).map(|_| rng.normal()).collect());
    let middle = (side - 1) as f32 / 2.0;
    let along = |at: usize| strength * (at as f32 - middle) / middle;
    for (place, row) in values[text..].chunks_exact_mut(d).enumerate() {
        let (y, x) = (along(place / side), along(place % side));
        for ((value, down), across) in row.iter_mut().zip(&down).zip(&across) {
            *value += y * down + x * across;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_along_an_axis_adds_the_same_and_text_stays() {
        let (d, text) = (64, 12);
        let before: Vec<f32> = (0..(text + GRID * GRID) * d).map(|at| (at % 7) as f32).collect();
        let mut named: Named = [
            ("base.position".to_owned(), (vec![text + GRID * GRID, d], before.clone())),
            ("ground".to_owned(), (vec![d, 2], vec![1.0; 2 * d])),
        ]
        .into();
        add(&mut named, 0.5, 3).unwrap();
        let (_, after) = &named["base.position"];
        assert_eq!(after[..text * d], before[..text * d]);
        let added = |row: usize, column: usize| -> Vec<f32> {
            let from = (text + row * GRID + column) * d;
            after[from..from + d].iter().zip(&before[from..]).map(|(after, before)| after - before).collect()
        };
        let step = |a: Vec<f32>, b: Vec<f32>| -> Vec<f32> { a.iter().zip(&b).map(|(a, b)| b - a).collect() };
        let (down, across) = (step(added(0, 0), added(1, 0)), step(added(0, 0), added(0, 1)));
        for (row, column) in [(3, 5), (6, 2)] {
            for (expected, found) in [
                (&down, step(added(row, column), added(row + 1, column))),
                (&across, step(added(row, column), added(row, column + 1))),
            ] {
                assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-4));
            }
        }
        let spread = |of: Vec<f32>| (of.iter().map(|x| x * x).sum::<f32>() / d as f32).sqrt();
        let edge = spread(added(0, 0));
        assert!((edge - 0.5 * 2f32.sqrt()).abs() < 0.15, "two axes at a corner: {edge}");
        let (shape, values) = &named["ground"];
        assert_eq!((shape.as_slice(), &values[..3]), ([d, CLASSES].as_slice(), [1.0, 1.0, 0.0].as_slice()));
        assert!(add(&mut Named::new(), 0.5, 3).is_err());
    }
}
