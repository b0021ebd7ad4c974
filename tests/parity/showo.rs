use ::showo::config::ShowoConfig;
use ::showo::decode::generator::{Prompted, attention_bias, ids_tensor};
use ::showo::decode::noise::gumbel;
use ::showo::decode::remask::remask;
use ::showo::decode::sampling::draw;
use ::showo::decode::schedule::{mask_len, temperature};
use ::showo::model::showo::Showo;
use ::showo::prompt::{attention_allowed, image_segment, text_segment};

use super::{Case, values};

/// The decoding options beside the network's configuration.
#[derive(serde::Deserialize)]
struct Options {
    steps: usize,
    guidance_scale: f32,
    temperature: f32,
    prompt_token_ids: Vec<Vec<u32>>,
}

pub fn check(case: &Case) {
    let config: ShowoConfig = case.config();
    let options: Options = case.config();
    let network = Showo::new(&config, case.weights()).expect("network");
    let masked = image_segment(&config, &vec![-1; config.num_vq_tokens]);
    let sequence = |ids: &[u32]| [text_segment(&config, ids), masked.clone()].concat();
    let conditional: Vec<Vec<u32>> = options.prompt_token_ids.iter().map(|ids| sequence(ids)).collect();
    let unconditional: Vec<Vec<u32>> = conditional.iter().map(|_| sequence(&[])).collect();

    layout(case, &config, &conditional, &unconditional);
    forward(case, &config, &network);
    for row in 0..conditional.len() {
        decode(case, &config, &options, &network, row);
    }
}

fn layout(case: &Case, config: &ShowoConfig, conditional: &[Vec<u32>], unconditional: &[Vec<u32>]) {
    let flat = |rows: &[Vec<u32>]| rows.iter().flatten().map(|&id| i64::from(id)).collect::<Vec<_>>();
    assert_eq!(flat(conditional), case.ints("input_ids"), "{}: conditional layout", case.name);
    assert_eq!(flat(unconditional), case.ints("uncond_input_ids"), "{}: unconditional layout", case.name);
    let allowed: Vec<bool> = conditional
        .iter()
        .chain(unconditional)
        .flat_map(|sequence| attention_allowed(config, sequence))
        .flatten()
        .collect();
    assert_eq!(allowed, case.flags("attention_allowed"), "{}: attention mask", case.name);
}

/// One plain forward over whole sequences.
fn forward(case: &Case, config: &ShowoConfig, network: &Showo) {
    let shape = case.shape("forward.input_ids");
    let sequences: Vec<Vec<u32>> =
        case.ints("forward.input_ids").chunks(shape[1]).map(|row| row.iter().map(|&id| id as u32).collect()).collect();
    let bias = attention_bias(config, &sequences, 0..shape[1], 0..shape[1], &case.device);
    let hidden = network.forward(ids_tensor(&sequences, &case.device), bias);
    let (n, d) = (config.num_vq_tokens, config.hidden_size);
    let last = hidden.clone().narrow(1, shape[1] - 1, 1).reshape([shape[0], d]);
    case.close("last logits", &values(network.logits(last)), &case.floats("forward.last_logits"), 2e-4);
    let rows = shape[0] * n;
    let image = hidden.narrow(1, config.prefix_len() + 1, n).reshape([rows, d]);
    case.close("image logits", &values(network.code_logits(image)), &case.floats("forward.image_logits"), 2e-4);
}

/// The whole decoding of one prompt, with the recorded uniform numbers and the cached prefix.
fn decode(case: &Case, config: &ShowoConfig, options: &Options, network: &Showo, row: usize) {
    let (n, codes, steps) = (config.num_vq_tokens, config.codebook_size, options.steps);
    let ids = &options.prompt_token_ids[row];
    let prompted = Prompted::new(network, config, ids, options.guidance_scale, &case.device);
    let mut tokens = vec![-1; n];
    for step in 0..steps {
        let at = |rest: &str| format!("step{step:02}.{rest}");
        let logits = prompted.logits(network, &tokens);
        if row == 0 {
            let wanted = case.floats(&at("guided_logits_row0"));
            let found = values(logits.clone());
            case.close(&at("guided logits"), &found[..wanted.len()], &wanted, 5e-4);
        }
        // Drawing has no gradient; only the logits before it differ.
        let logits = if case.device.is_autodiff() { logits.inner() } else { logits };
        let u = &case.floats(&at("u_sample"))[row * n * codes..(row + 1) * n * codes];
        let noise: Vec<f32> = u.iter().map(|&u| gumbel(u)).collect();
        let drawn = pollster::block_on(draw(logits, vec![noise], &tokens)).expect("draw").remove(0);
        let wanted: Vec<i32> =
            case.ints(&at("sampled"))[row * n..(row + 1) * n].iter().map(|&code| code as i32).collect();
        assert_eq!(drawn.codes, wanted, "{}: row {row} {}", case.name, at("sampled"));

        let known: Vec<bool> = tokens.iter().map(|&token| token >= 0).collect();
        let unknown = known.iter().filter(|&&known| !known).count();
        let masked = remask(
            &drawn.log_p,
            &known,
            &case.floats(&at("u_mask"))[row * n..(row + 1) * n],
            temperature(options.temperature, step, steps),
            mask_len(n, unknown, step, steps),
        );
        assert_eq!(
            masked,
            case.flags(&at("masked"))[row * n..(row + 1) * n],
            "{}: row {row} {}",
            case.name,
            at("masked")
        );
        if step + 1 == steps {
            let wanted: Vec<i32> =
                case.ints("final_codes")[row * n..(row + 1) * n].iter().map(|&code| code as i32).collect();
            assert_eq!(drawn.codes, wanted, "{}: row {row} final codes", case.name);
        }
        tokens = drawn.codes.iter().zip(&masked).map(|(&code, &masked)| if masked { -1 } else { code }).collect();
    }
}
