use showo::settings::Tuning;

use super::*;
use crate::source::Source;

/// A task on the shipped PARM's own size, with it as the teacher.
fn task(config: RewardTrainConfig, rollouts: Vec<Rollout>) -> RewardTask {
    let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
    let (magvit, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
    let bits = magvit.z_channels;
    assert_eq!(shipped.generator(Tuning::Base, &Device::flex()).unwrap().0.codebook_size, 1 << bits);
    RewardTask {
        network: config.network(bits, RewardLabel::Potential),
        config,
        bits,
        rollouts: Rollouts::new(rollouts),
        held_out: Rollouts::new(Vec::new()),
        synthetic: Vec::new(),
        tokenizer,
        words: Words::new(),
        ground: vec![-1; 64],
        teacher: shipped.reward(RewardLabel::Potential, &Device::flex()).unwrap(),
    }
}

/// Eight codes more are known after every one of five steps.
fn rollout(group: u64, number: i32) -> Rollout {
    let code = |at: i32| (at * 37 + number * 101) % 512;
    let state = |step: i32| (0..64).map(move |at| if at < 8 * (step + 1) { code(at) } else { -1 });
    Rollout {
        prompt: "a red circle and a blue square".into(),
        group,
        states: (0..5).map(|step| state(step).collect()).collect(),
        accepted: number % 2 == 0,
        ..Rollout::default()
    }
}

#[test]
fn the_teacher_labels_states_by_what_comes_of_them() {
    let config: RewardTrainConfig = toml::from_str(include_str!("../../configs/reward-foreseen.toml")).unwrap();
    let config = RewardTrainConfig {
        foreseen: 1.0,
        lookahead: 2,
        pairs: 0.5,
        related: 0.0,
        complete: 0.0,
        finished: 0.0,
        synthetic: 0.0,
        ..config
    };
    let rollouts: Vec<Rollout> = (0..6).map(|number| rollout(number as u64 / 2, number)).collect();
    let task = task(config, rollouts.clone());
    let teacher = task.teacher.as_ref().unwrap();
    let batch = task.batch(0, 32);
    assert_eq!((batch.related, batch.pairs, batch.examples.len()), (0, 8, 32));
    let mut foreseen = 0;
    for (at, example) in batch.examples.iter().enumerate() {
        let known = |state: &[i32]| state.iter().filter(|&&code| code >= 0).count();
        let Some(later) = &example.later else {
            assert!(at >= 16, "a pair is labelled by the teacher");
            assert!(known(&example.state) >= 24 && [0.0, 1.0].contains(&example.label), "{}", example.label);
            continue;
        };
        foreseen += 1;
        assert_eq!(known(later), known(&example.state) + 16, "two steps later");
        assert!(rollouts.iter().any(|one| one.states.contains(&example.state) && one.states.contains(later)));
        let logit = crate::parm::logits(teacher, &[("a red circle and a blue square", later)])[0];
        assert!((example.label - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-4, "{} for {logit}", example.label);
    }
    assert!(foreseen > 16, "{foreseen}");
}

#[test]
fn of_two_chances_the_first_is_better_as_their_logits_say() {
    let example = |label| Example { prompt: Vec::new(), state: Vec::new(), later: None, label, grounding: None };
    let chance = |one: f32, other: f32| first_is_better(&[example(one), example(other)]);
    let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    for (one, other) in [(1.5, -0.5), (-2.0, 0.25), (3.0, 3.0)] {
        assert!((chance(sigmoid(one), sigmoid(other)) - sigmoid(one - other)).abs() < 1e-6);
    }
    assert_eq!([chance(1.0, 0.0), chance(0.0, 1.0), chance(1.0, 1.0), chance(1.0, 0.3)], [1.0, 0.0, 0.5, 1.0]);
}

#[test]
fn a_chance_weighs_both_answers() {
    let margins = Tensor::<1>::from_floats([0.3, -1.2, 2.0], &Device::flex());
    let losses: Vec<f32> = logistic_loss(margins, &[0.7, 0.0, 1.0]).into_data().iter::<f32>().collect();
    let cost = |margin: f64, chance: f64| -> f64 {
        let right = 1.0 / (1.0 + (-margin).exp());
        -chance * right.ln() - (1.0 - chance) * (1.0 - right).ln()
    };
    for (loss, wanted) in losses.into_iter().zip([cost(0.3, 0.7), cost(-1.2, 0.0), cost(2.0, 1.0)]) {
        assert!((f64::from(loss) - wanted).abs() < 1e-6, "{loss}, {wanted} by hand");
    }
}
