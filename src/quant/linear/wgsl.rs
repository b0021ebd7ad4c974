//! The text of the kernels.
//!
//! The product keeps a tile of sums in registers and decodes int8 there too; no workgroup memory, no subgroups, no f16
//! arithmetic, so the same text runs on every WebGPU, software ones included. The tile's loops are written out here
//! rather than in WGSL: a shader compiler that does not unroll them would move the sums from registers to memory.

use std::fmt::Write;

/// Buffers that are only read. On native devices cubecl may place two tensors in one buffer, and a buffer must not be
/// bound for reading and for writing at once; in a browser every tensor has its own.
const READ: &str = if cfg!(target_arch = "wasm32") { "read" } else { "read_write" };

/// Threads in a group of the kernels that have one thread an element.
const SPREAD: u32 = 64;

/// WebGPU's limit on groups along one dimension.
const MAX_GROUPS: usize = 65_535;

/// A kernel and the shape of its group.
pub struct Shader {
    /// Its name, for caches and logs.
    pub name: &'static str,
    /// Tells texts of the same name apart.
    pub variant: [u32; 2],
    /// Threads in a group.
    pub group: [u32; 2],
}

impl Shader {
    /// The text.
    pub fn source(&self) -> String {
        let body = match self.name {
            "q8_linear" => linear_source(self.variant[0] as usize, self.variant[1] as usize),
            "q8_gather" => format!("{DECODE}{GATHER}"),
            _ => UNROLL.to_string(),
        };
        let [x, y] = self.group;
        body.replace("READ", READ).replace("GROUP", &format!("{x}, {y}, 1"))
    }
}

/// How the product is cut: what one thread sums, and the threads of a group.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    rows: usize,
    outs: usize,
    group: [u32; 2],
}

impl Tile {
    /// Groups that cover `rows` × `out` sums: along the outputs, along the rows.
    ///
    /// # Panics
    /// Beyond WebGPU's 65,535 groups along a dimension, which takes over 4 million rows or outputs.
    pub fn groups(&self, rows: usize, out: usize) -> [u32; 2] {
        let along = |size: usize, tile: usize, group: u32| {
            let groups = size.div_ceil(tile * group as usize);
            assert!(groups <= MAX_GROUPS, "q8_linear: [{rows}, {out}] is more than WebGPU can be asked for at once");
            groups as u32
        };
        [along(out, self.outs, self.group[0]), along(rows, self.rows, self.group[1])]
    }
}

/// The tile for a product of `rows` rows, and its shader.
///
/// Measured on SwiftShader at 512 × 2048: 8 × 8 sums a thread are the fastest from 8 rows on (4 × 4 does a third); below,
/// smaller tiles, because sums of rows that do not exist cost as much as real ones.
pub fn linear(rows: usize) -> (Tile, Shader) {
    // Few rows get groups that are wide along the outputs, so that no thread of a group is without work.
    let tile = match rows {
        1 => Tile { rows: 1, outs: 1, group: [64, 1] },
        2 => Tile { rows: 2, outs: 4, group: [64, 1] },
        3..=4 => Tile { rows: 4, outs: 4, group: [64, 1] },
        5..=8 => Tile { rows: 8, outs: 8, group: [64, 1] },
        9..=32 => Tile { rows: 8, outs: 8, group: [16, 4] },
        _ => Tile { rows: 8, outs: 8, group: [8, 8] },
    };
    let variant = [tile.rows as u32, tile.outs as u32];
    (tile, Shader { name: "q8_linear", variant, group: tile.group })
}

/// Row look-up: a thread decodes one word, four values.
pub fn gather() -> Shader {
    Shader { name: "q8_gather", variant: [0; 2], group: [SPREAD, 1] }
}

/// Windows of a picture as rows: a thread copies one value.
pub fn unroll() -> Shader {
    Shader { name: "q8_unroll", variant: [0; 2], group: [SPREAD, 1] }
}

/// Groups for `threads` threads of a kernel with one thread an element; the surplus threads of the last row return.
pub fn spread(threads: usize) -> [u32; 2] {
    let groups = threads.div_ceil(SPREAD as usize);
    let x = groups.min(MAX_GROUPS);
    [x as u32, groups.div_ceil(x) as u32]
}

/// Decoding, shared by the kernels.
const DECODE: &str = "
// Four int8 of a word, the first in the lowest byte.
fn unpack(word: u32) -> vec4<f32> {
    let bits = vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u);
    return vec4<f32>(bits >> vec4<u32>(24u));
}
";

