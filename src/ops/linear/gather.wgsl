// Row look-up in a part of a weight: a thread decodes one word, four values.

struct Sizes {
    // Rows that are looked for.
    count: u32,
    // Rows of the whole weight.
    out: u32,
    // Width of a row.
    inputs: u32,
    // Words of a row of the weight.
    row_words: u32,
    // Words of a row of scales.
    scale_words: u32,
    // First row of this part.
    start: u32,
    // Rows of this part.
    rows: u32,
}

@group(0) @binding(auto) var<storage, read> ids: array<i32>;
@group(0) @binding(auto) var<storage, read> packed: array<u32>;
@group(0) @binding(auto) var<storage, read> scale: array<u32>;
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let inputs = sizes.inputs;
    let words = (inputs + 3u) / 4u;
    let thread = id.y * groups.x * 64u + id.x;
    let n = thread / words;
    if (n >= sizes.count) { return; }
    let word = thread % words;
    // What lies before the part wraps to something no weight is as large as.
    let row = u32(clamp(ids[n], 0, i32(sizes.out) - 1)) - sizes.start;
    if (row >= sizes.rows) { return; }
    let block = word / 8u;
    let pair = unpack2x16float(scale[row * sizes.scale_words + block / 2u]);
    let s = select(pair.x, pair.y, (block & 1u) == 1u);
    let value = unpack(packed[row * sizes.row_words + word]) * s;
    let k = word * 4u;
    let at = n * inputs + k;
    y[at] = value.x;
    if (k + 1u < inputs) { y[at + 1u] = value.y; }
    if (k + 2u < inputs) { y[at + 2u] = value.z; }
    if (k + 3u < inputs) { y[at + 3u] = value.w; }
}
