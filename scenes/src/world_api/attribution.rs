//! Who must be named wherever a world's pictures are shown.

use super::World;
use super::check::atlas;

impl World {
    /// Who must be named, a line each: the sets that the world of things draws with, whose licences ask for it or not.
    /// Empty for the shapes, and where this program holds no drawings.
    #[must_use]
    pub fn attribution(self) -> Vec<String> {
        let Some(atlas) = atlas().filter(|_| self == Self::Icons) else { return Vec::new() };
        let licences = |set: &str| {
            let mut licences: Vec<&str> =
                atlas.glyphs().iter().filter(|glyph| glyph.set == set).map(|glyph| glyph.licence.as_str()).collect();
            licences.sort_unstable();
            licences.dedup();
            licences.join(", ")
        };
        let line = |set: &crate::icons::Attribution| {
            let by = if set.author.is_empty() { String::new() } else { format!(" by {}", set.author) };
            let from = if set.url.is_empty() { String::new() } else { format!(", {}", set.url) };
            let changed = if set.set == "own" { "" } else { "; recoloured and resized" };
            format!("{}{by}, {}{from}{changed}", set.name, licences(&set.set))
        };
        atlas.sets().iter().map(line).collect()
    }
}

#[cfg(all(test, feature = "atlas"))]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_named_with_its_licence() {
        assert_eq!(World::Shapes.attribution(), Vec::<String>::new());
        let lines = World::Icons.attribution();
        assert!(lines.iter().any(|line| line.contains("Twitter Emoji") && line.contains("CC-BY-4.0")), "{lines:#?}");
        for line in &lines {
            assert!(crate::icons::LICENCES.iter().any(|licence| line.contains(licence)), "{line}");
        }
    }
}
