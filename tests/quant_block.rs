//! The block format: error bounds, corner values, refusals.

use half::f16;
use proptest::prelude::*;
use showo::bundle::block::{BLOCK, QuantError, blocks, check, dequantize, quantize, relative_rms_error, worst_block};

/// Weights of any finite magnitude that f16 scales can hold, subnormal ones included.
fn weights() -> impl Strategy<Value = (usize, usize, Vec<f32>)> {
    (1usize..6, 1usize..100, -45i32..22).prop_flat_map(|(out, inputs, exponent)| {
        let value = prop_oneof![8 => -1f32..1f32, 1 => Just(0f32)].prop_map(move |v| v * 2f32.powi(exponent));
        prop::collection::vec(value, out * inputs).prop_map(move |values| (out, inputs, values))
    })
}

proptest! {
    #[test]
    fn error_is_at_most_half_a_scale((out, inputs, values) in weights()) {
        let weight = quantize(&values, out, inputs).unwrap();
        prop_assert!(check(&weight.q, &weight.scale, out, inputs).is_ok());
        let back = dequantize(&weight);
        for (i, (v, b)) in values.iter().zip(&back).enumerate() {
            let scale = weight.scale[i / inputs * blocks(inputs) + i % inputs / BLOCK].to_f32();
            // One f32 rounding of the quotient and one of the product on top.
            prop_assert!((v - b).abs() <= scale * 0.5 + v.abs() * 1e-6, "{v} came back as {b}, scale {scale}");
        }
    }

    #[test]
    fn quantizing_twice_changes_nothing((out, inputs, values) in weights()) {
        let once = dequantize(&quantize(&values, out, inputs).unwrap());
        let twice = quantize(&once, out, inputs).unwrap();
        prop_assert!(relative_rms_error(&once, &twice).unwrap() < 4e-3);
    }

    #[test]
    fn a_value_that_is_not_finite_is_named(
        (out, inputs, mut values) in weights(),
        at in any::<prop::sample::Index>(),
        bad in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        let at = at.index(values.len());
        values[at] = bad;
        match quantize(&values, out, inputs) {
            Err(QuantError::NotFinite { row, column, .. }) => prop_assert_eq!((row, column), (at / inputs, at % inputs)),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn zeros_stay_zeros() {
    let weight = quantize(&[0.0; 100], 2, 50).unwrap();
    assert!(weight.scale.iter().all(|s| *s == f16::ZERO));
    assert!(weight.q.iter().all(|q| *q == 0));
    assert_eq!(relative_rms_error(&[0.0; 100], &weight).unwrap(), 0.0);
}

#[test]
fn the_largest_magnitude_uses_the_whole_range() {
    for absmax in [1.0f32, 0.37, 6.1e-5, 1e-7, 8e6] {
        let weight = quantize(&[absmax, -absmax, absmax / 2.0], 1, 3).unwrap();
        assert_eq!(weight.q[0], -weight.q[1]);
        assert!(weight.q[0] > 0);
        if absmax > 0.01 {
            assert!(weight.q[0] >= 126, "{absmax}: {}", weight.q[0]);
        }
    }
}

#[test]
fn a_scale_beyond_f16_is_an_error() {
    let mut values = vec![1.0f32; 2 * 70];
    values[70 + 40] = 9e6;
    let error = quantize(&values, 2, 70).unwrap_err();
    assert_eq!(error, QuantError::ScaleOverflow { row: 1, block: 1, absmax: 9e6 });
    assert!(error.to_string().contains("row 1, block 1"), "{error}");
    assert!(quantize(&[f32::MAX], 1, 1).is_err());
}

#[test]
fn the_worst_block_is_found() {
    let mut values = vec![0.5f32; 2 * 96];
    // One large value makes every other of its block coarse.
    values[96 + 64] = 100.0;
    values[96 + 65..96 + 96].fill(0.3);
    let weight = quantize(&values, 2, 96).unwrap();
    let worst = worst_block(&values, &weight).unwrap();
    assert_eq!((worst.row, worst.block), (1, 2));
}

#[test]
fn shapes_and_lengths_are_checked() {
    assert!(matches!(quantize(&[1.0; 5], 2, 3), Err(QuantError::Length { what: "values", expected: 6, got: 5, .. })));
    assert!(matches!(quantize(&[], 0, 3), Err(QuantError::Shape { .. })));
    assert!(matches!(quantize(&[], 3, 0), Err(QuantError::Shape { .. })));
    assert!(matches!(quantize(&[], usize::MAX, 2), Err(QuantError::Shape { .. })));
    assert!(matches!(quantize(&[], 1, usize::MAX), Err(QuantError::Shape { .. })));
    let one = f16::ONE;
    assert!(matches!(check(&[1; 33], &[one], 1, 33), Err(QuantError::Length { what: "scale", expected: 2, .. })));
    assert!(matches!(check(&[1, -128], &[one; 2], 2, 1), Err(QuantError::BadValue { row: 1, column: 0 })));
    for bad in [f16::NAN, f16::INFINITY, -one] {
        assert!(matches!(check(&[1; 2], &[one, bad], 2, 1), Err(QuantError::BadScale { row: 1, block: 0, .. })));
    }
}
