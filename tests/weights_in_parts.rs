//! Weights that come in parts, of which only some rows are kept, or that no device can hold.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use showo::bundle::block::{Quantized, quantize};
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::check::probe::Probe;
use showo::config::ShowoConfig;
use showo::decode::sampling::read_floats;
use showo::load::{Models, Place};
use showo::model::ModelError;
use showo::model::Weights;
use showo::model::showo::{Showo, keep_answers, keep_drawing_rows};
use showo::model::weights::Init;
use showo::ops::Q8Tensor;

const SHAPE: [usize; 2] = [23, 70];

fn weight() -> Quantized {
    let values: Vec<f32> = (0..SHAPE[0] * SHAPE[1]).map(|i| (i as f32 * 0.37).sin()).collect();
    quantize(&values, SHAPE[0], SHAPE[1]).unwrap()
}

fn values(tensor: &Q8Tensor) -> Vec<f32> {
    block_on(read_floats(tensor.dequantize())).unwrap()
}

#[test]
fn rows_in_any_portions_make_the_same_tensor() {
    let device = Device::flex();
    let weight = weight();
    let wanted = values(&Q8Tensor::from_quantized(&weight, &device).unwrap());
    // A row takes 96 bytes here: a device that gives 700 holds 7 of them in a buffer.
    for (portion, largest) in [(1, u64::MAX), (4, 700), (23, 96), (5, 97)] {
        let mut weights = Weights::new(&device).with_largest_buffer(largest);
        for scale in weight.scale.chunks(portion * 3) {
            weights.scale_rows("w", &SHAPE, scale).unwrap();
        }
        for q in weight.q.chunks(portion * SHAPE[1]) {
            weights.q8_rows("w", &SHAPE, q).unwrap();
        }
        assert!(!weights.holds("w"), "not before it is said to be whole");
        weights.whole("w").unwrap();
        assert_eq!(weights.bytes(), 23 * (96 + 8));
        let tensor = weights.take_q8("w", &SHAPE).unwrap().unwrap();
        assert_eq!(values(&tensor), wanted, "portions of {portion} rows");
        let part = tensor.slice_rows(5..18);
        assert_eq!(values(&part), wanted[5 * 70..18 * 70]);
        weights.finish(&[]).unwrap();
    }
}

#[test]
fn only_the_rows_that_are_wanted_are_kept() {
    let device = Device::flex();
    let weight = weight();
    let wanted = values(&Q8Tensor::from_quantized(&weight, &device).unwrap());
    for portion in [2, 23] {
        let mut weights = Weights::new(&device);
        weights.keep_rows("w", 6..17, 23);
        weights.keep_rows("b", 6..17, 23);
        for q in weight.q.chunks(portion * SHAPE[1]) {
            weights.q8_rows("w", &SHAPE, q).unwrap();
        }
        for scale in weight.scale.chunks(portion * 3) {
            weights.scale_rows("w", &SHAPE, scale).unwrap();
        }
        weights.whole("w").unwrap();
        let bias: Vec<f32> = (0..23).map(|i| i as f32).collect();
        for part in bias.chunks(portion) {
            weights.float_part("b", &[23], part.to_vec()).unwrap();
        }
        weights.whole("b").unwrap();
        assert_eq!(weights.shape("w"), Some([11, 70].as_slice()));
        assert_eq!(weights.bytes(), 11 * (96 + 8) + 11 * 4);
        let tensor = weights.take_q8("w", &[11, 70]).unwrap().unwrap();
        assert_eq!(values(&tensor), wanted[6 * 70..17 * 70]);
        let bias = weights.take("b", [11], Init::Zeros).unwrap().val();
        assert_eq!(block_on(read_floats(bias)).unwrap(), (6..17).map(|i| i as f32).collect::<Vec<_>>());
    }
    for portion in [2, 23] {
        // Copies are of any rows, whatever is kept; a part may end within them.
        let mut weights = Weights::new(&device);
        weights.keep_rows("w", 6..17, 23);
        weights.copy_rows("w", vec![20, 3, 7, 3], "some of w");
        weights.copy_rows("f", vec![1, 2], "some of f");
        for q in weight.q.chunks(portion * SHAPE[1]) {
            weights.q8_rows("w", &SHAPE, q).unwrap();
        }
        for scale in weight.scale.chunks(portion * 3) {
            weights.scale_rows("w", &SHAPE, scale).unwrap();
        }
        weights.whole("w").unwrap();
        for part in (0..12).map(|i| i as f32).collect::<Vec<_>>().chunks(portion) {
            weights.float_part("f", &[4, 3], part.to_vec()).unwrap();
        }
        weights.whole("f").unwrap();
        assert_eq!(weights.copied_rows("w"), [3, 7, 20]);
        let copied = block_on(read_floats(weights.take("some of w", [3, 70], Init::Zeros).unwrap().val())).unwrap();
        assert_eq!(copied, [3, 7, 20].map(|row| &wanted[row * 70..(row + 1) * 70]).concat());
        let copied = block_on(read_floats(weights.take("some of f", [2, 3], Init::Zeros).unwrap().val())).unwrap();
        assert_eq!(copied, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }
    let mut weights = Weights::new(&device);
    weights.keep_rows("w", 6..17, 24);
    let error = weights.insert_q8("w", &SHAPE, &weight.q, &weight.scale).unwrap_err();
    assert!(
        matches!(&error, ModelError::Shape { found, wanted, .. } if *found == SHAPE && *wanted == [24, 70]),
        "{error}"
    );
}

#[test]
fn what_does_not_come_whole_is_refused_and_what_is_forgotten_can_come_again() {
    let device = Device::flex();
    let weight = weight();
    let mut weights = Weights::new(&device);
    weights.q8_rows("w", &SHAPE, &weight.q[..70 * 22]).unwrap();
    weights.scale_rows("w", &SHAPE, &weight.scale).unwrap();
    assert!(weights.whole("w").is_err(), "a row is missing");
    weights.q8_rows("w", &SHAPE, &weight.q).unwrap();
    weights.forget("w");
    weights.insert_q8("w", &SHAPE, &weight.q, &weight.scale).unwrap();
    weights.float_part("f", &[4], vec![1.0; 3]).unwrap();
    assert!(matches!(weights.whole("f"), Err(ModelError::Parts { name, .. }) if name == "f"));
    weights.float_part("f", &[4], vec![1.0; 3]).unwrap();
    let error = weights.q8_rows("f", &[4, 1], &[1]).unwrap_err();
    assert!(error.to_string().contains("`f`"), "{error}");
    assert!(weights.whole("never").is_err());
}

#[test]
fn a_tensor_that_the_device_cannot_hold_is_named_with_what_is_lacking() {
    let mut weights = Weights::new(&Device::flex()).with_largest_buffer(1000);
    weights.insert_float("fits", &[250], vec![0.0; 250]).unwrap();
    let error = weights.insert_float("table", &[251], vec![0.0; 251]).unwrap_err();
    assert!(matches!(&error, ModelError::TooLarge { name, needed: 1004, most: 1000 } if name == "table"));
    let words = error.to_string();
    assert!(words.contains("`table`") && words.contains("1004 bytes") && words.contains("1000 at most"), "{words}");
    // int8 is split by rows, and a row that is too long is the end of that.
    let scale = vec![f16::ONE; 2 * 32];
    assert!(weights.insert_q8("rows", &[2, 992], &[1; 2 * 992], &scale[..62]).is_ok());
    let error = weights.insert_q8("wide", &[2, 1024], &[1; 2 * 1024], &scale).unwrap_err();
    assert!(error.to_string().contains("1024 bytes, but this device holds at most 1000"), "{error}");
}

/// The network of the reference's fixture, and its weights.
fn fixture() -> (ShowoConfig, Vec<u8>) {
    let folder = Path::new("tests/fixtures/reference");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("showo_tiny.json")).unwrap()).unwrap();
    let config = serde_json::from_value(json).unwrap();
    (config, std::fs::read(folder.join("showo_tiny.weights.safetensors")).unwrap())
}

