// Noise that is made where it is needed, as counted.rs makes it: the same operations in the same order.

@group(0) @binding(auto) var<storage, read> keys: array<vec2<u32>>;

fn scramble(x: u32) -> u32 {
    var h = x;
    h = (h ^ (h >> 16u)) * 0x7feb352du;
    h = (h ^ (h >> 15u)) * 0x846ca68bu;
    return h ^ (h >> 16u);
}

// Not `log`, which may be off by 2⁻²¹ near 1, where the largest noise comes from.
fn logarithm(x: f32) -> f32 {
    let bits = bitcast<u32>(x) + 0x4afb0du;
    let exponent = f32(i32(bits >> 23u) - 127);
    let m = bitcast<f32>((bits & 0x7fffffu) + 0x3f3504f3u);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    return exponent * 0.69314718 + 2.0 * s * (1.0 + z * (0.33333333 + z * (0.2 + z * (0.14285714 + z * 0.11111111))));
}

fn noise_of(at: u32, code: u32, codes: u32) -> f32 {
    let key = keys[at];
    let bits = scramble(scramble(code ^ key.x) ^ key.y);
    var waiting: f32;
    if (bits < 0x80000000u) {
        let t = (f32(bits) + 0.5) * 2.3283064e-10;
        let s = t / (2.0 - t);
        let z = s * s;
        waiting = 2.0 * s * (1.0 + z * (0.33333333 + z * (0.2 + z * (0.14285714 + z * (0.11111111 + z * (0.09090909 + z * 0.07692308))))));
    } else {
        waiting = -logarithm((f32(~bits) + 0.5) * 2.3283064e-10);
    }
    return -logarithm(waiting);
}
