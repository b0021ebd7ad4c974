use super::*;
use crate::source::Source;
use showo::config::RewardLabel;
use showo::settings::Tuning;

#[test]
fn a_rollout_does_not_depend_on_its_neighbours() {
    let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
    let device = Device::flex();
    let ((config, network), (_, tokenizer)) =
        (shipped.generator(Tuning::Base, &device).unwrap(), shipped.tokenizer(&device).unwrap());
    let decoding = Decoding { steps: 3, ..Decoding::default() };
    let roller = Roller {
        network: &network,
        config: &config,
        tokenizer: &tokenizer,
        device: &device,
        decoding,
        previews: true,
        chooser: None,
    };
    let specs: Vec<Spec> = (0..3).map(|group| prompt_of(group, 1)).collect();
    let lanes: Vec<Lane> = specs.iter().zip(0..).map(|(spec, number)| Lane::new(number, spec)).collect();
    let together = roller.roll(&lanes).unwrap();
    let alone = roller.roll(&lanes[1..2]).unwrap();
    assert_eq!(together[1].states, alone[0].states);
    assert_eq!(together[1].preview_accepted, alone[0].preview_accepted);
    assert_eq!((together[1].states.len(), together[1].preview_accepted.len()), (3, 3));
    let brief = Roller { previews: false, ..roller }.roll(&lanes[1..2]).unwrap();
    assert_eq!((brief[0].accepted, brief[0].preview_accepted.len()), (alone[0].accepted, 0));

    // With a chooser the first step is the candidate that PARM likes best, and one candidate is no choice.
    let parm = shipped.reward(RewardLabel::Potential, &device).unwrap().unwrap();
    let with = |candidates| Roller { chooser: Some(Chooser { parm: &parm, candidates }), ..roller };
    assert_eq!(with(1).roll(&lanes[1..2]).unwrap()[0].states, alone[0].states);
    let chosen = with(4).roll(&lanes).unwrap();
    assert_eq!(with(4).roll(&lanes[1..2]).unwrap()[0].states, chosen[1].states);
    let of = |rollout: &Rollout| {
        let state = rollout.states[0].as_slice();
        parm::logits(&parm, &[(rollout.prompt.as_str(), state)])[0]
    };
    assert!(together.iter().zip(&chosen).all(|(one, best)| of(best) >= of(one)));
    assert!(together.iter().zip(&chosen).any(|(one, best)| of(best) > of(one)));

    // Branches of a decoding are alike until they leave it, and go on as they would alone; one waits for an earlier one.
    let leave = |number, at: usize, after| Lane { number, spec: &specs[at], branch: Some((&together[at], after)) };
    let branches = roller.roll(&[leave(7, 0, 2), leave(8, 0, 1), leave(9, 0, 1)]).unwrap();
    assert_eq!(branches[0].states[..2], together[0].states[..2]);
    assert_eq!(branches[0].sampled[..2], together[0].sampled[..2]);
    assert!(branches.iter().all(|branch| branch.states.len() == 3 && branch.states[0] == together[0].states[0]));
    assert_ne!(branches[1].states[1], branches[2].states[1]);
    assert_eq!(roller.roll(&[leave(7, 0, 2)]).unwrap()[0].states, branches[0].states);
    assert_eq!(roller.roll(&[Lane { number: 0, ..leave(0, 0, 1) }]).unwrap()[0].states, together[0].states);

    // A file of branches: groups of two, each with the prompt of what it leaves.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollouts.jsonl");
    run(&roller, 4, 2, &together, &path).unwrap();
    let of_file: Vec<(u64, String)> = read(&path).unwrap().into_iter().map(|one| (one.group, one.prompt)).collect();
    let wanted = [0, 0, 1, 1].map(|group| (group as u64, together[group].prompt.clone()));
    assert_eq!(of_file, wanted);
    let longer = Rollout { states: vec![Vec::new(); 5], ..together[0].clone() };
    let refused = run(&roller, 6, 2, &[longer], &path).unwrap_err().to_string();
    assert!(refused.contains("rollouts of 5 steps"), "{refused}");
}

#[test]
fn groups_leave_every_rollout_in_turn_at_a_step_of_their_own() {
    let of = |steps| Rollout { states: vec![vec![-1]; steps], ..Rollout::default() };
    let from = [of(4), of(4)];
    let mut after = std::collections::BTreeSet::new();
    for group in 0..40 {
        let (base, steps) = branch_of(group, 1, &from).unwrap();
        assert!(std::ptr::eq(base, &from[(group % 2) as usize]));
        after.insert(steps);
    }
    assert_eq!(after.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(branch_of(0, 1, &[]), None);
    assert_eq!(branch_of(0, 1, &[of(1)]), None, "of one step nothing is left");
}

/// The engine on a graphics card (in the checks, Mesa's on the processor), through the lanes that it takes there.
#[test]
#[cfg(feature = "vulkan")]
fn a_graphics_card_draws_what_the_processor_draws() {
    let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
    let specs: Vec<Spec> = (0..12).map(|group| prompt_of(group, 1)).collect();
    let lanes: Vec<Lane> = specs.iter().zip(0..).map(|(spec, number)| Lane::new(number, spec)).collect();
    let states = |device: &Device| -> Vec<Vec<Vec<i32>>> {
        let (config, network) = shipped.generator(Tuning::Base, device).unwrap();
        let (_, tokenizer) = shipped.tokenizer(device).unwrap();
        let decoding = Decoding { steps: 2, ..Decoding::default() };
        let (network, config, tokenizer) = (&network, &config, &tokenizer);
        let roller = Roller { network, config, tokenizer, device, decoding, previews: true, chooser: None };
        roller.roll_all(&lanes, |_| {}).unwrap().into_iter().map(|rollout| rollout.states).collect()
    };
    let card = crate::device::DeviceName::Vulkan.open().unwrap();
    assert_eq!(states(&card), states(&Device::flex()));
}
