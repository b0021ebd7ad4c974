//! `train --world icons eval`: what docs/results.md says of the generator of things, on GenEval's 553 prompts and our checker.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use indicatif::ProgressBar;
use rayon::prelude::*;
use rng::Rng;
use scenes::icons::{
    Checker, Class, Picture, Sighting, Spec, Task, compositional_prompts, geneval_prompts, sample_question, verdicts,
};
use serde::Serialize;
use serde_json::json;
use showo::config::ShowoConfig;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;

use super::decode::{Asked, Drawing, Painter, pictures};
use super::patches::PatchEncoder;
use super::questions::{self, Speech};
use super::sheet;
use super::world::World;
use crate::checkpoint::Named;
use crate::checkpoint::weights_of;
use crate::generator::{Tied, import};
use crate::rollouts::Decoding;

/// What is measured.
pub struct Measured<'a> {
    /// Whose words and scenes.
    pub world: &'a World,
    /// Codes to pixels, and back.
    pub tokenizer: &'a Magvit,
    /// Pictures to codes.
    pub encoder: &'a PatchEncoder,
    /// The generator's configuration.
    pub config: &'a ShowoConfig,
    /// Its parameters as they ship, in f32.
    pub parameters: Named,
    /// Who judges.
    pub checker: &'a Checker,
    /// Where networks compute.
    pub device: &'a Device,
    /// How it decodes.
    pub decoding: Decoding,
}

/// Pictures, and of these the right ones by each verdict.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Count {
    pictures: usize,
    geneval: usize,
    exact: usize,
}

impl Count {
    fn add(&mut self, (geneval, exact): (bool, bool)) {
        self.pictures += 1;
        self.geneval += usize::from(geneval);
        self.exact += usize::from(exact);
    }

    fn rates(&self) -> (f64, f64) {
        let of = |right: usize| right as f64 / self.pictures.max(1) as f64;
        (of(self.geneval), of(self.exact))
    }
}

/// One picture that was drawn.
struct Drawn {
    spec: Spec,
    drawing: Drawing,
    picture: Picture,
    seen: Sighting,
}

/// So many of GenEval's prompts, at equal distances.
fn evenly(prompts: usize) -> Vec<Spec> {
    let all = geneval_prompts();
    let every = (all.len() / prompts.clamp(1, all.len())).max(1);
    all.into_iter().step_by(every).map(|(_, spec)| spec).collect()
}

/// The first number of this command's drawings: none of training's rollouts has it.
const FIRST: u64 = 1 << 40;

