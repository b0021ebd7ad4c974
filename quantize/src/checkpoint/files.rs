//! Which files make a checkpoint: one named file, an index and its files, or what a folder holds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;
use showo::text;

use crate::error::ToolError;

/// The files of a checkpoint.
pub struct Files {
    /// The weights, in the order of their names.
    pub weights: Vec<PathBuf>,
    /// The index and which of the weights' files it promises each tensor in; absent for a single file.
    pub index: Option<(PathBuf, BTreeMap<String, usize>)>,
    /// What else was there to choose, for people.
    pub note: Option<String>,
}

/// What the hub calls a checkpoint of one file.
const USUAL_NAMES: [&str; 5] = [
    "model.safetensors",
    "pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
];

/// Finds the files that `path` stands for.
///
/// # Errors
/// Nothing there, or several things between which only the caller can choose; an index that is not one, or that names
/// a file which is not beside it.
pub fn find(path: &Path) -> Result<Files, ToolError> {
    let metadata = fs::metadata(path).map_err(ToolError::io(path))?;
    let chosen = if metadata.is_dir() { in_folder(path)? } else { path.to_path_buf() };
    if !is_index(&chosen) {
        return Ok(whole(chosen));
    }
    // Whoever joins shards into one file often leaves their index behind. A file with a checkpoint's usual name is the
    // whole of it, as transformers takes it, unless the index names it, too.
    let named = chosen.to_string_lossy();
    let beside = named.strip_suffix(".index.json").map(PathBuf::from).filter(|_| metadata.is_dir());
    let Some(beside) = beside.filter(|whole| whole.is_file()) else { return from_index(chosen) };
    match from_index(chosen.clone()) {
        Ok(files) if files.weights.contains(&beside) => Ok(files),
        _ => {
            let note = format!("{} is read; {} beside it is passed over", beside.display(), chosen.display());
            Ok(Files { note: Some(note), ..whole(beside) })
        }
    }
}

fn whole(file: PathBuf) -> Files {
    Files { weights: vec![file], index: None, note: None }
}

fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".index.json")
}

/// What a folder of the hub holds: an index or a single file, safetensors before PyTorch's.
fn in_folder(folder: &Path) -> Result<PathBuf, ToolError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(ToolError::io(folder))? {
        let entry = entry.map_err(ToolError::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Hidden files are no weights: macOS leaves a `._model.safetensors` beside every `model.safetensors`.
        if !name.starts_with('.') && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    let groups: [&[&str]; 4] =
        [&[".safetensors.index.json"], &[".safetensors"], &[".bin.index.json"], &[".bin", ".pt", ".pth", ".ckpt"]];
    for suffixes in groups {
        let fits = |name: &&String| suffixes.iter().any(|suffix| name.ends_with(suffix));
        let fitting: Vec<&String> = names.iter().filter(fits).collect();
        // Beside the weights there may be the optimizer's state, or how they were trained.
        let usual = fitting.iter().find(|name| USUAL_NAMES.contains(&name.trim_end_matches(".index.json")));
        match (&fitting[..], usual) {
            ([], _) => {}
            ([name], _) | (_, Some(name)) => return Ok(folder.join(name)),
            ([first, second, ..], None) => {
                let problem =
                    format!("holds {first}, {second} and no index that joins them; name the file that is meant");
                return Err(ToolError::Checkpoint { path: folder.into(), problem });
            }
        }
    }
    let problem = "holds no .safetensors, .bin, .pt, .pth or .ckpt file and no index of them".into();
    Err(ToolError::Checkpoint { path: folder.into(), problem })
}

fn from_index(path: PathBuf) -> Result<Files, ToolError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let refused = |problem: String| ToolError::Json { path: path.clone(), problem };
    let json = text::read_file(&path).map_err(ToolError::io(&path))?;
    let index: Index = serde_json::from_str(&json).map_err(|error| refused(format!("not an index: {error}")))?;
    let mut names: Vec<&String> = index.weight_map.values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(refused("its weight_map names no file".into()));
    }
    let mut weights = Vec::new();
    for name in &names {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(refused(format!("{name:?} is not the name of a file beside it")));
        }
        let file = path.with_file_name(name);
        if !file.is_file() {
            return Err(refused(format!("names {name}, but there is no such file beside it; fetch it, too")));
        }
        weights.push(file);
    }
    let places = index
        .weight_map
        .iter()
        .filter_map(|(tensor, file)| Some((tensor.clone(), names.binary_search(&file).ok()?)))
        .collect();
    Ok(Files { weights, index: Some((path, places)), note: None })
}
