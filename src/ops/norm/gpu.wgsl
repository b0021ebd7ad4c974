// Normalization: a thread a run where runs are short, a group a run where they are LONG.
//
// `//#` marks lines that only some variants have (src/ops/gpu/text.rs).

struct Sizes {
    // Runs of neighbouring values that share mean and variance.
    runs: u32,
    // Values of a run.
    length: u32,
    // Neighbouring values that share a channel.
    inner: u32,
    channels: u32,
    // Added to the variance.
    epsilon: f32,
    // The activation's number.
    activation: u32,
}

@group(0) @binding(auto) var<storage, read> x: array<f32>;
@group(0) @binding(auto) var<storage, read> weight: array<f32>;
@group(0) @binding(auto) var<storage, read> bias: array<f32>;
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

fn write(at: u32, mean: f32, scale: f32) {
    let channel = at / sizes.inner % sizes.channels;
    y[at] = activate((x[at] - mean) * scale * weight[channel] + bias[channel], sizes.activation);
}

//# if LONG
var<workgroup> parts: array<f32, 64>;

// The sum of every thread's part.
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

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let run = group.y * groups.x + group.x;
    if (run >= sizes.runs) { return; }
    let length = sizes.length;
    let first = run * length;
    var sum = 0.0;
    for (var i = lane; i < length; i += 64u) { sum += x[first + i]; }
    let mean = total(lane, sum) / f32(length);
    var squares = 0.0;
    for (var i = lane; i < length; i += 64u) {
        let d = x[first + i] - mean;
        squares += d * d;
    }
    let scale = inverseSqrt(total(lane, squares) / f32(length) + sizes.epsilon);
    for (var i = lane; i < length; i += 64u) { write(first + i, mean, scale); }
}
//# else
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let run = id.y * groups.x * 64u + id.x;
    if (run >= sizes.runs) { return; }
    let length = sizes.length;
    let first = run * length;
    var sum = 0.0;
    for (var i = 0u; i < length; i++) { sum += x[first + i]; }
    let mean = sum / f32(length);
    var squares = 0.0;
    for (var i = 0u; i < length; i++) {
        let d = x[first + i] - mean;
        squares += d * d;
    }
    let scale = inverseSqrt(squares / f32(length) + sizes.epsilon);
    for (var i = 0u; i < length; i++) { write(first + i, mean, scale); }
}
//# end
