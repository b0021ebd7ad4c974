//! `quantize preview`: a small decoder for a bundle, fitted to what its image tokenizer shows. No gradients: the hidden layer is
//! drawn, the last one is ridge regression.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the command: pictures in, a bundle with a preview decoder out |
//! | `pictures.rs`, `leaves.rs` | the pictures of a folder; made ones |
//! | `examples.rs` | their codes, and what the image tokenizer shows for these, made small |
//! | `units.rs` | the hidden layer |
//! | `ridge.rs` | the last layer: normal equations |
//! | `fitted.rs` | the decoder in the making, and as it is stored |
//! | `replace.rs` | a manifest without the preview decoder that was there |
//! | `figures.rs` | how near it comes, what it costs |

mod examples;
mod figures;
mod fitted;
mod leaves;
mod pictures;
mod replace;
mod ridge;
mod units;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use burn::tensor::Device;
use rng::Rng;
use showo::{
    bundle::{Bundle, BundleWriter, FolderReader, Manifest, ModelKind, WriteError, block_on, manifest::Source},
    config::{MagvitConfig, PreviewConfig, ShowoConfig},
    load::WeightSink,
    model::{Weights, preview::Preview},
    settings::Recommended,
};

use self::{
    examples::{Example, Tokenizer},
    figures::{Near, guided_step},
    fitted::{Fitted, Fitting},
    pictures::Pictures,
};
use crate::{
    error::ToolError,
    interrupt,
    progress::{bytes_bar, count_bar, human, say},
};

/// Side of the square of tokens that a token's pixels are made of.
const WINDOW: usize = 3;

/// Side of a preview in pixels, where the picture is at least twice as large.
const SIDE_PX: usize = 128;

/// Of so many pictures one chooses λ, and one is only looked at.
const HELD_BACK: usize = 8;

/// What λ is chosen among.
const LAMBDAS: [f64; 5] = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1];

/// Part of the pictures that are learnt from in which tokens are masked, any part of them.
const MASKED: f32 = 0.1;

/// Tells the masks' stream from others of the same seed.
const MASK_STREAM: u64 = 0x006d_6173_6b73;

/// Everything that `preview` is told.
pub struct Request {
    /// The bundle that is built on.
    pub bundle: PathBuf,
    /// A folder of pictures; made ones where not given.
    pub pictures: Option<PathBuf>,
    /// Pictures, at most.
    pub examples: usize,
    /// Side of a preview in pixels.
    pub side: Option<usize>,
    /// Hidden units.
    pub width: usize,
    /// What made pictures, units and masks are drawn from.
    pub seed: u64,
    /// The new bundle's folder, which must not exist.
    pub out: PathBuf,
}

/// Fits, writes the new bundle, and prints how near previews come. The bundle that is built on stays as it is.
///
/// # Errors
/// A bundle without a sound image tokenizer; sizes that do not fit it; pictures that cannot be read; values that are not finite.
pub fn run(request: &Request) -> Result<(), ToolError> {
    let started = Instant::now();
    interrupt::listen()?;
    // Minutes later it would be refused all the same.
    if request.out.symlink_metadata().is_ok() {
        return Err(WriteError::Exists(request.out.clone()).into());
    }
    let folder = &request.bundle;
    let bundle = block_on(Bundle::open(FolderReader::new(folder))).map_err(ToolError::bundle(folder))?;
    let tokenizer = Tokenizer::load(folder, &bundle)?;
    let config = shape(request, &tokenizer.config)?;
    let pictures = match &request.pictures {
        Some(pictures) => Pictures::of_folder(pictures, request.examples)?,
        None => Pictures::Made { count: request.examples, seed: request.seed },
    };
    let seen = learn(&tokenizer, &config, &pictures, request.seed)?;
    let not_finite = || ToolError::Checkpoint {
        path: folder.clone(),
        problem: "magvit: what its decoder shows is not finite; convert it again from a sound checkpoint".into(),
    };
    let choices = LAMBDAS.iter().filter_map(|&lambda| Some((lambda, seen.fitting.solve(lambda)?)));
    let tried =
        choices.map(|(lambda, fitted)| Ok((near(&fitted.network()?, &seen.choosing, None)?.db(), lambda, fitted)));
    let tried = tried.collect::<Result<Vec<_>, ToolError>>()?;
    let (_, lambda, fitted) = tried.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).ok_or_else(not_finite)?;
    interrupt::check()?;

    say!(
        "fitted to {} tokens of {} pictures; λ {lambda}, chosen on {} others; {} more only looked at:",
        seen.fitting.rows(),
        pictures.count() - seen.choosing.len() - seen.unseen.len(),
        seen.choosing.len(),
        seen.unseen.len()
    )?;
    report(request, &bundle, &config, &fitted, &seen)?;
    let manifest = write(request, &bundle, &fitted)?;
    say!(
        "{}: all that {} holds, and a preview decoder of {}, {:.1} s",
        request.out.display(),
        folder.display(),
        human(manifest.bytes_of(ModelKind::Preview)),
        started.elapsed().as_secs_f64()
    )
}

