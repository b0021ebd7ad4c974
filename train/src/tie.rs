//! Codes tied to their bits: while training, a row of a code table is a learned row plus a linear map of the code's
//! bits (MaskBit, arXiv 2409.16211). [`fold`] makes the plain table that ships; [`split`] goes back.

/// ±1 for every bit, most significant first.
pub fn bits_of(code: i32, bits: usize) -> impl Iterator<Item = f32> {
    (0..bits).rev().map(move |bit| if code >> bit & 1 == 1 { 1.0 } else { -1.0 })
}

/// Adds the map `[bits, d]` to the rows of codes `0..2^bits`, `table` `[2^bits, d]`.
pub fn fold(table: &mut [f32], map: &[f32], bits: usize) {
    add(table, map, bits, 1.0);
}

/// The map `[bits, d]` that explains most of `table` `[2^bits, d]` (least squares), taken out of it.
///
/// Over all codes the bits are orthogonal, so that each row of the map is a mean of signed rows.
pub fn split(table: &mut [f32], bits: usize) -> Vec<f32> {
    let codes = 1 << bits;
    let d = table.len() / codes;
    let mut map = vec![0.0; bits * d];
    for (code, row) in table.chunks(d).enumerate() {
        for (bit, sign) in bits_of(code as i32, bits).enumerate() {
            for (map, value) in map[bit * d..][..d].iter_mut().zip(row) {
                *map += sign * value / codes as f32;
            }
        }
    }
    add(table, &map, bits, -1.0);
    map
}

fn add(table: &mut [f32], map: &[f32], bits: usize, factor: f32) {
    let d = map.len() / bits;
    for (code, row) in table.chunks_mut(d).enumerate().take(1 << bits) {
        for (bit, sign) in bits_of(code as i32, bits).enumerate() {
            for (value, map) in row.iter_mut().zip(&map[bit * d..][..d]) {
                *value += factor * sign * map;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_finds_the_map_and_folding_restores_the_table() {
        let (bits, d) = (3, 2);
        let map = [0.5, -1.0, 0.25, 2.0, -0.75, 0.125];
        let mut table = vec![0.0; 8 * d];
        fold(&mut table, &map, bits);
        // 5 = 101: first and third bit set.
        assert_eq!(table[5 * d], 0.5 - 0.25 - 0.75);
        let folded = table.clone();
        let found = split(&mut table, bits);
        for (found, wanted) in found.iter().zip(map) {
            assert!((found - wanted).abs() < 1e-6);
        }
        assert!(table.iter().all(|rest| rest.abs() < 1e-6));
        fold(&mut table, &found, bits);
        for (found, wanted) in table.iter().zip(folded) {
            assert!((found - wanted).abs() < 1e-6);
        }
    }
}
