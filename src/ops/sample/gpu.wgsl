// Gumbel-argmax: a group takes one position of one candidate, its threads share the codes. `noise_of` is another file's.

struct Sizes {
    candidates: u32,
    positions: u32,
    codes: u32,
}

@group(0) @binding(auto) var<storage, read> logits: array<f32>;
@group(0) @binding(auto) var<storage, read> tokens: array<i32>;
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

var<workgroup> highs: array<f32, 64>;
var<workgroup> sums: array<f32, 64>;
var<workgroup> codes_of: array<u32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group.y * groups.x + group.x;
    let positions = sizes.positions;
    let codes = sizes.codes;
    let count = sizes.candidates * positions;
    if (at >= count) { return; }
    let position = at % positions;
    let row = position * codes;

    var high = -3.0e38;
    for (var c = lane; c < codes; c += 64u) { high = max(high, logits[row + c]); }
    highs[lane] = high;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half = half / 2u) {
        if (lane < half) { highs[lane] = max(highs[lane], highs[lane + half]); }
        workgroupBarrier();
    }
    high = highs[0];
    workgroupBarrier();

    var sum = 0.0;
    for (var c = lane; c < codes; c += 64u) { sum += exp(logits[row + c] - high); }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half = half / 2u) {
        if (lane < half) { sums[lane] += sums[lane + half]; }
        workgroupBarrier();
    }
    let normalizer = high + log(sums[0]);

    var best = -3.0e38;
    var code = 0u;
    for (var c = lane; c < codes; c += 64u) {
        let score = (logits[row + c] - normalizer) + noise_of(at, c, codes);
        if (score > best) {
            best = score;
            code = c;
        }
    }
    highs[lane] = best;
    codes_of[lane] = code;
    workgroupBarrier();
    if (lane == 0u) {
        for (var i = 1u; i < 64u; i++) {
            // Of equal sums the lowest code.
            if (highs[i] > best || (highs[i] == best && codes_of[i] < code)) {
                best = highs[i];
                code = codes_of[i];
            }
        }
        let known = tokens[position];
        if (known >= 0) { code = u32(known); }
        y[at] = f32(code);
        y[count + at] = logits[row + code] - normalizer;
    }
}
