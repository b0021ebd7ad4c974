//! Normalization: a thread a run where runs are short, a group a run where they are long.

use super::shader::{ACTIVATE, Shader, bindings, rows, spread};

/// Runs up to this long are one thread's: the sums of a group cost more than they save.
const SHORT: usize = 512;

/// The shader for runs of `length` values, and its groups.
pub fn norm(length: usize, runs: usize) -> (Shader, [u32; 2]) {
    let long = length > SHORT;
    let variant = [u32::from(long), 0, 0, 0];
    let groups = if long { rows(runs) } else { spread(runs) };
    (Shader { variant, ..Shader::plain("norm", source) }, groups)
}

fn source([long, ..]: [u32; 4]) -> String {
    let bindings = bindings(&[("x", "f32"), ("weight", "f32"), ("bias", "f32")]);
    let body = if long == 0 { SHORT_RUNS } else { LONG_RUNS };
    format!("{bindings}{ACTIVATE}{WRITE}{body}")
}

const WRITE: &str = "
fn write(at: u32, mean: f32, scale: f32) {
    let channel = at / sizes[2] % sizes[3];
    y[at] = activate((x[at] - mean) * scale * weight[channel] + bias[channel], sizes[5]);
}
";

const SHORT_RUNS: &str = "
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let run = id.y * groups.x * 64u + id.x;
    if (run >= sizes[0]) { return; }
    let length = sizes[1];
    let first = run * length;
    var sum = 0.0;
    for (var i = 0u; i < length; i++) { sum += x[first + i]; }
    let mean = sum / f32(length);
    var squares = 0.0;
    for (var i = 0u; i < length; i++) {
        let d = x[first + i] - mean;
        squares += d * d;
    }
    let scale = inverseSqrt(squares / f32(length) + bitcast<f32>(sizes[4]));
    for (var i = 0u; i < length; i++) { write(first + i, mean, scale); }
}
";

const LONG_RUNS: &str = "
var<workgroup> parts: array<f32, 64>;

fn total(lane: u32, part: f32) -> f32 {
    parts[lane] = part;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half = half / 2u) {
        if (lane < half) { parts[lane] += parts[lane + half]; }
        workgroupBarrier();
    }
    let sum = parts[0];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(GROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let run = group.y * groups.x + group.x;
    if (run >= sizes[0]) { return; }
    let length = sizes[1];
    let first = run * length;
    var sum = 0.0;
    for (var i = lane; i < length; i += 64u) { sum += x[first + i]; }
    let mean = total(lane, sum) / f32(length);
    var squares = 0.0;
    for (var i = lane; i < length; i += 64u) {
        let d = x[first + i] - mean;
        squares += d * d;
    }
    let scale = inverseSqrt(total(lane, squares) / f32(length) + bitcast<f32>(sizes[4]));
    for (var i = lane; i < length; i += 64u) { write(first + i, mean, scale); }
}
";
