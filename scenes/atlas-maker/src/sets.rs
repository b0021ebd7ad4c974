//! The icon sets: iconify's packages, one `icons.json` each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Aliases of aliases are followed so far.
const DEEPEST_ALIAS: usize = 4;

#[derive(Deserialize)]
struct Icons {
    icons: BTreeMap<String, Icon>,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
    width: Option<f64>,
    height: Option<f64>,
}

#[derive(Deserialize)]
struct Icon {
    body: String,
    left: Option<f64>,
    top: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
}

#[derive(Deserialize)]
struct Alias {
    parent: String,
}

#[derive(Deserialize)]
struct Info {
    name: String,
    author: Author,
}

#[derive(Deserialize)]
struct Author {
    name: String,
    url: String,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

/// Whom a set is owed to.
#[derive(Debug, Clone, Serialize)]
pub struct Attribution {
    /// The set's short name.
    pub set: String,
    /// Its title.
    pub name: String,
    /// Who made it.
    pub author: String,
    /// Where it is from.
    pub url: String,
    /// The version of the npm package.
    pub version: String,
}

struct Set {
    icons: Icons,
    attribution: Attribution,
}

/// The sets read so far.
pub struct Sets {
    modules: PathBuf,
    read: BTreeMap<String, Set>,
}

impl Sets {
    /// Sets of a `node_modules` folder; each is read when it is first asked for.
    pub fn new(modules: &Path) -> Self {
        Self { modules: modules.to_path_buf(), read: BTreeMap::new() }
    }

    /// An icon as a document of its own; `currentColor` is black.
    ///
    /// # Errors
    /// When the set is not installed or has no such icon.
    pub fn svg(&mut self, set: &str, id: &str) -> Result<String> {
        if !self.read.contains_key(set) {
            let loaded = read_set(&self.modules.join("@iconify-json").join(set), set)?;
            self.read.insert(set.to_owned(), loaded);
        }
        let icons = &self.read[set].icons;
        let mut name = id;
        for _ in 0..=DEEPEST_ALIAS {
            if let Some(icon) = icons.icons.get(name) {
                let width = icon.width.or(icons.width).unwrap_or(16.0);
                let height = icon.height.or(icons.height).unwrap_or(16.0);
                let (left, top) = (icon.left.unwrap_or(0.0), icon.top.unwrap_or(0.0));
                let body = icon.body.replace("currentColor", "#000");
                return Ok(format!(
                    r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">{body}</svg>"#
                ));
            }
            match icons.aliases.get(name) {
                Some(alias) => name = &alias.parent,
                None => break,
            }
        }
        bail!("@iconify-json/{set} has no icon `{id}`; see its icons.json for the names it has")
    }

    /// Whom the sets that were used are owed to, by name.
    pub fn attributions(&self) -> impl Iterator<Item = &Attribution> {
        self.read.values().map(|set| &set.attribution)
    }
}

fn read_set(folder: &Path, set: &str) -> Result<Set> {
    let info: Info = read_json(&folder.join("info.json"))?;
    let package: Package = read_json(&folder.join("package.json"))?;
    let attribution = Attribution {
        set: set.to_owned(),
        name: info.name,
        author: info.author.name,
        url: info.author.url,
        version: package.version,
    };
    Ok(Set { icons: read_json(&folder.join("icons.json"))?, attribution })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}; `cargo xtask atlas` installs it", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what iconify writes", path.display()))
}
