//! The name of a picture in a gallery.
//!
//! A finished picture's is a sample of GenEval's layout, `00003/samples/00001.png`: the prompt and the picture of it, both from 0.
//! A preview's has the step behind it, also from 0, and a layout of its own beside: `previews/00003/samples/00001007.png`. A name
//! says by its length which of both it is of, wherever the folder lies.

use std::fmt;

/// Digits of a prompt, a picture, and a step.
const DIGITS: [usize; 3] = [5, 5, 3];

/// The most pictures that a prompt has names for.
pub const MOST_IMAGES: u32 = 100_000;

/// A picture of a gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The prompt's place in the file, from 0.
    pub prompt: u32,
    /// The picture of that prompt, from 0.
    pub image: u32,
    /// The step whose whole draw it shows, from 0; nothing for the finished picture.
    pub step: Option<u32>,
}

impl Key {
    /// A finished picture.
    #[must_use]
    pub fn finished(prompt: u32, image: u32) -> Self {
        Self { prompt, image, step: None }
    }

    /// The preview of one of its steps.
    #[must_use]
    pub fn preview(self, step: u32) -> Self {
        Self { step: Some(step), ..self }
    }

    /// The picture that a path names by its last three parts, whatever stands before them.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split(['/', '\\']).collect();
        let [.., prompt, "samples", file] = parts.as_slice() else { return None };
        let digits = file.strip_suffix(".png")?;
        let [of_prompt, of_image, of_step] = DIGITS;
        if prompt.len() < of_prompt || digits.len() < of_image {
            return None;
        }
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let (image, step) = digits.split_at_checked(of_image)?;
        let step = match step.len() {
            0 => None,
            length if length == of_step => Some(number(step)?),
            _ => return None,
        };
        Some(Self { prompt: number(prompt)?, image: number(image)?, step })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prompt, image, step } = self;
        match step {
            None => write!(f, "{prompt:05}/samples/{image:05}.png"),
            Some(step) => write!(f, "previews/{prompt:05}/samples/{image:05}{step:03}.png"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_found_by_its_name_wherever_the_folder_lies() {
        for key in [Key::finished(3, 1), Key::finished(3, 1).preview(7), Key::finished(123_456, 99_999).preview(63)] {
            for place in ["", "./", "/data/some where/", "C:\\runs\\"] {
                assert_eq!(Key::of_path(&format!("{place}{key}")), Some(key), "{place}{key}");
            }
            assert_eq!(Key::of_path(&key.to_string().replace('/', "\\")), Some(key));
        }
        assert_eq!(Key::finished(3, 1).preview(7).to_string(), "previews/00003/samples/00001007.png");
    }

    #[test]
    fn what_names_no_picture_is_none() {
        for path in [
            "",
            "00000.png",
            "samples/00000.png",
            "00000/00000.png",
            "00000/samples/00000.jpg",
            "00000/samples/0000.png",
            "00000/samples/000001.png",
            "00000/samples/+0001.png",
            "a0000/samples/00000.png",
            "00000/samples/000000000.png",
        ] {
            assert_eq!(Key::of_path(path), None, "{path}");
        }
    }
}
