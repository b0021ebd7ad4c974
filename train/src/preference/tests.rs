use super::*;
use crate::rollouts::Rollout;
use crate::source::Source;
use showo::config::RewardLabel;
use showo::settings::Tuning;

fn shipped() -> Source {
    Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into())
}

/// From the shipped weights, on two made-up rollouts of which one is better.
fn task(change: impl Fn(&mut DpoConfig)) -> DpoTask {
    let (magvit, tokenizer) = shipped().tokenizer(&Device::flex()).unwrap();
    let (network, _) = shipped().generator(Tuning::Base, &Device::flex()).unwrap();
    let bits = magvit.z_channels;
    let begin = generator::import(&network, bits, shipped().generator_parameters(Tuning::Base).unwrap()).unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/dpo.toml")).unwrap();
    let mut config: DpoConfig = toml::from_str(&text).unwrap();
    config.chosen_coefficient = 0.0;
    change(&mut config);
    let picture = |shift: i32| (0..64).map(|at| (at * 7 + shift) % 100).collect::<Vec<i32>>();
    let states = |shift: i32| {
        let mut half = picture(shift);
        half[..32].fill(-1);
        vec![half, picture(shift)]
    };
    let rolled = [1, 2].map(|shift| Rollout { prompt: "a circle".into(), states: states(shift), ..Rollout::default() });
    let pairs = Pairs::new(&rolled, &[0.0, 1.0]).unwrap();
    let reference = reference(&network, bits, &begin, &Device::flex()).unwrap();
    DpoTask { config, network, bits, pairs, begin, reference, surprise: None, parm: None, tokenizer }
}

#[test]
fn guided_logits_are_those_that_draw() {
    let guided_by = |guidance_scale: f32| {
        task(|config| {
            config.compared = Compared::Masked;
            config.guidance_scale = guidance_scale;
        })
    };
    let device = Device::flex();
    let values = |logits: Tensor<3>| logits.into_data().iter::<f32>().collect::<Vec<_>>();
    let logits = |task: &DpoTask| {
        values(task.logits(&task.reference, &task.masked(&preferred_first(&task.draw(0..1))), &device))
    };
    let plain = guided_by(0.0);
    let conditional = logits(&plain);
    let mut unprompted = Masked::new(&plain.network, plain.bits);
    for pair in plain.draw(0..1) {
        for side in [pair.chosen, pair.rejected] {
            unprompted.push(&[], &side.codes, &side.hidden);
        }
    }
    let unconditional = plain.reference.code_logits(unprompted.hidden(&plain.reference, &device));
    let unconditional: Vec<f32> = unconditional.into_data().iter::<f32>().collect();
    for ((guided, with), without) in logits(&guided_by(2.0)).iter().zip(&conditional).zip(&unconditional) {
        assert!((guided - (3.0 * with - 2.0 * without)).abs() < 1e-3, "{guided} {with} {without}");
    }
}

#[test]
fn nothing_is_preferred_at_first() {
    // The second computes the policy as training does and the reference as drawing does: other sums of the same numbers.
    for (device, tolerance) in [(Device::flex(), 1e-6), (Device::flex().autodiff(), 5e-4)] {
        for (guidance_scale, compared) in
            [(0.0, Compared::Masked), (2.0, Compared::Masked), (0.0, Compared::Committed), (2.0, Compared::Committed)]
        {
            let task = task(|config| {
                config.compared = compared;
                config.guidance_scale = guidance_scale;
            });
            let named = weights_of(&task.begin, &device).unwrap();
            let model = Tied::new(&task.network, task.bits, named).unwrap();
            let loss = task.loss(&model, 0..2, &device).total.into_scalar::<f32>();
            assert!((loss - std::f32::consts::LN_2).abs() < tolerance, "{loss} on {device:?}");
        }
    }
}

#[test]
fn one_candidate_is_no_pair() {
    let of = |candidates| {
        let mut config = task(|_| {}).config;
        config.compared = Compared::Step { candidates, temperature: 8.0 };
        config.checked().map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(of(2), Ok(()));
    assert!(of(1).unwrap_err().contains("candidates is 1"), "{:?}", of(1));
}

#[test]
fn the_best_and_the_worst_candidate_of_a_step_share_its_state() {
    let mut task = task(|config| {
        config.compared = Compared::Step { candidates: 6, temperature: 8.0 };
        config.guidance_scale = 2.0;
    });
    task.parm = shipped().reward(RewardLabel::Potential, &Device::flex()).unwrap();
    let parm = task.parm.as_ref().unwrap();
    let mut told_apart = 0;
    for pair in task.draw(0..8) {
        let [chosen, rejected] = [&pair.chosen, &pair.rejected];
        assert_eq!(chosen.hidden, rejected.hidden);
        for side in [chosen, rejected] {
            assert!(!side.compared.is_empty() && side.compared.iter().all(|at| side.hidden.contains(at)));
            let known = |at: &usize| !chosen.hidden.contains(at) || side.compared.contains(at);
            assert!((0..64).all(|at| known(&at) == (side.codes[at] >= 0)));
        }
        let states = [chosen, rejected].map(|side| ("a circle", side.codes.as_slice()));
        let [better, worse] = crate::parm::logits(parm, &states)[..] else { unreachable!() };
        assert!(better >= worse, "{better} {worse}");
        told_apart += usize::from(better > worse);
    }
    assert!(told_apart > 2, "{told_apart}");
}
