//! The product: a tile of sums in registers, int8 decoded there too.
//!
//! The tile's loops are written out here rather than in WGSL: a shader compiler that does not unroll them would move the
//! sums from registers to memory.

use super::shader::{ACTIVATE, MAX_GROUPS, Shader, bindings, line};
use crate::ops::linear::Spec;

/// What the weight is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// int8 blocks.
    Q8,
    /// f32, the width of a row a multiple of 4.
    F32x4,
    /// f32 of any width.
    F32,
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
            assert!(groups <= MAX_GROUPS, "linear: [{rows}, {out}] is more than WebGPU can be asked for at once");
            groups as u32
        };
        [along(out, self.outs, self.group[0]), along(rows, self.rows, self.group[1])]
    }
}

/// The tile for a product of `rows` rows, and its shader.
///
/// Measured on SwiftShader at 512 × 2048: 8 × 8 sums a thread are the fastest from 8 rows on (4 × 4 does a third); below,
/// smaller tiles, because sums of rows that do not exist cost as much as real ones.
pub fn linear(rows: usize, kind: Kind) -> (Tile, Shader) {
    // Few rows get groups that are wide along the outputs, so that no thread of a group is without work.
    let tile = match rows {
        1 => Tile { rows: 1, outs: 1, group: [64, 1] },
        2 => Tile { rows: 2, outs: 4, group: [64, 1] },
        3..=4 => Tile { rows: 4, outs: 4, group: [64, 1] },
        5..=8 => Tile { rows: 8, outs: 8, group: [64, 1] },
        _ => Tile { rows: 8, outs: 8, group: [16, 4] },
    };
    let variant = [tile.rows as u32, tile.outs as u32, kind as u32, 0];
    (tile, Shader { name: "linear", variant, group: tile.group, write: source })
}

/// What follows the product, as the shader reads it: whether there is a bias, a residual, and the activation's number.
///
/// Not a part of the text: each text costs a software adapter half a second and more before the first step.
pub fn flags(spec: &Spec) -> usize {
    usize::from(spec.bias) | usize::from(spec.residual) << 1 | (spec.activation.number() as usize) << 2
}

/// Four int8 of a word, the first in the lowest byte.
pub const UNPACK: &str = "
fn unpack(word: u32) -> vec4<f32> {
    let bits = vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u);
    return vec4<f32>(bits >> vec4<u32>(24u));
}
";

