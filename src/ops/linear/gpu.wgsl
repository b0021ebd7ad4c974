// The product: a thread keeps a tile of ROWS × OUTS sums in registers, and decodes int8 there too.
//
// `//#` marks loops that are written out and lines that only some variants have (src/ops/gpu/text.rs). With Q8 the weight
// is int8 blocks and `Values` four inputs; without, it is f32, four at a time where FOUR.

struct Sizes {
    // Rows of `x`.
    rows: u32,
    // Rows of the weight.
    out: u32,
    // `Values` of a row of `x`.
    width: u32,
    // Blocks of 32 inputs in a row of the weight.
    blocks: u32,
    // Words of a row of scales.
    scale_words: u32,
    // Pixels of a picture, whose rows are laid out as planes; 1 where a row stays a row.
    pixels: u32,
    // Whether there is a bias.
    biased: u32,
    // Whether something is added at the end.
    added: u32,
    // The activation's number.
    activation: u32,
}

@group(0) @binding(auto) var<storage, read> x: array<Values>;
//# if Q8
@group(0) @binding(auto) var<storage, read> packed: array<vec4<u32>>;
@group(0) @binding(auto) var<storage, read> scale: array<u32>;
//# else
@group(0) @binding(auto) var<storage, read> w: array<Values>;
//# end
@group(0) @binding(auto) var<storage, read> bias: array<f32>;
@group(0) @binding(auto) var<storage, read> residual: array<f32>;
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rows = sizes.rows;
    let out = sizes.out;
    let row = id.y * ROWS;
    let col = id.x * OUTS;
    if (row >= rows || col >= out) { return; }
    let width = sizes.width;
    // A tile that hangs over the edge repeats the last row or output and does not write it.
    //# for r in ROWS
    let x$r = min(row + $ru, rows - 1u) * width;
    //# end
    //# for o in OUTS
    let o$o = min(col + $ou, out - 1u);
    //# for r in ROWS
    var a$r_$o = 0.0;
    //# end
    //# end

    //# if Q8
    let blocks = sizes.blocks;
    let scale_words = sizes.scale_words;
    //# for o in OUTS
    let w$o = o$o * blocks * 2u;
    //# end
    for (var block = 0u; block < blocks; block++) {
        //# for o in OUTS
        let p$o = unpack2x16float(scale[o$o * scale_words + block / 2u]);
        let s$o = select(p$o.x, p$o.y, (block & 1u) == 1u);
        //# end
        for (var half = 0u; half < 2u; half++) {
            //# for o in OUTS
            let q$o = packed[w$o + block * 2u + half];
            //# end
            // The four words of half a block.
            //# for c in 4
            {
                // Past the end of a row the weight is zero; the index only has to stay inside x.
                let k = min(block * 8u + half * 4u + $cu, width - 1u);
                //# for o in OUTS
                let f$o = unpack(q$o[$c]) * s$o;
                //# end
                //# for r in ROWS
                let v$r = x[x$r + k];
                //# for o in OUTS
                a$r_$o += dot(v$r, f$o);
                //# end
                //# end
            }
            //# end
        }
    }
    //# else
    for (var k = 0u; k < width; k++) {
        //# for o in OUTS
        let f$o = w[o$o * width + k];
        //# end
        //# for r in ROWS
        let v$r = x[x$r + k];
        //# for o in OUTS
        //# if FOUR
        a$r_$o += dot(v$r, f$o);
        //# else
        a$r_$o += v$r * f$o;
        //# end
        //# end
        //# end
    }
    //# end

    // In loops, and with one formula for both layouts (a plane of one pixel is a row): written out, this part would be
    // most of the text.
    var sums = array<f32, ROWS * OUTS>(
        //# for r in ROWS
        //# for o in OUTS
        a$r_$o,
        //# end
        //# end
    );
    let pixels = sizes.pixels;
    for (var r = 0u; r < ROWS; r++) {
        if (row + r >= rows) { break; }
        let pixel = (row + r) % pixels;
        for (var o = 0u; o < OUTS; o++) {
            if (col + o >= out) { break; }
            let at = (row + r - pixel) * out + (col + o) * pixels + pixel;
            var value = sums[r * OUTS + o];
            if (sizes.biased != 0u) { value += bias[col + o]; }
            value = activate(value, sizes.activation);
            if (sizes.added != 0u) { value += residual[at]; }
            y[at] = value;
        }
    }
}
