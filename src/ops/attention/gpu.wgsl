// Attention: a thread holds one query and runs over all keys once, with the softmax kept as it goes (the running
// maximum and sum of FlashAttention, arXiv 2205.14135).
//
// `//#` marks loops that are written out and lines that only some variants have (src/ops/gpu/text.rs). A head is WORDS
// vectors, `Channels`; a thread keeps PARTS of them of the result, and CUT threads share a head. Keys come in GROUPS: the
// new ones, and before them those of the past where there is one.

struct Sizes {
    // Sequences.
    batch: u32,
    // Queries of a sequence.
    rows: u32,
    // Heads.
    heads: u32,
    // Keys of the first group and of the second, which is empty where there is but one.
    tokens0: u32,
    tokens1: u32,
    // Steps of the bias from sequence to sequence and from row to row.
    by_sequence: u32,
    by_row: u32,
}

@group(0) @binding(auto) var<storage, read> q: array<Channels>;
//# for g in GROUPS
@group(0) @binding(auto) var<storage, read> keys$g: array<Channels>;
@group(0) @binding(auto) var<storage, read> values$g: array<Channels>;
//# end
//# if BIASED
@group(0) @binding(auto) var<storage, read> bias: array<f32>;
//# end
@group(0) @binding(auto) var<storage, read_write> y: array<Channels>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

// The sum of a vector's numbers.
fn total(products: Channels) -> f32 {
    //# if FOUR
    return products.x + products.y + products.z + products.w;
    //# end
    //# if TWO
    return products.x + products.y;
    //# end
    //# if ONE
    return products;
    //# end
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let rows = sizes.rows;
    let heads = sizes.heads;
    let thread = id.y * groups.x * 64u + id.x;
    // Neighbouring threads take neighbouring rows of one head: they read the same keys.
    let row = thread % rows;
    let part = thread / rows % CUT;
    let h = thread / rows / CUT % heads;
    let sequence = thread / rows / CUT / heads;
    if (sequence >= sizes.batch) { return; }
    let width = heads * WORDS;
    let place = (sequence * rows + row) * width + h * WORDS;
    var largest = -3.0e38;
    var sum = 0.0;
    // The query stays in registers where it is not wider than what a thread keeps anyway.
    //# if HELD
    //# for i in WORDS
    let q$i = q[place + $iu] * SCALE;
    //# end
    //# end
    //# for i in PARTS
    var a$i = Channels(0.0);
    //# end
    //# if BIASED
    let bias_at = sequence * sizes.by_sequence + row * sizes.by_row;
    //# end
    let first0 = 0u;
    let first1 = sizes.tokens0;
    //# for g in GROUPS
    for (var c = 0u; c < sizes.tokens$g; c++) {
        let at = (sequence * sizes.tokens$g + c) * width + h * WORDS;
        //# if HELD
        var products = q0 * keys$g[at];
        //# for i in 1..WORDS
        products += q$i * keys$g[at + $iu];
        //# end
        var score = total(products);
        //# else
        var products = Channels(0.0);
        for (var i = 0u; i < WORDS; i++) {
            products += q[place + i] * keys$g[at + i];
        }
        var score = total(products) * SCALE;
        //# end
        //# if BIASED
        score += bias[bias_at + first$g + c];
        //# end
        if (score > largest) {
            let less = exp(largest - score);
            largest = score;
            sum *= less;
            //# for i in PARTS
            a$i *= less;
            //# end
        }
        let p = exp(score - largest);
        sum += p;
        let value = at + part * PARTS;
        //# for i in PARTS
        a$i += p * values$g[value + $iu];
        //# end
    }
    //# end
    let to = place + part * PARTS;
    //# for i in PARTS
    y[to + $iu] = a$i / sum;
    //# end
}