fn source([tile_rows, tile_outs, kind, _]: [u32; 4]) -> String {
    let kind = [Kind::Q8, Kind::F32x4, Kind::F32][kind as usize];
    let mut read = match kind {
        Kind::Q8 => vec![("x", "vec4<f32>"), ("packed", "vec4<u32>"), ("scale", "u32")],
        Kind::F32x4 => vec![("x", "vec4<f32>"), ("w", "vec4<f32>")],
        Kind::F32 => vec![("x", "f32"), ("w", "f32")],
    };
    read.extend([("bias", "f32"), ("residual", "f32")]);
    let mut s = format!("{UNPACK}{ACTIVATE}{}", bindings(&read));
    s.push_str(&format!(
        "
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    let rows = sizes[0];
    let out = sizes[1];
    let row = id.y * {tile_rows}u;
    let col = id.x * {tile_outs}u;
    if (row >= rows || col >= out) {{ return; }}
"
    ));
    let width = match kind {
        Kind::F32 => "sizes[5]",
        _ => "sizes[2] / 4u",
    };
    line(&mut s, format_args!("    let width = {width};"));
    // A tile that hangs over the edge repeats the last row or output and does not write it.
    for r in 0..tile_rows {
        line(&mut s, format_args!("    let x{r} = min(row + {r}u, rows - 1u) * width;"));
    }
    for o in 0..tile_outs {
        line(&mut s, format_args!("    let o{o} = min(col + {o}u, out - 1u);"));
        for r in 0..tile_rows {
            line(&mut s, format_args!("    var a{r}_{o} = 0.0;"));
        }
    }
    match kind {
        Kind::Q8 => sum_q8(&mut s, tile_rows, tile_outs),
        Kind::F32x4 | Kind::F32 => sum_f32(&mut s, tile_rows, tile_outs, kind == Kind::F32x4),
    }
    let sums: Vec<String> = (0..tile_rows).flat_map(|r| (0..tile_outs).map(move |o| format!("a{r}_{o}"))).collect();
    // In loops, and with one formula for both layouts (a plane of one pixel is a row): written out, this part would be
    // most of the text.
    s.push_str(&format!(
        "
    var sums = array<f32, {count}>({sums});
    let pixels = sizes[6];
    let flags = sizes[7];
    for (var r = 0u; r < {tile_rows}u; r++) {{
        if (row + r >= rows) {{ break; }}
        let pixel = (row + r) % pixels;
        for (var o = 0u; o < {tile_outs}u; o++) {{
            if (col + o >= out) {{ break; }}
            let at = (row + r - pixel) * out + (col + o) * pixels + pixel;
            var value = sums[r * {tile_outs}u + o];
            if ((flags & 1u) != 0u) {{ value += bias[col + o]; }}
            value = activate(value, flags >> 2u);
            if ((flags & 2u) != 0u) {{ value += residual[at]; }}
            y[at] = value;
        }}
    }}
}}
",
        count = sums.len(),
        sums = sums.join(", "),
    ));
    s
}

fn sum_q8(s: &mut String, tile_rows: u32, tile_outs: u32) {
    line(s, format_args!("    let blocks = sizes[3];\n    let scale_words = sizes[4];"));
    for o in 0..tile_outs {
        line(s, format_args!("    let w{o} = o{o} * blocks * 2u;"));
    }
    line(s, format_args!("    for (var block = 0u; block < blocks; block++) {{"));
    for o in 0..tile_outs {
        line(s, format_args!("        let p{o} = unpack2x16float(scale[o{o} * scale_words + block / 2u]);"));
        line(s, format_args!("        let s{o} = select(p{o}.x, p{o}.y, (block & 1u) == 1u);"));
    }
    line(s, format_args!("        for (var half = 0u; half < 2u; half++) {{"));
    for o in 0..tile_outs {
        line(s, format_args!("            let q{o} = packed[w{o} + block * 2u + half];"));
    }
    for (word, component) in ["x", "y", "z", "w"].into_iter().enumerate() {
        line(s, format_args!("            {{"));
        // Past the end of a row the weight is zero; the index only has to stay inside x.
        line(s, format_args!("                let k = min(block * 8u + half * 4u + {word}u, width - 1u);"));
        for o in 0..tile_outs {
            line(s, format_args!("                let f{o} = unpack(q{o}.{component}) * s{o};"));
        }
        for r in 0..tile_rows {
            line(s, format_args!("                let v{r} = x[x{r} + k];"));
            for o in 0..tile_outs {
                line(s, format_args!("                a{r}_{o} += dot(v{r}, f{o});"));
            }
        }
        line(s, format_args!("            }}"));
    }
    line(s, format_args!("        }}\n    }}"));
}

fn sum_f32(s: &mut String, tile_rows: u32, tile_outs: u32, four: bool) {
    line(s, format_args!("    for (var k = 0u; k < width; k++) {{"));
    for o in 0..tile_outs {
        line(s, format_args!("        let f{o} = w[o{o} * width + k];"));
    }
    for r in 0..tile_rows {
        line(s, format_args!("        let v{r} = x[x{r} + k];"));
        for o in 0..tile_outs {
            let product = if four { format!("dot(v{r}, f{o})") } else { format!("v{r} * f{o}") };
            line(s, format_args!("        a{r}_{o} += {product};"));
        }
    }
    line(s, format_args!("    }}"));
}
