use super::*;
use crate::{clip, generator, preference, results, reward, vq};

#[test]
fn two_files_of_rollouts_have_no_group_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let one = rollouts::Rollout { group: 3, ..rollouts::Rollout::default() };
    let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    for file in &files {
        std::fs::write(file, serde_json::to_string(&one).unwrap()).unwrap();
    }
    let read = LearntFrom { rollouts: files.to_vec() }.read(folder.path()).unwrap();
    assert_eq!(read.len(), 2);
    assert!(read[0].group != read[1].group);
    assert!(LearntFrom { rollouts: Vec::new() }.read(folder.path()).is_err(), "there is no rollouts.jsonl");
}

#[test]
fn every_committed_configuration_is_one_and_an_unknown_key_is_named() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/configs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        // What stands behind a dash is one of several runs of a command.
        match name.split('-').next().unwrap() {
            "icons" => match name.split('-').nth(1).unwrap() {
                "vq" => drop(configuration::<crate::icons::vq::VqConfig>(None, name).unwrap()),
                "preview" => {
                    let config: crate::icons::preview::PreviewTrainConfig = configuration(None, name).unwrap();
                    let vq: crate::icons::vq::VqConfig = configuration(None, "icons-vq").unwrap();
                    config.fits(&vq.model).unwrap();
                    config.model.validate().unwrap();
                }
                "showo" => drop(configuration::<crate::icons::generator::GeneratorConfig>(None, name).unwrap()),
                "clip" => drop(configuration::<crate::icons::clip::ClipTrainConfig>(None, name).unwrap()),
                "reward" => drop(configuration::<crate::icons::reward::RewardTrainConfig>(None, name).unwrap()),
                "rollouts" => drop(configuration::<RolloutsConfig>(None, name).unwrap()),
                "eval" => drop(configuration::<EvalConfig>(None, name).unwrap()),
                other => panic!("no command is called {other}"),
            },
            "own" => drop(configuration::<crate::own_parm::OwnRewardConfig>(None, name).unwrap()),
            "vq" => drop(configuration::<vq::VqConfig>(None, name).unwrap()),
            "showo" => drop(configuration::<generator::GeneratorConfig>(None, name).unwrap()),
            "clip" => drop(configuration::<clip::ClipTrainConfig>(None, name).unwrap()),
            "reward" => drop(configuration::<reward::RewardTrainConfig>(None, name).unwrap()),
            "dpo" => drop(configuration::<preference::DpoConfig>(None, name).unwrap()),
            "rollouts" => drop(configuration::<RolloutsConfig>(None, name).unwrap()),
            "eval" => drop(configuration::<EvalConfig>(None, name).unwrap()),
            "results" => drop(configuration::<results::ResultsConfig>(None, name).unwrap()),
            other => panic!("no command is called {other}"),
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/showo.toml")).unwrap();
    std::fs::write(&path, text.replace("warmup_steps", "warm_up_steps")).unwrap();
    let error = configuration::<generator::GeneratorConfig>(Some(&path), "showo").unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("mine.toml") && error.contains("warm_up_steps"), "{error}");
}

#[test]
fn single_values_of_a_configuration_can_be_replaced() {
    let read = |set: &[&str]| {
        let set = set.iter().map(|&one| one.to_owned()).collect();
        let args = TrainArgs { config: None, start: fit::Start::default(), set, out: None };
        args.read::<reward::RewardTrainConfig>("reward").map_err(|error| format!("{error:#}"))
    };
    let (plain, other) = (read(&[]).unwrap(), read(&["fit.steps=7", "shuffled=0.0", "fit.seed = 31"]).unwrap());
    assert_eq!((other.fit.steps, other.fit.seed, other.shuffled), (7, 31, 0.0));
    assert_eq!((other.fit.batch, other.pairs), (plain.fit.batch, plain.pairs));
    assert!(plain.shuffled > 0.0);
    let error = read(&["fit.stepz=7"]).unwrap_err();
    assert!(error.contains("reward.toml") && error.contains("fit.stepz"), "{error}");
    let error = read(&["fit.steps"]).unwrap_err();
    assert!(error.contains("KEY=VALUE"), "{error}");
}