/// The configuration of a decoder for this image tokenizer.
fn shape(request: &Request, tokenizer: &MagvitConfig) -> Result<PreviewConfig, ToolError> {
    let (grid, whole) = (tokenizer.grid(), tokenizer.resolution);
    let side = request.side.unwrap_or_else(|| SIDE_PX.min(whole / 2).max(grid));
    if !side.is_multiple_of(grid) || !whole.is_multiple_of(side) {
        let problem = format!(
            "a preview's side must be a multiple of the grid's, {grid}, and a part of the picture's, {whole}: {}",
            (0..)
                .map(|power| grid << power)
                .take_while(|side| side <= &whole)
                .map(|s| s.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        return Err(ToolError::Option { option: format!("--side {side}"), problem });
    }
    let config = PreviewConfig {
        bits: tokenizer.z_channels,
        grid,
        width: request.width,
        num_res_blocks: 0,
        window: Some(WINDOW),
        patch: side / grid,
        group_norm_groups: tokenizer.group_norm_groups,
        group_norm_eps: tokenizer.group_norm_eps,
    };
    let refused = |problem| ToolError::Option { option: format!("--side {side} --width {}", request.width), problem };
    config.validate().map_err(refused)?;
    Ok(config)
}

/// What was made of the pictures.
struct Seen {
    fitting: Fitting,
    /// Not learnt from, to choose λ by.
    choosing: Vec<Example>,
    /// Neither learnt from nor chosen by.
    unseen: Vec<Example>,
}

fn learn(tokenizer: &Tokenizer, config: &PreviewConfig, pictures: &Pictures, seed: u64) -> Result<Seen, ToolError> {
    let mut seen = Seen { fitting: Fitting::new(config, seed)?, choosing: Vec::new(), unseen: Vec::new() };
    let bar = count_bar(pictures.count() as u64, "pictures");
    let numbers: Vec<usize> = (0..pictures.count()).collect();
    let started = Instant::now();
    for numbers in numbers.chunks(tokenizer.at_once()) {
        interrupt::check()?;
        // After the first few, which is soon enough to change one's mind; a log has no bar.
        if numbers[0] > 0 && numbers[0] <= tokenizer.at_once() {
            let seconds = started.elapsed().as_secs_f64() * (pictures.count() as f64 / numbers[0] as f64 - 1.0);
            let text = format!("{} pictures take about {:.0} minutes more", pictures.count(), seconds / 60.0);
            if seconds > 60.0 {
                bar.suspend(|| say!("{text}; --examples takes fewer"))?;
            }
        }
        let read = numbers.iter().map(|&number| pictures.read(number, tokenizer.config.resolution));
        let examples = tokenizer.look(&read.collect::<Result<Vec<_>, _>>()?, config.side_px());
        for (&number, example) in numbers.iter().zip(examples) {
            match number % HELD_BACK {
                0 => seen.unseen.push(example),
                4 => seen.choosing.push(example),
                _ => {
                    let mut rng = Rng::keyed(&[seed, MASK_STREAM, number as u64]);
                    let part = if rng.chance(MASKED) { rng.unit() } else { 0.0 };
                    seen.fitting.add(&masked(&example.codes, part, &mut rng), &example.pixels);
                }
            }
        }
        bar.inc(numbers.len() as u64);
    }
    bar.finish_and_clear();
    Ok(seen)
}

/// Codes of which this part is masked.
fn masked(codes: &[i32], part: f32, rng: &mut Rng) -> Vec<i32> {
    codes.iter().map(|&code| if rng.chance(part) { -1 } else { code }).collect()
}

/// How near a decoder's pictures come to the examples', with this part of the tokens masked.
fn near(preview: &Preview, examples: &[Example], part: Option<f32>) -> Result<Near, ToolError> {
    let mut near = Near::default();
    for (number, example) in examples.iter().enumerate() {
        interrupt::check()?;
        let mut rng = Rng::keyed(&[MASK_STREAM, number as u64]);
        let codes = masked(&example.codes, part.unwrap_or(0.0), &mut rng);
        let shown = preview.decode(&[&codes], &Device::flex()).into_data();
        near.add(shown.iter::<f32>(), &example.pixels);
    }
    Ok(near)
}

fn report(
    request: &Request,
    bundle: &Bundle<FolderReader>,
    config: &PreviewConfig,
    fitted: &Fitted,
    seen: &Seen,
) -> Result<(), ToolError> {
    let (network, unseen, side) = (fitted.network()?, &seen.unseen, config.side_px());
    let (mut plain, colour) = (Near::default(), seen.fitting.colour());
    unseen.iter().for_each(|one| plain.add((0..3 * side * side).map(|at| colour[at / (side * side)]), &one.pixels));
    say!("  previews of {side} × {side} pixels, against what the image tokenizer shows, made as small:")?;
    let row = |db: f64, what: &str| say!("  {db:>6.2} dB  {what}");
    row(near(&network, unseen, None)?.db(), "the whole draw")?;
    row(near(&network, unseen, Some(0.5))?.db(), "half of its tokens masked")?;
    row(plain.db(), "one colour everywhere")?;
    if let Some(own) = own_decoder(&request.bundle, bundle, config)? {
        row(near(&own, unseen, None)?.db(), "the preview decoder that the bundle had, which is replaced")?;
    }
    if !bundle.has(ModelKind::SHOWO) {
        return Ok(());
    }
    let showo: ShowoConfig = bundle.config(ModelKind::SHOWO).map_err(ToolError::bundle(&request.bundle))?;
    let Recommended { candidates, .. } = bundle.manifest().decoding.unwrap_or(Recommended::DEFAULT);
    let (one, step) = (config.flops() as f64, guided_step(&showo) as f64);
    say!(
        "  a preview takes {:.3} GFLOP; {candidates} candidates' are {:.2} % of a guided step's {:.1} GFLOP",
        one / 1e9,
        100.0 * one * candidates as f64 / step,
        step / 1e9
    )
}

/// The preview decoder of the bundle, where it has one for pictures of the same size.
fn own_decoder(
    folder: &Path,
    bundle: &Bundle<FolderReader>,
    config: &PreviewConfig,
) -> Result<Option<Preview>, ToolError> {
    if !bundle.has(ModelKind::Preview) {
        return Ok(None);
    }
    let own: PreviewConfig = bundle.config(ModelKind::Preview).map_err(ToolError::bundle(folder))?;
    if own.side_px() != config.side_px() {
        return Ok(None);
    }
    let mut sink = WeightSink::new(Weights::new(&Device::flex()));
    block_on(bundle.load(ModelKind::Preview, &mut sink, &mut |_| {})).map_err(ToolError::bundle(folder))?;
    let network = Preview::new(&own, sink.weights);
    network
        .map(Some)
        .map_err(|error| ToolError::Checkpoint { path: folder.into(), problem: format!("preview: {error}") })
}

fn write(request: &Request, bundle: &Bundle<FolderReader>, fitted: &Fitted) -> Result<Manifest, ToolError> {
    let manifest = replace::without(bundle.manifest().clone(), ModelKind::Preview);
    // The weights follow from the image tokenizer's, and from nothing else that has a hash.
    let source = manifest.models.get(&ModelKind::Magvit).map(|magvit| Source {
        checkpoint: format!("fitted to {}", magvit.source.checkpoint),
        sha256: magvit.source.sha256.clone(),
    });
    let source = source.ok_or_else(|| ToolError::Mismatch("there is no magvit".into()))?;
    let bar = bytes_bar(manifest.bytes());
    bar.set_message("copying");
    let mut writer = BundleWriter::onto(&request.out, &request.bundle, manifest, &mut |bytes| bar.inc(bytes))?;
    interrupt::check()?;
    fitted.write(&mut writer, source)?;
    let manifest = writer.finish_as_begun()?;
    bar.finish_and_clear();
    Ok(manifest)
}
