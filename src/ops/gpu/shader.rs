//! A text, what tells it apart, and how threads are spread.

use std::fmt::Write;

use crate::ops::Activation;

/// Buffers that are only read. On native devices cubecl may place two tensors in one buffer, and a buffer must not be
/// bound for reading and for writing at once; in a browser every tensor has its own.
const READ: &str = if cfg!(target_arch = "wasm32") { "read" } else { "read_write" };

/// Threads in a group of the kernels that have one thread an element.
pub const SPREAD: u32 = 64;

/// WebGPU's limit on groups along one dimension.
pub const MAX_GROUPS: usize = 65_535;

/// A kernel and the shape of its group.
pub struct Shader {
    /// Its name, for caches and logs.
    pub name: &'static str,
    /// Tells texts of the same name apart.
    pub variant: [u32; 4],
    /// Threads in a group.
    pub group: [u32; 2],
    /// Writes the text for a variant.
    pub write: fn([u32; 4]) -> String,
}

impl Shader {
    /// A text that has no variants, with one thread an element.
    pub fn plain(name: &'static str, write: fn([u32; 4]) -> String) -> Self {
        Self { name, variant: [0; 4], group: [SPREAD, 1], write }
    }

    /// The text.
    pub fn source(&self) -> String {
        let [x, y] = self.group;
        (self.write)(self.variant).replace("READ", READ).replace("GROUP", &format!("{x}, {y}, 1"))
    }
}

/// Groups for `threads` threads of a kernel with one thread an element; the surplus threads of the last row return.
pub fn spread(threads: usize) -> [u32; 2] {
    rows(threads.div_ceil(SPREAD as usize))
}

/// `count` groups, in rows that WebGPU allows; the surplus groups of the last row return.
pub fn rows(count: usize) -> [u32; 2] {
    let x = count.clamp(1, MAX_GROUPS);
    [x as u32, count.div_ceil(x) as u32]
}

/// The text of bindings: what is read, then `y`, then `sizes`. Each is a name and an element type.
pub fn bindings(read: &[(&str, &str)]) -> String {
    let mut s = String::new();
    let declared = read.iter().map(|(name, element)| (*name, *element, "READ"));
    let written = [("y", "f32", "read_write"), ("sizes", "u32", "read")];
    for (index, (name, element, access)) in declared.chain(written).enumerate() {
        line(&mut s, format_args!("@group(0) @binding({index}) var<storage, {access}> {name}: array<{element}>;"));
    }
    s
}

/// Appends a line.
pub fn line(s: &mut String, text: std::fmt::Arguments) {
    s.write_fmt(text).and_then(|()| s.write_str("\n")).expect("writing to a String cannot fail");
}

impl Activation {
    /// A number that names it in shaders.
    pub fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::GeluNew => 1,
            Self::QuickGelu => 2,
            Self::Swish => 3,
        }
    }
}

/// The function `activate`, which takes an activation's number.
pub const ACTIVATE: &str = "
fn activate(x: f32, number: u32) -> f32 {
    switch number {
        case 1u: { return x / (1.0 + exp(-1.5957691 * (x + 0.044715 * x * x * x))); }
        case 2u: { return x / (1.0 + exp(-1.702 * x)); }
        case 3u: { return x / (1.0 + exp(-x)); }
        default: { return x; }
    }
}
";
