//! A contact sheet: every colour of every shape in both sizes, and 24 random scenes, enlarged four times.
//!
//! `cargo run --release -p scenes --example sheet -- sheet.png` writes the picture and prints the scenes' prompts.

use image::{Rgb, RgbImage, imageops};
use rng::Rng;
use scenes::{
    Colour, GROUND, Object, Picture, SIDE, Scene, Shape, Size, Split, check, render, sample_scene, sample_training_spec,
};

const ENLARGED: u32 = 4;
const GAP: u32 = 8;
const ACROSS: u32 = 8;

fn to_image(picture: &Picture) -> Option<RgbImage> {
    RgbImage::from_raw(SIDE as u32, SIDE as u32, picture.rgb.clone())
}

/// Eight pictures: one a shape, with its eight colours in two columns of small and two of large ones.
fn specimens() -> Vec<Scene> {
    let specimen = |shape| Scene {
        objects: Colour::ALL
            .into_iter()
            .enumerate()
            .flat_map(|(i, colour)| {
                let (col, row) = ((i / 4) as u8, (i % 4) as u8);
                [(Size::Small, 0), (Size::Large, 2)].map(|(size, offset)| Object {
                    shape,
                    colour,
                    size,
                    col: col + offset,
                    row,
                })
            })
            .collect(),
    };
    Shape::ALL.map(specimen).to_vec()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "sheet.png".to_owned());
    let mut pictures: Vec<Picture> = specimens().iter().map(render).collect();
    for number in 0..24 {
        let mut rng = Rng::keyed(&[2025, number]);
        let spec = sample_training_spec(&mut rng);
        let picture = render(&sample_scene(&spec, Split::Train, &mut rng));
        println!("{:>2}  {spec:<46} {}", number + 1, check(&picture, &spec).sentence);
        pictures.push(picture);
    }

    let cell = SIDE as u32 * ENLARGED + GAP;
    let down = (pictures.len() as u32).div_ceil(ACROSS);
    let frame = Rgb(GROUND.map(|value| value / 2));
    let mut sheet = RgbImage::from_pixel(ACROSS * cell + GAP, down * cell + GAP, frame);
    for (i, picture) in pictures.iter().enumerate() {
        let image = to_image(picture).ok_or("a picture is not SIDE×SIDE")?;
        let side = SIDE as u32 * ENLARGED;
        let enlarged = imageops::resize(&image, side, side, imageops::FilterType::Nearest);
        let (x, y) = (i as u32 % ACROSS * cell + GAP, i as u32 / ACROSS * cell + GAP);
        imageops::replace(&mut sheet, &enlarged, i64::from(x), i64::from(y));
    }
    sheet.save(&path)?;
    println!("wrote {path}");
    Ok(())
}