fn linear_source(tile_rows: usize, tile_outs: usize) -> String {
    let mut s = format!(
        "{DECODE}
@group(0) @binding(0) var<storage, READ> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, READ> packed: array<vec4<u32>>;
@group(0) @binding(2) var<storage, READ> scale: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> sizes: array<u32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    let rows = sizes[0];
    let out = sizes[1];
    let width = sizes[2] / 4u;
    let blocks = sizes[3];
    let scale_words = sizes[4];
    let row = id.y * {tile_rows}u;
    let col = id.x * {tile_outs}u;
    if (row >= rows || col >= out) {{ return; }}
"
    );
    let mut line = |text: std::fmt::Arguments| {
        s.write_fmt(text).and_then(|()| s.write_str("\n")).expect("writing to a String cannot fail");
    };
    // A tile that hangs over the edge repeats the last row or output and does not write it.
    for r in 0..tile_rows {
        line(format_args!("    let x{r} = min(row + {r}u, rows - 1u) * width;"));
    }
    for o in 0..tile_outs {
        line(format_args!("    let o{o} = min(col + {o}u, out - 1u);"));
        line(format_args!("    let w{o} = o{o} * blocks * 2u;"));
        for r in 0..tile_rows {
            line(format_args!("    var a{r}_{o} = 0.0;"));
        }
    }
    line(format_args!("    for (var block = 0u; block < blocks; block++) {{"));
    for o in 0..tile_outs {
        line(format_args!("        let p{o} = unpack2x16float(scale[o{o} * scale_words + block / 2u]);"));
        line(format_args!("        let s{o} = select(p{o}.x, p{o}.y, (block & 1u) == 1u);"));
    }
    line(format_args!("        for (var half = 0u; half < 2u; half++) {{"));
    for o in 0..tile_outs {
        line(format_args!("            let q{o} = packed[w{o} + block * 2u + half];"));
    }
    for (word, component) in ["x", "y", "z", "w"].into_iter().enumerate() {
        line(format_args!("            {{"));
        // Past the end of a row the weight is zero; the index only has to stay inside x.
        line(format_args!("                let k = min(block * 8u + half * 4u + {word}u, width - 1u);"));
        for o in 0..tile_outs {
            line(format_args!("                let f{o} = unpack(q{o}.{component}) * s{o};"));
        }
        for r in 0..tile_rows {
            line(format_args!("                let v{r} = x[x{r} + k];"));
            for o in 0..tile_outs {
                line(format_args!("                a{r}_{o} += dot(v{r}, f{o});"));
            }
        }
        line(format_args!("            }}"));
    }
    line(format_args!("        }}\n    }}"));
    for r in 0..tile_rows {
        line(format_args!("    if (row + {r}u < rows) {{\n        let at = (row + {r}u) * out + col;"));
        for o in 0..tile_outs {
            line(format_args!("        if (col + {o}u < out) {{ y[at + {o}u] = a{r}_{o}; }}"));
        }
        line(format_args!("    }}"));
    }
    line(format_args!("}}"));
    s
}

const GATHER: &str = "
@group(0) @binding(0) var<storage, READ> ids: array<i32>;
@group(0) @binding(1) var<storage, READ> packed: array<u32>;
@group(0) @binding(2) var<storage, READ> scale: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> sizes: array<u32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let count = sizes[0];
    let out = sizes[1];
    let inputs = sizes[2];
    let row_words = sizes[3];
    let scale_words = sizes[4];
    let words = (inputs + 3u) / 4u;
    let thread = id.y * groups.x * 64u + id.x;
    let n = thread / words;
    if (n >= count) { return; }
    let word = thread % words;
    let row = u32(clamp(ids[n], 0, i32(out) - 1));
    let block = word / 8u;
    let pair = unpack2x16float(scale[row * scale_words + block / 2u]);
    let s = select(pair.x, pair.y, (block & 1u) == 1u);
    let value = unpack(packed[row * row_words + word]) * s;
    let k = word * 4u;
    let at = n * inputs + k;
    y[at] = value.x;
    if (k + 1u < inputs) { y[at + 1u] = value.y; }
    if (k + 2u < inputs) { y[at + 2u] = value.z; }
    if (k + 3u < inputs) { y[at + 3u] = value.w; }
}
";

const UNROLL: &str = "
@group(0) @binding(0) var<storage, READ> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> sizes: array<u32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let count = sizes[0];
    let start = sizes[1];
    let channels = sizes[2];
    let height = sizes[3];
    let width = sizes[4];
    let out_h = sizes[5];
    let out_w = sizes[6];
    let kh = sizes[7];
    let kw = sizes[8];
    let inputs = channels * kh * kw;
    let thread = id.y * groups.x * 64u + id.x;
    let n = thread / inputs;
    if (n >= count) { return; }
    let k = thread % inputs;
    let window = start + n;
    let batch = window / (out_h * out_w);
    let out_y = window / out_w % out_h;
    let out_x = window % out_w;
    let channel = k / (kh * kw);
    // Padding makes these negative: as u32 they wrap to something no picture is as large as.
    let from_y = out_y * sizes[9] + k / kw % kh - sizes[11];
    let from_x = out_x * sizes[10] + k % kw - sizes[12];
    var value = 0.0;
    if (from_y < height && from_x < width) {
        value = x[((batch * channels + channel) * height + from_y) * width + from_x];
    }
    y[thread] = value;
}
";
