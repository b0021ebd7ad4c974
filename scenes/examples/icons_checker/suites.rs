//! Seeded pictures and what the checker says of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rng::Rng;
use scenes::icons::checker::{Checker, Seen, Sighting, Verdict};
use scenes::icons::{
    Atlas, Class, Picture, SIDE, Scene, Spec, Task, Variety, geneval_prompts, near_miss, render, sample_scene,
    sample_spec,
};

use crate::damage::{degrade, moved, partly};

/// How long this thread has computed, whatever else the machine does; by the clock where Linux does not tell.
pub fn busy() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split_whitespace().next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// What is looked at, and how the pictures are made.
pub struct World<'a> {
    pub atlas: &'a Atlas,
    pub variety: Variety,
    pub checker: &'a Checker,
    pub seed: u64,
    /// The number of the first picture.
    pub from: u64,
    /// Prints every picture that is judged wrongly.
    pub tell: bool,
    /// Writes every picture into this folder.
    pub save: Option<PathBuf>,
}

/// Right ones of how many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    pub right: usize,
    pub all: usize,
}

impl Share {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = 100.0 * self.right as f64 / self.all.max(1) as f64;
        write!(f, "{:>5} of {:>5} ({percent:6.2} %)", self.right, self.all)
    }
}

/// What is done to the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    None,
    Degraded,
    Moved,
}

/// Figures of a set of pictures.
#[derive(Debug, Default)]
pub struct Figures {
    pub exact: BTreeMap<Task, Share>,
    pub geneval: Share,
    pub ground: Share,
    /// Near misses that were refused by the exact verdict, and by GenEval's.
    pub refused: Share,
    pub times: Vec<Duration>,
    /// Score, worst part, edges and gain of things that are there.
    pub true_things: [Vec<f32>; 4],
    /// The same of things that are not.
    pub false_things: [Vec<f32>; 4],
    pub left: Vec<f32>,
}

