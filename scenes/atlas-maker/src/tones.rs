//! The tones of a drawing that tinting replaces.

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// Colours `#RRGGBB` of a drawing that change with its tint; everything else stays.
#[derive(Debug, Clone, Serialize)]
pub struct Tones {
    /// Most of the thing.
    pub main: String,
    /// Its shaded parts.
    pub dark: String,
    /// Its lit parts.
    pub light: String,
    /// What is written on it: dark where the thing turns white.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ink: Option<String>,
}

impl Tones {
    /// Reads `data-main`, `data-dark`, `data-light` and, where there is one, `data-ink`.
    ///
    /// # Errors
    /// When one is missing or not `#RRGGBB`.
    pub fn of_svg(svg: &str) -> Result<Self> {
        let attribute = |name: &str| {
            let start = svg.find(&format!("data-{name}=\""))? + name.len() + 7;
            svg[start..].split('"').next().map(str::to_owned)
        };
        let needed = |name: &str| {
            attribute(name).with_context(|| format!("the drawing has no data-{name}; give it the tone to replace"))
        };
        let tones =
            Self { main: needed("main")?, dark: needed("dark")?, light: needed("light")?, ink: attribute("ink") };
        for tone in [&tones.main, &tones.dark, &tones.light].into_iter().chain(&tones.ink) {
            rgb(tone)?;
        }
        Ok(tones)
    }
}

/// `#RRGGBB` as three numbers in 0…255.
///
/// # Errors
/// When it is written otherwise.
pub fn rgb(hex: &str) -> Result<[f32; 3]> {
    let digits = hex.strip_prefix('#').filter(|digits| digits.len() == 6);
    let Some(number) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
        bail!("`{hex}` is not a colour written as #RRGGBB");
    };
    Ok([16, 8, 0].map(|shift| (number >> shift & 255) as f32))
}
