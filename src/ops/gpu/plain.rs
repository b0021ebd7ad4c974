//! Kernels with one thread a result: look-up of rows, windows of a picture, rotation.

use super::linear::UNPACK;
use super::shader::{Shader, bindings};

/// Row look-up in a part of a weight: a thread decodes one word, four values.
pub fn gather() -> Shader {
    Shader::plain("q8_gather", |_| {
        let bindings = bindings(&[("ids", "i32"), ("packed", "u32"), ("scale", "u32")]);
        format!("{UNPACK}{bindings}{GATHER}")
    })
}

/// Windows of a picture as rows: a thread copies one value.
pub fn unroll() -> Shader {
    Shader::plain("unroll", |_| format!("{}{UNROLL}", bindings(&[("x", "f32")])))
}

/// Rotary embedding: a thread turns one head of one token.
pub fn rotate(normalize: bool) -> Shader {
    let write = |[normalize, ..]: [u32; 4]| {
        if normalize == 0 {
            let bindings = bindings(&[("x", "f32"), ("table", "f32")]);
            let value = "fn value(at: u32, c: u32, mean: f32, scale: f32) -> f32 { return x[at + c]; }";
            format!("{bindings}{value}{}", ROTATE.replace("NORMALIZE", ""))
        } else {
            let bindings = bindings(&[("x", "f32"), ("table", "f32"), ("weight", "f32"), ("bias", "f32")]);
            let value = "fn value(at: u32, c: u32, mean: f32, scale: f32) -> f32 {
                return (x[at + c] - mean) * scale * weight[c] + bias[c];
            }";
            format!("{bindings}{value}{}", ROTATE.replace("NORMALIZE", NORMALIZE))
        }
    };
    Shader { variant: [u32::from(normalize), 0, 0, 0], ..Shader::plain("rotate", write) }
}

const GATHER: &str = "
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
    // The part begins at row sizes[5]; what lies before it wraps to something no weight is as large as.
    let row = u32(clamp(ids[n], 0, i32(out) - 1)) - sizes[5];
    if (row >= sizes[6]) { return; }
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
    let enlarge = sizes[13];
    if (from_y < height * enlarge && from_x < width * enlarge) {
        value = x[((batch * channels + channel) * height + from_y / enlarge) * width + from_x / enlarge];
    }
    y[thread] = value;
}
";

const ROTATE: &str = "
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let thread = id.y * groups.x * 64u + id.x;
    if (thread >= sizes[0]) { return; }
    let tokens = sizes[1];
    let heads = sizes[2];
    let head = sizes[3];
    let rotary = sizes[4];
    let half = rotary / 2u;
    let at = thread * head;
    let angles = thread / heads % tokens * rotary;
    var mean = 0.0;
    var scale = 1.0;
    NORMALIZE
    for (var c = 0u; c < half; c++) {
        let a = value(at, c, mean, scale);
        let b = value(at, c + half, mean, scale);
        let cosine = table[angles + c];
        let sine = table[angles + half + c];
        y[at + c] = a * cosine - b * sine;
        y[at + c + half] = b * cosine + a * sine;
    }
    for (var c = rotary; c < head; c++) { y[at + c] = value(at, c, mean, scale); }
}
";

const NORMALIZE: &str = "
    for (var c = 0u; c < head; c++) { mean += x[at + c]; }
    mean = mean / f32(head);
    var squares = 0.0;
    for (var c = 0u; c < head; c++) { squares += (x[at + c] - mean) * (x[at + c] - mean); }
    scale = inverseSqrt(squares / f32(head) + bitcast<f32>(sizes[5]));
";