impl Measured<'_> {
    /// Draws `images` pictures of each of `prompts` prompts, evenly over GenEval's, and prints, and writes to `folder`, how many are
    /// right.
    ///
    /// # Errors
    /// The parameters are not a generator's; the device fails; files cannot be written.
    pub fn run(&self, prompts: usize, images: usize, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let asked = evenly(prompts);
        let drawn = self.draw(&asked, images, self.decoding)?;
        let table = table("GenEval's prompts, our checker", &drawn);
        let unseen = compositional_prompts(prompts.min(100), self.decoding.seed).into_iter().map(|(_, spec)| spec);
        let unseen: Vec<Spec> = unseen.collect();
        let split = self.draw(&unseen, images.min(2), self.decoding)?;
        let unseen_table = by_task("unseen colours of things", &split);
        let answers = self.answers(&drawn)?;
        self.sheets(&drawn, images, folder)?;
        let document = json!({
            "prompts": asked.len(), "images": images, "steps": self.decoding.steps, "guidance_scale": self.decoding.guidance_scale,
            "temperature": self.decoding.temperature, "seed": self.decoding.seed,
            "geneval": table, "unseen": unseen_table, "answers": answers,
        });
        let path = folder.join("icons-eval.json");
        std::fs::write(&path, serde_json::to_vec_pretty(&document)?)?;
        println!("written to {}", path.display());
        Ok(())
    }

    /// Prints how many pictures of the same prompts are right with other settings.
    ///
    /// # Errors
    /// The parameters are not a generator's; the device fails.
    pub fn compare(&self, prompts: usize, images: usize, settings: &[Decoding]) -> Result<()> {
        let asked = evenly(prompts);
        for decoding in settings {
            let Decoding { steps, guidance_scale, temperature, .. } = decoding;
            let title = format!("{steps} steps, guidance scale {guidance_scale}, temperature {temperature}");
            table(&title, &self.draw(&asked, images, *decoding)?);
        }
        Ok(())
    }

    fn draw(&self, prompts: &[Spec], images: usize, decoding: Decoding) -> Result<Vec<Drawn>> {
        let network = Showo::new(self.config, weights_of(&self.parameters, self.device)?)?;
        let painter =
            Painter { network: &network, config: self.config, words: &self.world.words, device: self.device, decoding };
        let specs: Vec<&Spec> = prompts.iter().flat_map(|spec| std::iter::repeat_n(spec, images)).collect();
        let asked: Vec<Asked> =
            specs.iter().zip(FIRST..).map(|(spec, number)| Asked { number, prompt: spec.prompt() }).collect();
        let bar = ProgressBar::new(asked.len() as u64);
        let drawings = painter.draw(&asked, |done| bar.inc(done as u64))?;
        bar.finish_and_clear();
        let shown = pictures(self.tokenizer, &drawings, self.device);
        let seen: Vec<Sighting> = shown.par_iter().map(|picture| self.checker.see(picture)).collect();
        let all = specs.into_iter().zip(drawings).zip(shown).zip(seen);
        Ok(all.map(|(((spec, drawing), picture), seen)| Drawn { spec: spec.clone(), drawing, picture, seen }).collect())
    }

    /// How often questions are answered rightly: about rendered scenes, and about its own drawings.
    fn answers(&self, drawn: &[Drawn]) -> Result<serde_json::Value> {
        let bits = (self.config.codebook_size as f64).log2() as usize;
        let named = import(self.config, bits, self.parameters.clone())?;
        let model = Tied::new(self.config, bits, weights_of(&named, self.device)?)?;
        let speech = Speech::new(&self.world.words);
        let rendered: Vec<(Vec<i32>, String, bool)> = (0..1000)
            .map(|number| {
                let (spec, scene) = self.world.example(super::vq::UNSEEN, number);
                let codes = self.encoder.codes(self.world, &scene).into_iter().map(i32::from).collect();
                let question = sample_question(&spec, &mut Rng::keyed(&[super::vq::UNSEEN, 0x61_736b, number]));
                (codes, question.text, question.answer)
            })
            .collect();
        // The truth about a drawing is what the checker sees in it; half of the questions are about a near miss of its prompt.
        let own: Vec<(Vec<i32>, String, bool)> = drawn
            .iter()
            .zip(0..)
            .filter_map(|(one, number)| {
                let mut rng = Rng::keyed(&[self.decoding.seed, 0x6f_776e, number]);
                let spec =
                    if rng.chance(0.5) { scenes::icons::near_miss(&one.spec, &mut rng) } else { one.spec.clone() };
                let codes = one.drawing.states.last()?.clone();
                Some((codes, scenes::icons::prompt_question(&spec), verdicts(&one.seen, &spec).0))
            })
            .take(1000)
            .collect();
        let mut of = serde_json::Map::new();
        for (name, questions) in [("rendered scenes", rendered), ("its own drawings", own)] {
            let mut right = 0;
            for part in questions.chunks(64) {
                let mut asked = questions::Asked::new(self.config, bits, speech);
                for (codes, question, answer) in part {
                    asked.push(codes, &[(self.world.words.encode(question), *answer)]);
                }
                let margins: Vec<f32> = asked.margins(&model, self.device).into_data().iter::<f32>().collect();
                right += margins.iter().zip(part).filter(|(margin, one)| (**margin > 0.0) == one.2).count();
            }
            let yes = questions.iter().filter(|question| question.2).count();
            println!("questions about {name}: {right} of {} right ({yes} to be affirmed)", questions.len());
            of.insert(name.into(), json!({ "right": right, "asked": questions.len(), "yes": yes }));
        }
        Ok(of.into())
    }

    /// All 80 single things, and eight pictures of every task.
    fn sheets(&self, drawn: &[Drawn], images: usize, folder: &Path) -> Result<()> {
        let firsts: Vec<&Drawn> = drawn.iter().step_by(images.max(1)).collect();
        let singles: Vec<Picture> = Class::all()
            .filter_map(|class| {
                let is_it = |one: &&&Drawn| one.spec.task() == Task::SingleObject && one.spec.wanted[0].class == class;
                firsts.iter().find(is_it).map(|one| one.picture.clone())
            })
            .collect();
        sheet::write(&folder.join("icons-singles.png"), &singles, 10, 1)?;
        let of_tasks: Vec<Picture> = Task::ALL
            .into_iter()
            .flat_map(|task| {
                let of_task = firsts.iter().filter(move |one| one.spec.task() == task);
                let every = of_task.clone().count().max(8) / 8;
                of_task.step_by(every).take(8).map(|one| one.picture.clone()).collect::<Vec<_>>()
            })
            .collect();
        sheet::write(&folder.join("icons-tasks.png"), &of_tasks, 8, 2)
    }
}

fn by_task(title: &str, drawn: &[Drawn]) -> Vec<(Task, Count)> {
    let mut counts = Task::ALL.map(|task| (task, Count::default()));
    for one in drawn {
        counts[one.spec.task() as usize].1.add(verdicts(&one.seen, &one.spec));
    }
    println!("{title} (as GenEval judges · exact):");
    for (task, count) in counts.iter().filter(|(_, count)| count.pictures > 0) {
        let (geneval, exact) = count.rates();
        println!("  {:<14} {:>5} pictures  {geneval:.3} · {exact:.3}", task.tag(), count.pictures);
    }
    counts.into_iter().filter(|(_, count)| count.pictures > 0).collect()
}

fn table(title: &str, drawn: &[Drawn]) -> serde_json::Value {
    let rows = by_task(title, drawn);
    let mean = |of: fn((f64, f64)) -> f64| {
        rows.iter().map(|(_, count)| of(count.rates())).sum::<f64>() / rows.len().max(1) as f64
    };
    let (geneval, exact) = (mean(|rates| rates.0), mean(|rates| rates.1));
    println!("  mean over tasks                {geneval:.3} · {exact:.3}");
    json!({ "tasks": rows, "geneval": geneval, "exact": exact })
}
