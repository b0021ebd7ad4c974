use super::*;

fn calls(name: &str) -> Vec<Call> {
    let recipe = open(name).unwrap();
    let call = |step: &Step| recipe.call(step, Path::new("runs"), DeviceName::Cpu).unwrap();
    recipe.step.iter().map(call).collect()
}

#[test]
fn every_committed_recipe_is_of_commands_that_train_understands() {
    let names = names().unwrap();
    assert!(names.len() >= 3, "{names:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in names {
        for call in calls(&name) {
            if call.program == Program::Quantize {
                assert_eq!(call.arguments[0], "convert", "{name}: {call}");
                continue;
            }
            let said = std::iter::once("train").chain(call.arguments.iter().map(String::as_str));
            let cli = Cli::try_parse_from(said).unwrap_or_else(|error| panic!("{name}: {call}\n{error}"));
            assert!(!matches!(cli.command, Command::Recipe(_)), "{name}: {call}");
            for pair in call.arguments.windows(2).filter(|pair| pair[0] == "--config") {
                assert!(root.join(&pair[1]).is_file(), "{name}: {call}");
            }
        }
    }
}

/// What a step reads under the runs' folder, an earlier one has written.
#[test]
fn no_step_reads_what_no_step_before_it_made() {
    for name in names().unwrap() {
        let mut made: Vec<String> = Vec::new();
        for call in calls(&name) {
            let after = |flag: &str| {
                let at = call.arguments.iter().position(|argument| argument == flag);
                at.map(|at| call.arguments[at + 1].clone())
            };
            let (runs, out) = (after("--runs").unwrap_or_default(), after("--out"));
            let own = |argument: &String| Some(argument) == out.as_ref() || *argument == runs;
            let path = |argument: &String| argument.split('=').next_back().unwrap_or_default().to_owned();
            let axes = call.arguments.iter().any(|argument| argument == "axes");
            let mut files: Vec<String> = call
                .arguments
                .iter()
                .filter(|one| !own(one))
                .map(path)
                .filter(|one| one.starts_with("runs/"))
                .collect();
            if axes {
                made.extend(files.pop());
            }
            for file in files {
                assert!(made.iter().any(|folder| file.starts_with(folder.as_str())), "{name}: {file} of\n{call}");
            }
            match (call.program, out) {
                (Program::Quantize, out) => made.extend(out),
                (Program::Train, Some(out)) => made.push(format!("{runs}/{out}/")),
                (Program::Train, None) => made.push(folder_of(&call, &runs)),
            }
        }
    }
}

/// Where a command without `--out` writes.
fn folder_of(call: &Call, runs: &str) -> String {
    let said = std::iter::once("train").chain(call.arguments.iter().map(String::as_str));
    let cli = Cli::try_parse_from(said).unwrap();
    let world = if cli.world == crate::cli::WorldName::Icons { "icons-" } else { "" };
    match cli.command {
        Command::Vq(_) => format!("{runs}/{world}vq/"),
        Command::Preview(_) => format!("{runs}/{world}preview/"),
        Command::Showo(_) => format!("{runs}/{world}showo/"),
        Command::Clip(_) => format!("{runs}/{world}clip/"),
        Command::Dpo { .. } => format!("{runs}/dpo/"),
        Command::Rollouts { .. } => format!("{runs}/{world}rollouts.jsonl"),
        Command::Axes { .. } | Command::Decodes { .. } | Command::Eval { .. } => format!("{runs}/eval"),
        _ => panic!("{call} should say --out"),
    }
}

const SMALL: &str = r#"
title = "Two steps."
machine = "here"
words = { twice = "--rollouts {runs}/a.jsonl --rollouts {runs}/b.jsonl" }
[[step]]
run = "train --runs {runs}/in reward {twice} --init {runs}/x/model.safetensors"
budget = { time = "a minute" }
why = "Because."
[[step]]
run = ["quantize", "convert", "--licence", "MIT OR Apache-2.0"]
budget = { time = "1 s", examples = "one bundle", machine = "there" }
why = "To see."
"#;

#[test]
fn words_are_spelt_out_and_folders_handed_on() {
    let recipe = Recipe::read(SMALL).unwrap();
    let call = |step: usize| recipe.call(&recipe.step[step], Path::new("my runs"), DeviceName::Vulkan).unwrap();
    assert_eq!(
        call(0).to_string(),
        "train --device vulkan --runs 'my runs/in' reward --rollouts 'my runs/a.jsonl' --rollouts 'my runs/b.jsonl' --init 'my runs/x/model.safetensors'"
    );
    assert_eq!(call(1).to_string(), "quantize convert --licence 'MIT OR Apache-2.0'");
    let goes_on = how_to_go_on("small", 1, 2, &call(0));
    assert!(goes_on.contains("b.jsonl' --resume\n") && goes_on.contains("small --from 2`"), "{goes_on}");
    assert!(how_to_go_on("small", 2, 2, &call(1)).ends_with("`train recipe small --from 2`"));
}

#[test]
fn what_is_no_recipe_is_refused_in_words() {
    let refused = |from: &str, to: &str| {
        let recipe = Recipe::read(&SMALL.replace(from, to))?;
        recipe.call(&recipe.step[0], Path::new("runs"), DeviceName::Cpu).map(drop)
    };
    let says = |from: &str, to: &str| format!("{:#}", refused(from, to).unwrap_err());
    assert!(says("why = \"Because.\"", "because = \"\"").contains("because"));
    assert!(says("{twice} ", "{thrice} ").contains("{thrice}"));
    assert!(says("\"train --runs", "\"rm --runs").contains("rm"));
    assert!(format!("{:#}", open("soup").map(drop).unwrap_err()).contains("scenes"));
}