#[test]
fn a_head_of_the_codebooks_rows_and_the_answers_draws_and_judges_as_a_whole_one_does() {
    let device = Device::flex();
    let (config, file) = fixture();
    for q8 in [false, true] {
        let network = |cut: bool| {
            let mut weights = Weights::new(&device);
            if cut {
                keep_drawing_rows(&config, &mut weights);
                keep_answers(&mut weights, &[7, 2, 5]);
            }
            for (name, view) in safetensors::SafeTensors::deserialize(&file).unwrap().tensors() {
                let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
                match view.shape() {
                    &[out, inputs] if q8 => {
                        let weight = quantize(&values, out, inputs).unwrap();
                        weights.insert_q8(&name, view.shape(), &weight.q, &weight.scale).unwrap();
                    }
                    shape => weights.insert_float(&name, shape, values).unwrap(),
                }
            }
            Showo::new(&config, weights).unwrap()
        };
        let hidden = Tensor::<2>::from_data(
            TensorData::new((0..3 * config.hidden_size).map(|i| (i as f32).cos()).collect(), [3, config.hidden_size]),
            &device,
        );
        let read = |network: &Showo| block_on(read_floats(network.code_logits(hidden.clone()))).unwrap();
        let (whole, cut) = (network(false), network(true));
        assert_eq!(read(&cut), read(&whole));
        // Asked for in any order, and not all of them.
        let said = |network: &Showo| block_on(read_floats(network.logits_of(hidden.clone(), &[5, 7]))).unwrap();
        let off = said(&cut).iter().zip(said(&whole)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(said(&cut).len() == 6 && off < 1e-6, "off by {off}");
        assert!(cut.can_say(&[2, 5, 7]) && !cut.can_say(&[3]) && !cut.can_answer() && whole.can_say(&[3]));
        let all =
            block_on(read_floats(whole.logits(hidden.clone()).narrow(1, config.first_code(), config.codebook_size)));
        let off = all.unwrap().iter().zip(read(&cut)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "off by {off}");
    }
}

#[test]
fn the_shipped_bundle_in_parts_computes_the_same_logits() {
    let logits = |held: u64, largest_buffer: u64| {
        block_on(async {
            let bundle = Bundle::open(FolderReader::new("www/models/scenes")).await.unwrap().holding_at_most(held);
            let place = Place { largest_buffer, ..Place::cpu("CPU") };
            let models = Models::load(&bundle, &place, &mut |_| {}).await.unwrap();
            let bytes = models.device_bytes();
            let probe = Probe::new(&models, "a red circle").unwrap();
            (read_floats(probe.logits()).await.unwrap(), bytes)
        })
    };
    let whole = logits(u64::MAX, u64::MAX);
    assert!(whole.0.iter().all(|logit| logit.is_finite()));
    assert_eq!(logits(0, u64::MAX), whole);
    // In several buffers the sums are the same ones, too.
    assert_eq!(logits(0, 100_000), whole);
}
