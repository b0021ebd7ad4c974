//! Contact sheets of the icons world.
//!
//! `cargo run --release -p scenes --example icons_sheet -- scenes sheet.png [full|narrow] [seed]` writes 48 scenes, a
//! row for each of GenEval's tasks, twice enlarged, and prints their prompts and how long a picture takes. Instead of
//! `scenes`, `glyphs` writes every glyph in its own colours, `tints` every glyph in every colour, `grounds` every ground.

use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{Rgb, RgbImage, imageops};
use rng::Rng;
use scenes::icons::{
    Atlas, Class, Colour, Picture, SIDE, Spec, Task, Variety, ground, render, sample_scene, sample_spec,
};

type Failure = Box<dyn std::error::Error>;

const GAP: u32 = 6;

/// What glyphs are shown on.
const PAPER: [u8; 3] = [226, 229, 230];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let path = argument(1).unwrap_or("icons.png");
    let sheet = match argument(0) {
        Some("glyphs") => glyphs(),
        Some("tints") => tints(),
        Some("grounds") => grounds()?,
        None | Some("scenes") => {
            let variety = if argument(2) == Some("narrow") { Variety::narrow() } else { Variety::full() };
            scenes(&variety, argument(3).map_or(Ok(1), str::parse)?)?
        }
        Some(other) => {
            return Err(format!("there is no sheet `{other}`; ask for scenes, glyphs, tints or grounds").into());
        }
    };
    let file = BufWriter::new(File::create(path)?);
    sheet.write_with_encoder(PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive))?;
    println!("wrote {path}");
    Ok(())
}

fn to_image(picture: &Picture) -> Result<RgbImage, Failure> {
    Ok(RgbImage::from_raw(SIDE as u32, SIDE as u32, picture.rgb.clone()).ok_or("a picture is not SIDE×SIDE")?)
}

/// Pictures twice enlarged, eight beside each other.
fn framed(pictures: &[Picture]) -> Result<RgbImage, Failure> {
    const ACROSS: u32 = 8;
    let cell = 2 * SIDE as u32 + GAP;
    let down = (pictures.len() as u32).div_ceil(ACROSS);
    let mut sheet = RgbImage::from_pixel(ACROSS * cell + GAP, down * cell + GAP, Rgb([250; 3]));
    for (i, picture) in (0u32..).zip(pictures) {
        let large =
            imageops::resize(&to_image(picture)?, 2 * SIDE as u32, 2 * SIDE as u32, imageops::FilterType::Nearest);
        imageops::replace(&mut sheet, &large, i64::from(i % ACROSS * cell + GAP), i64::from(i / ACROSS * cell + GAP));
    }
    Ok(sheet)
}

fn scenes(variety: &Variety, seed: u64) -> Result<RgbImage, Failure> {
    let atlas = Atlas::shipped();
    let mut pictures = Vec::new();
    for row in 0..6u64 {
        for column in 0..8u64 {
            let mut rng = Rng::keyed(&[seed, row, column]);
            let spec: Spec = sample_spec(Task::ALL[row as usize], &mut rng);
            let scene = sample_scene(&spec, variety, atlas, &mut rng);
            println!("{:>2}.{}  {}", row + 1, column + 1, spec.prompt());
            pictures.push(render(&scene, atlas));
        }
    }
    speed(variety);
    framed(&pictures)
}

/// Says how long a picture takes once its sprites are there.
fn speed(variety: &Variety) {
    let atlas = Atlas::shipped();
    let draw = |number: u64| {
        let mut rng = Rng::keyed(&[77, number]);
        let spec = sample_spec(Task::ALL[number as usize % 6], &mut rng);
        render(&sample_scene(&spec, variety, atlas, &mut rng), atlas)
    };
    let passes: Vec<f64> = (0..2)
        .map(|_| {
            let start = Instant::now();
            let bytes: usize = (0..1000).map(|number| draw(number).rgb.len()).sum();
            assert_eq!(bytes, 1000 * 3 * SIDE * SIDE);
            start.elapsed().as_secs_f64()
        })
        .collect();
    println!("1,000 pictures: {:.3} ms each the first time, {:.3} ms with their sprites kept", passes[0], passes[1]);
}

fn grounds() -> Result<RgbImage, Failure> {
    let all = (0..scenes::icons::GROUNDS as u8).map(|number| Picture { rgb: ground(number).as_flattened().to_vec() });
    framed(&all.collect::<Vec<_>>())
}

/// Puts a sprite on a sheet.
fn stamp(sheet: &mut RgbImage, glyph: u16, colour: Option<Colour>, size: u8, (left, top): (u32, u32)) {
    let sprite = Atlas::shipped().sprite(glyph, colour, size, false);
    for (i, over) in (0u32..).zip(&sprite.pixels) {
        let pixel = sheet.get_pixel_mut(left + i % sprite.side as u32, top + i / sprite.side as u32);
        for (value, colour) in pixel.0.iter_mut().zip(over) {
            *value = (u16::from(*colour) + u16::from(*value) * u16::from(255 - over[3]) / 255) as u8;
        }
    }
}

fn glyphs() -> RgbImage {
    const SIZE: u8 = 56;
    let atlas = Atlas::shipped();
    let cell = u32::from(SIZE) + GAP;
    let across = Class::all().map(|class| atlas.of_class(class).len()).max().unwrap_or(0) as u32;
    // Three columns of classes.
    let down = 80u32.div_ceil(3);
    let mut sheet = RgbImage::from_pixel(3 * across * cell + GAP, down * cell + GAP, Rgb(PAPER));
    for class in Class::all() {
        let (column, row) = (class.index() as u32 / down, class.index() as u32 % down);
        for (i, &glyph) in (0u32..).zip(atlas.of_class(class)) {
            let left = (column * across + i) * cell + GAP;
            stamp(&mut sheet, glyph, None, SIZE, (left, row * cell + GAP));
        }
    }
    sheet
}

fn tints() -> RgbImage {
    const SIZE: u8 = 40;
    const BESIDE: u32 = 4;
    let count = Atlas::shipped().glyphs().len() as u32;
    let cell = u32::from(SIZE) + 2;
    let (across, down) = (11 * cell + 12, count.div_ceil(BESIDE));
    let mut sheet = RgbImage::from_pixel(BESIDE * across, down * cell, Rgb(PAPER));
    for number in 0..count {
        let (left, top) = (number / down * across, number % down * cell);
        let colours = std::iter::once(None).chain(Colour::ALL.map(Some));
        for (i, colour) in (0u32..).zip(colours) {
            stamp(&mut sheet, number as u16, colour, SIZE, (left + i * cell, top));
        }
    }
    sheet
}
