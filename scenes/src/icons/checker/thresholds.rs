//! Every number that decides what is taken for a thing, in one place.
//!
//! They were set on rendered pictures and their degradations (`cargo run --release -p scenes --example icons_checker`),
//! and those of what is sure by looking at crops of 111 drawings of the shipped generator and of 160 scenes after the
//! shipped tokenizer (`--pictures` and `--borderline` of the same example; docs/icons-borderline.png, 2026-11-27).

/// Energies are sums of squared differences over 8 × 8 pixel cells, luma in 0 to 1 and chroma weighted by this. A
/// little more than luma, because chroma is compared only as the mean of a cell.
pub(super) const CHROMA_WEIGHT: f32 = 1.6;

/// The most that a cell may say against a ground: it is a thing's then.
pub(super) const GROUND_DIFFERS: f32 = 0.02;

/// The least energy of a window that is worth a look: a white cup on a light ground has about 0.2, noise of 3 % in a
/// window of 80 pixels 0.005.
pub(super) const LEAST_WINDOW: f32 = 0.05;

/// The least gain of a thing, that is what explaining it takes away of the picture's energy, times the cube of the
/// share explained. Less is noise.
pub(super) const LEAST_GAIN: f32 = 0.01;

/// A thing with less gain is none, however well it fits: the faintest things of the world, white on light grounds, have
/// 0.1 when degraded.
pub(super) const FAINTEST: f32 = 0.08;

/// A thing with less than this gain that is not surely one (below) is taken for a shadow or a stain and not mentioned.
pub(super) const LEAST_DOUBT: f32 = 0.12;

/// The least share of a thing's energy that its template explains. Rendered things have 0.97 and more, degraded and
/// moved ones 0.81 in 998 of 1,000, decoded ones 0.78 in 995 of 1,000; of drawings, those between 0.75 and 0.8 whose edges
/// fit were what they were taken for.
pub(super) const SURE_FIT: f32 = 0.75;

/// The least share in the worst part of a thing (a window of half its side): rendered 0.86, degraded and moved 0.66 in
/// 998 of 1,000. It refuses things of which a part is erased or another thing's, which are well explained elsewhere.
pub(super) const SURE_WORST: f32 = 0.5;

/// The least share of a thing's edges. Energy alone takes a patch of the right colour at the right place for the thing: of
/// 96 drawings above it by energy, nearly all below 0.3 were patches, and nearly all above it were things. Rendered things
/// have 0.8 and more, degraded and moved ones 0.58, decoded ones 0.37 in 99 of 100.
pub(super) const SURE_EDGES: f32 = 0.3;

/// Steps in luma between neighbours (half resolution) below this are noise.
pub(super) const LEAST_STEP: f32 = 0.04;

/// Only parts that hold so much of a thing's energy are asked for the worst: in faint ones noise and shadow decide.
pub(super) const PART_SHARE: f32 = 0.12;

/// The most energy that may remain unexplained in any window of [`LEFT_CELLS`] cells' side in an exact picture:
/// rendered 0.03, degraded and moved 0.36 in 998 of 1,000.
pub(super) const MOST_LEFT: f32 = 0.6;

/// The side of that window in cells.
pub(super) const LEFT_CELLS: usize = 4;

/// Share of a window's largest neighbour (two cells around) that it must reach to be looked at: others are the same
/// thing seen off its place.
pub(super) const PEAK: f32 = 0.6;

/// How many directions the quick comparison has: with 64 four faint white things in 2,000 pictures were missed, with 96
/// none.
pub(super) const RANK: usize = 96;

/// How many templates of a window are compared cell by cell after the quick comparison.
pub(super) const COMPARED: usize = 64;

/// How many templates of a window are remembered.
pub(super) const KEPT: usize = 16;

/// For how many places the best explanation is looked for before the better one is believed.
pub(super) const GROUPS: usize = 2;

/// How many proposals near the best one are looked at closely.
pub(super) const LOOKED_AT: usize = 40;

/// How many of these are moved or scaled by one step.
pub(super) const STEPPED: usize = 20;

/// How many of these are moved and scaled until they fit best.
pub(super) const REFINED: usize = 8;

/// No picture holds more; a picture full of stains ends here.
pub(super) const MOST_THINGS: usize = 9;

/// Of how much of a template may be covered by a thing already found before it is taken for that thing's remains.
pub(super) const MOST_COVERED: f32 = 0.35;
