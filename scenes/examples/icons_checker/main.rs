//! The checker's figures on seeded pictures, and what it sees in pictures of others.
//!
//! ```text
//! cargo run --release -p scenes --example icons_checker -- [all|scenes|degraded|moved|misses|broken|speed]
//!     [--from N] [--count N] [--seed N] [--tell] [--save DIR]
//! cargo run --release -p scenes --example icons_checker -- --pictures DIR [--borderline SHEET.png]
//! ```
//!
//! `--save` writes the pictures that are looked at. `--pictures` prints for each PNG of 128 × 128 pixels what is seen,
//! with scores; `--borderline` writes the crops whose scores are nearest to the thresholds, each beside what it was
//! taken for, the least sure first.

mod damage;
mod sheet;
mod suites;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scenes::icons::checker::{Checker, Options};
use scenes::icons::{Atlas, Picture, SIDE, Variety};
use suites::{Damage, Figures, Share, World, busy};

struct Arguments {
    suite: String,
    from: u64,
    count: Option<u64>,
    seed: u64,
    tell: bool,
    save: Option<PathBuf>,
    pictures: Option<PathBuf>,
    borderline: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut found = Arguments {
        suite: "all".to_owned(),
        from: 0,
        count: None,
        seed: 2026,
        tell: false,
        save: None,
        pictures: None,
        borderline: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--count" => found.count = Some(value()?.parse()?),
            "--from" => found.from = value()?.parse()?,
            "--seed" => found.seed = value()?.parse()?,
            "--tell" => found.tell = true,
            "--save" => found.save = Some(value()?.into()),
            "--pictures" => found.pictures = Some(value()?.into()),
            "--borderline" => found.borderline = Some(value()?.into()),
            suite if !suite.starts_with('-') => found.suite = suite.to_owned(),
            other => return Err(format!("there is no option {other}").into()),
        }
    }
    Ok(found)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let atlas = Atlas::shipped();
    let start = busy();
    let checker = Checker::new(atlas, &Options::default());
    println!(
        "checker made in {:.2} s, templates {:.1} MB",
        (busy() - start).as_secs_f64(),
        checker.bytes() as f64 / 1e6
    );
    if let Some(folder) = &arguments.pictures {
        return look_at(folder, &checker, atlas, arguments.borderline.as_deref());
    }
    let world = World {
        atlas,
        variety: Variety::full(),
        checker: &checker,
        from: arguments.from,
        seed: arguments.seed,
        tell: arguments.tell,
        save: arguments.save,
    };
    let suite = |name: &str| arguments.suite == name || arguments.suite == "all";
    let count = |usual: u64| arguments.count.unwrap_or(usual);
    if suite("scenes") || suite("misses") {
        figures("rendered", &world.pictures(count(2000), Damage::None, 3));
    }
    if suite("degraded") {
        figures("degraded: chroma over 8 x 8, blur 0.7, noise 3 %", &world.pictures(count(1000), Damage::Degraded, 1));
    }
    if suite("moved") {
        figures("degraded, moved by 1 px and scaled by 5 %", &world.pictures(count(1000), Damage::Moved, 1));
    }
    if suite("broken") {
        let count = count(300);
        println!("refused, half of a thing erased        {}", world.broken(count, 0.5, false));
        println!("refused, half of a thing another class {}", world.broken(count, 0.5, true));
        println!("refused, a quarter of a thing erased   {}", world.broken(count, 0.25, false));
        println!("refused, a quarter another class       {}", world.broken(count, 0.25, true));
    }
    if arguments.suite == "speed" {
        figures("speed", &world.pictures(count(100), Damage::None, 0));
    }
    Ok(())
}

/// The `share`-quantile.
fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied()
}

/// How values are spread, in one line.
fn spread(name: &str, values: &[f32]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    print!("    {name:12}");
    for share in [0.0, 0.002, 0.005, 0.01, 0.05, 0.5, 0.95, 0.99, 0.998, 1.0] {
        print!("  {}%: {:.2}", share * 100.0, quantile(&sorted, share).unwrap_or(f32::NAN));
    }
    println!();
}

fn figures(name: &str, figures: &Figures) {
    println!("{name}");
    for (task, share) in &figures.exact {
        println!("    exact, {:14} {share}", task.tag());
    }
    let exact = figures
        .exact
        .values()
        .fold(Share::default(), |sum, share| Share { right: sum.right + share.right, all: sum.all + share.all });
    println!("    exact, all            {exact}");
    println!("    as GenEval judges     {}", figures.geneval);
    println!("    ground right          {}", figures.ground);
    if figures.refused.all > 0 {
        println!("    near misses refused   {}", figures.refused);
    }
    for (whose, lists) in [("true", &figures.true_things), ("false", &figures.false_things)] {
        println!("    {whose} things: {}", lists[0].len());
        for (name, values) in ["score", "worst part", "edges", "gain"].into_iter().zip(lists) {
            spread(name, values);
        }
    }
    spread("energy left", &figures.left);
    let mut times = figures.times.clone();
    times.sort();
    let mean = times.iter().sum::<Duration>().as_secs_f64() * 1e3 / times.len().max(1) as f64;
    let at = |share| quantile(&times, share).unwrap_or_default().as_secs_f64() * 1e3;
    println!(
        "    ms of one core a picture: mean {mean:.1}, median {:.1}, 95 % {:.1}, most {:.1}",
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

/// Prints what is seen in each picture of a folder.
fn look_at(folder: &Path, checker: &Checker, atlas: &Atlas, borderline: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    paths.sort();
    let mut crops = Vec::new();
    for path in &paths {
        let image = image::open(path).map_err(|error| format!("{}: {error}", path.display()))?.to_rgb8();
        if (image.width(), image.height()) != (SIDE as u32, SIDE as u32) {
            return Err(format!(
                "{}: {} x {} pixels; pictures have {SIDE} x {SIDE}",
                path.display(),
                image.width(),
                image.height()
            )
            .into());
        }
        let picture = Picture { rgb: image.into_raw() };
        let seen = checker.see(&picture);
        println!("{}: {}", path.display(), checker.describe(&seen));
        for thing in &seen.things {
            println!(
                "    {:16} glyph {:3} {:8} {:2} px at {:3}, {:3}: score {:.2}, worst part {:.2}, edges {:.2}, gain {:.2}{}",
                thing.class.name(),
                thing.glyph,
                thing.colour.map_or("", |colour| colour.name()),
                thing.size_px,
                thing.x,
                thing.y,
                thing.score,
                thing.worst,
                thing.edges,
                thing.gain,
                if thing.is_sure() { "" } else { "  (not sure)" }
            );
        }
        println!("    energy left {:.2}{}", seen.left, if seen.has_more() { "  (too much)" } else { "" });
        crops.extend(seen.things.iter().filter(|thing| thing.is_something()).map(|thing| (picture.clone(), *thing)));
    }
    borderline.map_or(Ok(()), |path| sheet::write(path, crops, atlas))
}
