// Rotary embedding: a thread turns one head of one token, with NORMALIZE after normalizing it.
//
// `//#` marks lines that only some variants have (src/ops/gpu/text.rs).

struct Sizes {
    // Heads of all tokens.
    threads: u32,
    // Tokens of a sequence.
    tokens: u32,
    // Heads of a token.
    heads: u32,
    // Channels of a head.
    head: u32,
    // Channels of a head that turn, the first ones.
    rotary: u32,
    // Added to the variance of a head.
    epsilon: f32,
}

@group(0) @binding(auto) var<storage, read> x: array<f32>;
@group(0) @binding(auto) var<storage, read> table: array<f32>;
//# if NORMALIZE
@group(0) @binding(auto) var<storage, read> weight: array<f32>;
@group(0) @binding(auto) var<storage, read> bias: array<f32>;
//# end
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

// Channel `c` of the head that begins at `at`.
fn value(at: u32, c: u32, mean: f32, scale: f32) -> f32 {
    //# if NORMALIZE
    return (x[at + c] - mean) * scale * weight[c] + bias[c];
    //# else
    return x[at + c];
    //# end
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let thread = id.y * groups.x * 64u + id.x;
    if (thread >= sizes.threads) { return; }
    let head = sizes.head;
    let rotary = sizes.rotary;
    let half = rotary / 2u;
    let at = thread * head;
    let angles = thread / sizes.heads % sizes.tokens * rotary;
    var mean = 0.0;
    var scale = 1.0;
    //# if NORMALIZE
    for (var c = 0u; c < head; c++) { mean += x[at + c]; }
    mean = mean / f32(head);
    var squares = 0.0;
    for (var c = 0u; c < head; c++) { squares += (x[at + c] - mean) * (x[at + c] - mean); }
    scale = inverseSqrt(squares / f32(head) + sizes.epsilon);
    //# end
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
