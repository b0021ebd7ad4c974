//! A folder with a small checkpoint of every kind, the command run in it, and files as PyTorch writes them.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tempfile::TempDir;

/// Tensors by name: dtype, shape, bytes.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// A folder in which the command is run: `showo/`, `magvit/`, `preview/`, `clip/`, `parm/` and `tokenizer.json` of
/// `synth --config tiny`.
pub struct Room {
    pub folder: TempDir,
}

impl Room {
    pub fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        let judges = ["--with", "preview", "--with", "clip", "--with", "parm"];
        room.ok(&[&["synth", "--config", "tiny", "--seed", "5", "--out", "synth"][..], &judges].concat());
        for entry in fs::read_dir(room.path("synth")).unwrap() {
            let entry = entry.unwrap();
            fs::rename(entry.path(), room.folder.path().join(entry.file_name())).unwrap();
        }
        fs::remove_dir(room.path("synth")).unwrap();
        room
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantize"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Whether it succeeded, and everything that it printed.
    pub fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let (success, text) = self.run(arguments);
        assert!(success, "{arguments:?}: {text}");
        text
    }

    pub fn fails(&self, arguments: &[&str]) -> String {
        let (success, text) = self.run(arguments);
        assert!(!success, "{arguments:?} was accepted: {text}");
        text
    }

    /// `convert` into `bundle`; the generator unless `more` names an input.
    pub fn convert(&self, more: &[&str]) -> (bool, String) {
        let mut arguments =
            vec!["convert", "--tokenizer", "tokenizer.json", "--name", "tiny", "--licence", "MIT", "--out", "bundle"];
        if !more.contains(&"--input") {
            arguments.extend(["--input", "showo=showo"]);
        }
        arguments.extend(more);
        self.run(&arguments)
    }

    /// A conversion that succeeds.
    pub fn converted(&self, more: &[&str]) -> String {
        let (success, text) = self.convert(more);
        assert!(success, "{text}");
        text
    }

    /// A refused conversion: its message; and nothing is left behind.
    pub fn refused(&self, more: &[&str]) -> String {
        let (success, text) = self.convert(more);
        assert!(!success, "accepted: {text}");
        assert!(!self.path("bundle").exists());
        assert_eq!(self.hidden(), 0, "an unfinished folder is left");
        text
    }

    /// Hidden folders: what an unfinished conversion leaves.
    pub fn hidden(&self) -> usize {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with('.')).count()
    }

    pub fn manifest(&self) -> serde_json::Value {
        self.json("bundle/manifest.json")
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    pub fn write_json(&self, name: &str, json: &serde_json::Value) {
        fs::write(self.path(name), json.to_string()).unwrap();
    }

    /// The tensors of `showo/model.safetensors` or another model's.
    pub fn tensors(&self, model: &str) -> Tensors {
        let bytes = fs::read(self.path(&format!("{model}/model.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.tensors()
            .into_iter()
            .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
            .collect()
    }

    /// Replaces a model's tensors.
    pub fn set_tensors(&self, model: &str, tensors: &Tensors) {
        write_safetensors(&self.path(&format!("{model}/model.safetensors")), tensors);
    }

    /// Changes one tensor of a model; `None` removes it.
    pub fn set_tensor(&self, model: &str, name: &str, tensor: Option<(Dtype, Vec<usize>, Vec<u8>)>) {
        let mut tensors = self.tensors(model);
        match tensor {
            Some(tensor) => tensors.insert(name.into(), tensor),
            None => tensors.remove(name),
        };
        self.set_tensors(model, &tensors);
    }
}

pub fn write_safetensors(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

pub fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// A pickle in the making, protocol 2, with the instructions that CPython and `torch.save` use.
#[derive(Default)]
pub struct Pickle {
    pub bytes: Vec<u8>,
    slots: usize,
}

impl Pickle {
    pub fn new() -> Self {
        Self { bytes: vec![0x80, 2], slots: 0 }
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// BINPUT or LONG_BINPUT, after every object that can be referred to.
    pub fn put(&mut self) {
        match u8::try_from(self.slots) {
            Ok(slot) => self.raw(&[b'q', slot]),
            Err(_) => {
                self.raw(b"r");
                self.raw(&u32::try_from(self.slots).unwrap().to_le_bytes());
            }
        }
        self.slots += 1;
    }

    pub fn global(&mut self, module: &str, name: &str) {
        self.raw(format!("c{module}\n{name}\n").as_bytes());
        self.put();
    }

    pub fn text(&mut self, text: &str) {
        self.raw(b"X");
        self.raw(&u32::try_from(text.len()).unwrap().to_le_bytes());
        self.raw(text.as_bytes());
        self.put();
    }

    pub fn int(&mut self, value: usize) {
        match value {
            0..=0xff => self.raw(&[b'K', value as u8]),
            0x100..=0xffff => {
                self.raw(b"M");
                self.raw(&(value as u16).to_le_bytes());
            }
            _ => {
                self.raw(b"J");
                self.raw(&i32::try_from(value).unwrap().to_le_bytes());
            }
        }
    }

    pub fn sizes(&mut self, sizes: &[usize]) {
        if sizes.is_empty() {
            self.raw(b")");
            return;
        }
        if sizes.len() > 3 {
            self.raw(b"(");
        }
        sizes.iter().for_each(|&size| self.int(size));
        self.raw(&[[0x85, 0x86, 0x87, b't'][sizes.len().min(4) - 1]]);
        self.put();
    }

    /// `OrderedDict()`, as a call.
    pub fn ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.raw(b")R");
        self.put();
    }

    /// A tensor over storage `key` of `elements` elements, from `offset` on.
    pub fn tensor(&mut self, storage: &str, key: usize, elements: usize, offset: usize, shape: &[usize]) {
        let strides: Vec<usize> = (1..=shape.len()).map(|index| shape[index..].iter().product()).collect();
        self.strided(storage, key, elements, offset, shape, &strides);
    }

    pub fn strided(
        &mut self,
        storage: &str,
        key: usize,
        elements: usize,
        offset: usize,
        shape: &[usize],
        strides: &[usize],
    ) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.raw(b"((");
        self.text("storage");
        self.global("torch", storage);
        self.text(&key.to_string());
        self.text("cpu");
        self.int(elements);
        self.raw(b"t");
        self.put();
        self.raw(b"Q");
        self.int(offset);
        self.sizes(shape);
        self.sizes(strides);
        // requires_grad=False, backward_hooks=OrderedDict()
        self.raw(&[0x89]);
        self.ordered_dict();
        self.raw(b"t");
        self.put();
        self.raw(b"R");
        self.put();
    }
}

pub fn storage_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "FloatStorage",
        Dtype::F16 => "HalfStorage",
        Dtype::BF16 => "BFloat16Storage",
        Dtype::I64 => "LongStorage",
        Dtype::F64 => "DoubleStorage",
        other => panic!("{other:?} in a test"),
    }
}

/// The pickle of a state dict and its storages, as `torch.save(model.state_dict())` writes them.
pub fn state_dict(tensors: &Tensors) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut pickle = Pickle::new();
    pickle.ordered_dict();
    pickle.raw(b"(");
    let mut storages = Vec::new();
    for (key, (name, (dtype, shape, bytes))) in tensors.iter().enumerate() {
        pickle.text(name);
        pickle.tensor(storage_name(*dtype), key, shape.iter().product(), 0, shape);
        storages.push(bytes.clone());
    }
    pickle.raw(b"u");
    // A state dict's `_metadata`, as an attribute.
    pickle.raw(b"}");
    pickle.put();
    pickle.text("_metadata");
    pickle.ordered_dict();
    pickle.raw(b"sb.");
    (pickle.bytes, storages)
}

/// Writes a `.bin`: `archive/data.pkl`, `archive/data/N`, `archive/version`, nothing compressed.
pub fn write_torch(path: &Path, pickle: &[u8], storages: &[Vec<u8>]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut file = |name: &str, bytes: &[u8]| {
        zip.start_file_aligned(name, options, 64).unwrap();
        zip.write_all(bytes).unwrap();
    };
    file("archive/data.pkl", pickle);
    file("archive/byteorder", b"little");
    for (key, bytes) in storages.iter().enumerate() {
        file(&format!("archive/data/{key}"), bytes);
    }
    file("archive/version", b"3\n");
    zip.finish().unwrap();
}
