//! A public CLIP's `preprocessor_config.json`: mean and deviation are taken from it; what else it says must be what is computed.

use std::path::Path;

use serde_json::Value;
use showo::config::ClipConfig;

use crate::error::ToolError;

/// Pillow's number for its bicubic filter.
const BICUBIC: u64 = 3;

/// Reads the file into a configuration. What it leaves unsaid is transformers' default for CLIP.
///
/// # Errors
/// Not JSON; something that is not computed here, by its field.
pub fn read(path: &Path, config: &mut ClipConfig) -> Result<(), ToolError> {
    let refused = |problem: String| ToolError::Json { path: path.into(), problem };
    let text = showo::text::read_file(path).map_err(ToolError::io(path))?;
    let given: Value = serde_json::from_str(&text).map_err(|error| refused(format!("not JSON: {error}")))?;
    apply(&given, config).map_err(refused)
}

fn apply(given: &Value, config: &mut ClipConfig) -> Result<(), String> {
    let said = |field: &str| given.get(field).filter(|value| !value.is_null());
    for step in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] {
        if said(step).is_some_and(|value| value != true) {
            return Err(format!(
                "{step} is {}; CLIP's pictures are resized, cropped, rescaled and normalized",
                given[step]
            ));
        }
    }
    if let Some(filter) = said("resample").filter(|filter| filter.as_u64() != Some(BICUBIC)) {
        return Err(format!("resample is {filter}; pictures are resized by the filter {BICUBIC}, bicubic"));
    }
    let side = config.vision_config.image_size;
    // A number in older files; newer ones say which length it is.
    let lengths = |field: &str, value: &Value| {
        match value {
            Value::Object(sides) => sides.values().all(|length| length.as_u64() == Some(side as u64)),
            number => number.as_u64() == Some(side as u64),
        }
        .then_some(())
        .ok_or_else(|| format!("{field} is {value}, but vision_config.image_size {side}"))
    };
    for field in ["size", "crop_size"] {
        said(field).map_or(Ok(()), |value| lengths(field, value))?;
    }
    if let Some(factor) =
        said("rescale_factor").filter(|factor| factor.as_f64().is_none_or(|factor| (factor * 255.0 - 1.0).abs() > 1e-6))
    {
        return Err(format!("rescale_factor is {factor}; bytes are divided by 255"));
    }
    for (field, slot) in [("image_mean", &mut config.image_mean), ("image_std", &mut config.image_std)] {
        if let Some(value) = said(field) {
            *slot = serde_json::from_value(value.clone()).map_err(|error| format!("{field}: {error}"))?;
        }
    }
    match config.image_std.into_iter().all(|deviation| deviation.is_finite() && deviation > 0.0) {
        true => Ok(()),
        false => Err(format!("image_std is {:?}; a deviation is larger than 0", config.image_std)),
    }
}