impl World<'_> {
    /// Half of the specs are GenEval's own prompts, half are drawn.
    fn spec(&self, number: u64) -> (Spec, Rng) {
        let mut rng = Rng::keyed(&[self.seed, number]);
        let task = Task::ALL[number as usize % Task::ALL.len()];
        let spec = if (number / 6).is_multiple_of(2) {
            sample_spec(task, &mut rng)
        } else {
            let prompts: Vec<Spec> =
                geneval_prompts().into_iter().filter(|(other, _)| *other == task).map(|(_, spec)| spec).collect();
            prompts[rng.below(prompts.len())].clone()
        };
        (spec, rng)
    }

    /// Writes a picture where that is asked for; one that cannot be written is told and not missed.
    fn keep(&self, picture: &Picture, number: u64) {
        let Some(folder) = &self.save else { return };
        let path = folder.join(format!("{number:05}.png"));
        let image = image::RgbImage::from_raw(SIDE as u32, SIDE as u32, picture.rgb.clone());
        if let Err(error) = image.map_or(Ok(()), |image| image.save(&path)) {
            eprintln!("{}: {error}", path.display());
        }
    }

    fn picture(&self, scene: &Scene) -> Picture {
        render(scene, self.atlas)
    }

    /// Whole pictures, and `misses` near misses of each.
    pub fn pictures(&self, count: u64, damage: Damage, misses: usize) -> Figures {
        let mut figures = Figures::default();
        for number in self.from..self.from + count {
            let (spec, mut rng) = self.spec(number);
            let mut scene = sample_scene(&spec, &self.variety, self.atlas, &mut rng);
            if damage == Damage::Moved {
                scene = moved(&scene, &mut rng);
            }
            let mut picture = self.picture(&scene);
            if damage != Damage::None {
                picture = degrade(&picture, &mut rng);
            }
            self.keep(&picture, number);
            let start = busy();
            let verdict = self.checker.check(&picture, &spec);
            figures.times.push(busy().saturating_sub(start));
            figures.exact.entry(spec.task()).or_default().add(verdict.exact);
            figures.geneval.add(verdict.geneval);
            figures.ground.add(verdict.seen.ground == scene.ground);
            let truth = Sighting::of_scene(&scene, self.atlas);
            for thing in &verdict.seen.things {
                let (x, y) = thing.centre();
                let is_it = |other: &&Seen| {
                    let (other_x, other_y) = other.centre();
                    other.class == thing.class && (x - other_x).abs() < 10.0 && (y - other_y).abs() < 10.0
                };
                let is_there = truth.things.iter().any(|other| is_it(&other));
                let lists = if is_there { &mut figures.true_things } else { &mut figures.false_things };
                for (list, value) in lists.iter_mut().zip([thing.score, thing.worst, thing.edges, thing.gain]) {
                    list.push(value);
                }
            }
            figures.left.push(verdict.seen.left);
            if !verdict.exact && self.tell {
                self.tell_of(number, &spec, &scene, &verdict);
            }
            for _ in 0..misses {
                let miss = near_miss(&spec, &mut rng);
                let judged = self.checker.judge(verdict.seen.clone(), &miss);
                figures.refused.add(!judged.exact);
                if judged.exact && self.tell {
                    println!("accepted: {} for {}", miss.prompt(), spec.prompt());
                }
            }
        }
        figures
    }

    /// Pictures of which a share of one thing is erased, or another class's.
    pub fn broken(&self, count: u64, share: f32, replaced: bool) -> Share {
        let mut refused = Share::default();
        for number in self.from..self.from + count {
            let (spec, mut rng) = self.spec(number ^ 0x4000_0000);
            let scene = sample_scene(&spec, &self.variety, self.atlas, &mut rng);
            let at = rng.below(scene.things.len());
            let mut without = scene.clone();
            without.things.remove(at);
            let whole = self.picture(&scene);
            let without = self.picture(&without);
            let other = if replaced { self.picture(&self.with_other(&scene, at, &mut rng)) } else { without.clone() };
            let picture = partly(&whole, &without, &other, share, &mut rng);
            self.keep(&picture, number);
            let verdict = self.checker.check(&picture, &spec);
            refused.add(!verdict.exact);
            if verdict.exact && self.tell {
                self.tell_of(number, &spec, &scene, &verdict);
            }
        }
        refused
    }

    /// The same scene with a thing of another class in one place.
    fn with_other(&self, scene: &Scene, at: usize, rng: &mut Rng) -> Scene {
        let mut scene = scene.clone();
        let glyphs = self.atlas.glyphs();
        let class: Class = glyphs[usize::from(scene.things[at].glyph)].class;
        let others: Vec<u16> =
            (0..glyphs.len() as u16).filter(|glyph| glyphs[usize::from(*glyph)].class != class).collect();
        if let Some(glyph) = rng.pick(&others) {
            scene.things[at].glyph = glyph;
        }
        scene
    }

    fn tell_of(&self, number: u64, spec: &Spec, scene: &Scene, verdict: &Verdict) {
        let glyphs = self.atlas.glyphs();
        println!("{number}: {}: {}", spec.prompt(), verdict.why.as_deref().unwrap_or("accepted"));
        for thing in &scene.things {
            let glyph = &glyphs[usize::from(thing.glyph)];
            println!(
                "    is   {:16} {}:{} #{} {:?} {} px at {}, {} mirrored {}; ground {}",
                glyph.class.name(),
                glyph.set,
                glyph.id,
                thing.glyph,
                thing.colour,
                thing.size_px,
                thing.x,
                thing.y,
                thing.mirrored,
                scene.ground
            );
        }
        for thing in &verdict.seen.things {
            println!(
                "    seen {:16} #{} {:?} tinted {} {} px at {}, {} mirrored {}: score {:.2} worst {:.2} gain {:.3}; ground {}, left {:.2}",
                thing.class.name(),
                thing.glyph,
                thing.colour,
                thing.tinted,
                thing.size_px,
                thing.x,
                thing.y,
                thing.mirrored,
                thing.score,
                thing.worst,
                thing.gain,
                verdict.seen.ground,
                verdict.seen.left
            );
        }
    }
}
