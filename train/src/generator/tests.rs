use super::*;
use crate::source::Source;
use crate::tokens;
use showo::settings::Tuning;

#[test]
fn maskings_share_a_prompt_that_is_computed_once() {
    let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
    let (magvit, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
    let (network, _) = shipped.generator(Tuning::Base, &Device::flex()).unwrap();
    let bits = magvit.z_channels;
    let named = import(&network, bits, shipped.generator_parameters(Tuning::Base).unwrap()).unwrap();
    let device = Device::flex();
    let model = Tied::new(&network, bits, weights_of(&named, &device).unwrap()).unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/showo.toml")).unwrap();
    let config = toml::from_str(&format!("maskings = 3\n{text}")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let set = tokens::TokenSet::prepare(&tokenizer, 5, 8, &folder.path().join("tokens.json")).unwrap();
    let task = GeneratorTask { config, network, bits, set, tokenizer };

    let batch = task.batch(1, 8);
    // Two of the first picture, three of the second and of the third.
    assert!(
        batch.texts.len() <= 3 && batch.text_of[..2] == [0, 0] && batch.text_of[2..5] == batch.text_of[2..3].repeat(3)
    );
    assert!(batch.images[0] != batch.images[1], "other positions are masked");
    let together: Vec<f32> = batch.hidden(&model, &device).into_data().iter::<f32>().collect();
    let alone = (1..9).flat_map(|number| {
        let hidden = task.batch(number, 1).hidden(&model, &device).into_data();
        hidden.iter::<f32>().collect::<Vec<_>>()
    });
    for (one, other) in together.iter().zip(alone) {
        assert!((one - other).abs() < 1e-4, "{one} in the batch, {other} alone");
    }

    let d = task.network.hidden_size;
    let masked: Vec<f32> = batch.hidden_where_masked(&model, &device).into_data().iter::<f32>().collect();
    assert_eq!(masked.len(), batch.labels.len() * d);
    for (row, &place) in masked.chunks_exact(d).zip(&batch.places) {
        for (one, other) in row.iter().zip(&together[place as usize * d..]) {
            assert!((one - other).abs() < 1e-4, "{one} alone, {other} among all positions");
        }
    }
}
