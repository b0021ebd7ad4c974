//! Each operation and its way back in PyTorch's terms.
//!
//! Kinds follow one rule: a gradient has the kind of what it is the gradient of, so that burn's own operations, which may
//! lie between ours, find what they expect.

use std::sync::OnceLock;

use tch::{Kind, Tensor};

use super::{Op, What};
use crate::ops::{Activation, Windows};

/// Tensors that an operation keeps for its way back; what each is, its two functions know.
pub type Kept = Vec<Tensor>;

/// Gradients of the three inputs, as far as wanted.
type Gradients = [Option<Tensor>; 3];

/// What an operation's sizes rule out: PyTorch's own words, with the operation's name.
fn sound<T>(result: Result<T, tch::TchError>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("PyTorch cannot {what}: {error}"))
}

/// The result, and what [`back`] will be handed.
pub fn forward(op: &Op, [a, b, c]: [&Tensor; 3], constant: &Tensor) -> (Tensor, Kept) {
    let kind = if op.half { Kind::BFloat16 } else { Kind::Float };
    match op.what {
        What::Activate(activation) => activate(&a.to_kind(kind), a.kind(), activation),
        What::Normalize { epsilon } => normalize([a, b, c], kind, epsilon),
        What::NormalizeGroups { groups, epsilon, activation } => {
            normalize_groups([a, b, c], kind, groups, epsilon, activation)
        }
        What::Project { biased } => project(a, b, biased.then_some(c), kind),
        What::Convolve { windows, biased } => convolve(a, b, biased.then_some(c), windows, kind),
        What::Attend { heads, biased } => attend([a, b, c], biased.then_some(constant), heads, kind),
        What::Turn { heads } => {
            (turn(&a.to_kind(kind), constant, heads, false), vec![constant.shallow_clone(), mark(a)])
        }
        What::CrossEntropy => cross_entropy(&a.to_kind(kind), constant, a),
    }
}

/// The gradients, given that of the result.
pub fn back(op: &Op, kept: &[Tensor], dy: &Tensor, wanted: [bool; 3]) -> Gradients {
    let kind = if op.half { Kind::BFloat16 } else { Kind::Float };
    let dy = dy.to_kind(kind);
    match op.what {
        What::Activate(activation) => [Some(activate_back(kept, &dy, activation)), None, None],
        What::Normalize { .. } => normalize_back(kept, &dy),
        What::NormalizeGroups { groups, activation, .. } => normalize_groups_back(kept, &dy, groups, activation),
        What::Project { .. } => project_back(kept, &dy, wanted),
        What::Convolve { windows, .. } => convolve_back(kept, &dy, windows, wanted),
        What::Attend { heads, biased } => attend_back(kept, &dy, heads, biased),
        What::Turn { heads } => [Some(turn(&dy, &kept[0], heads, true).to_kind(kept[1].kind())), None, None],
        What::CrossEntropy => [Some(cross_entropy_back(kept, &dy)), None, None],
    }
}

/// An empty tensor that remembers another's kind.
fn mark(of: &Tensor) -> Tensor {
    Tensor::empty([0], (of.kind(), of.device()))
}

/// A gradient in the kind of `like`.
fn as_kind(gradient: Option<Tensor>, like: &Tensor) -> Option<Tensor> {
    gradient.map(|gradient| gradient.to_kind(like.kind()))
}

/// A parameter's gradient.
fn as_parameter(gradient: Option<Tensor>) -> Option<Tensor> {
    gradient.map(|gradient| gradient.to_kind(Kind::Float))
}

fn activated(x: &Tensor, activation: Activation) -> Tensor {
    match activation {
        Activation::None => x.shallow_clone(),
        Activation::GeluNew => x.gelu("tanh"),
        Activation::QuickGelu => (x * 1.702).sigmoid_() * x,
        Activation::Swish => x.silu(),
    }
}

fn activation_back(x: &Tensor, dy: &Tensor, activation: Activation) -> Tensor {
    match activation {
        Activation::None => dy.shallow_clone(),
        Activation::GeluNew => x.gelu_backward(dy, "tanh"),
        Activation::QuickGelu => {
            let gate = (x * 1.702).sigmoid_();
            let slope = (1.0f64 - &gate) * 1.702 * x + 1.0;
            slope * gate * dy
        }
        Activation::Swish => x.silu_backward(dy),
    }
}

fn activate(x: &Tensor, kind: Kind, activation: Activation) -> (Tensor, Kept) {
    (activated(x, activation), vec![x.shallow_clone(), Tensor::empty([0], (kind, x.device()))])
}

fn activate_back(kept: &[Tensor], dy: &Tensor, activation: Activation) -> Tensor {
    activation_back(&kept[0], dy, activation).to_kind(kept[1].kind())
}

fn normalize([x, weight, bias]: [&Tensor; 3], kind: Kind, epsilon: f64) -> (Tensor, Kept) {
    let original = mark(x);
    let [x, weight, bias] = [x.to_kind(kind).contiguous(), weight.to_kind(kind), bias.to_kind(kind)];
    let (y, mean, deviation) =
        sound(x.f_native_layer_norm(weight.size(), Some(&weight), Some(&bias), epsilon), "normalize layers");
    (y, vec![x, mean, deviation, weight, bias, original])
}

fn normalize_back(kept: &[Tensor], dy: &Tensor) -> Gradients {
    let [x, mean, deviation, weight, bias, original] = kept else { unreachable!("six tensors are kept") };
    let given = torch_ops::layer_norm_backward(&dy.contiguous(), x, [mean, deviation], weight, bias);
    let [dx, dw, db] = sound(given, "differentiate a layer normalization");
    [as_kind(dx, original), as_parameter(dw), as_parameter(db)]
}

fn normalize_groups(
    [x, weight, bias]: [&Tensor; 3],
    kind: Kind,
    groups: usize,
    epsilon: f64,
    activation: Activation,
) -> (Tensor, Kept) {
    let original = mark(x);
    let [x, weight, bias] = [x.to_kind(kind).contiguous(), weight.to_kind(kind), bias.to_kind(kind)];
    let size = x.size();
    let (batch, channels, pixels) = (size[0], size[1], size[2] * size[3]);
    let (y, mean, deviation) = sound(
        x.f_native_group_norm(Some(&weight), Some(&bias), batch, channels, pixels, groups as i64, epsilon),
        "normalize groups",
    );
    let z = activated(&y, activation);
    (z, vec![x, mean, deviation, weight, original, y])
}

fn normalize_groups_back(kept: &[Tensor], dy: &Tensor, groups: usize, activation: Activation) -> Gradients {
    let [x, mean, deviation, weight, original, y] = kept else { unreachable!("six tensors are kept") };
    let dy = activation_back(y, dy, activation).contiguous();
    let given = torch_ops::group_norm_backward(&dy, x, [mean, deviation], weight, groups as i64);
    let [dx, dw, db] = sound(given, "differentiate a group normalization");
    [as_kind(dx, original), as_parameter(dw), as_parameter(db)]
}

fn project(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, kind: Kind) -> (Tensor, Kept) {
    let original = mark(x);
    let (x, weight) = (x.to_kind(kind), weight.to_kind(kind));
    let y = sound(x.f_linear(&weight, bias.map(|bias| bias.to_kind(kind)).as_ref()), "project");
    (y, vec![x, weight, original])
}

fn project_back(kept: &[Tensor], dy: &Tensor, [wants_x, wants_weight, wants_bias]: [bool; 3]) -> Gradients {
    let [x, weight, original] = kept else { unreachable!("three tensors are kept") };
    let dx = wants_x.then(|| dy.matmul(weight).to_kind(original.kind()));
    let dw = wants_weight.then(|| product_over_rows(dy, x));
    let db = wants_bias.then(|| dy.sum_dim_intlist([0i64].as_slice(), false, Kind::Float));
    [dx, dw, db]
}

/// `dyᵀ · x`, f32, of `dy` `[rows, out]` and `x` `[rows, inputs]`.
///
/// A card gives each tile of a result to one of its processors: a small matrix summed over many rows would keep few of
/// them busy, so the rows are cut into parts, whose sums are added in f32.
fn product_over_rows(dy: &Tensor, x: &Tensor) -> Tensor {
    let (rows, out, inputs) = (dy.size()[0], dy.size()[1], x.size()[1]);
    let tiles = (out.unsigned_abs().div_ceil(128) * inputs.unsigned_abs().div_ceil(128)) as i64;
    let most = (PROCESSORS / tiles).clamp(1, 64).min(rows / 1024);
    match (2..=most).rev().find(|parts| rows % parts == 0) {
        Some(parts) => {
            let [dy, x] = [dy, x].map(|x| x.contiguous().view([parts, rows / parts, x.size()[1]]));
            dy.transpose(1, 2).bmm(&x).sum_dim_intlist([0i64].as_slice(), false, Kind::Float)
        }
        None => dy.tr().matmul(x).to_kind(Kind::Float),
    }
}

/// Twice the multiprocessors of an H100.
const PROCESSORS: i64 = 264;

fn pair(of: [usize; 2]) -> [i64; 2] {
    of.map(|number| number as i64)
}

/// Stride and padding; pictures are padded alike on opposite sides here.
fn steps(windows: Windows) -> [[i64; 2]; 2] {
    let [top, _, left, _] = windows.padding;
    [pair(windows.stride), pair([top, left])]
}

fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, windows: Windows, kind: Kind) -> (Tensor, Kept) {
    let original = mark(x);
    let (mut x, weight) = (x.to_kind(kind).contiguous(), weight.to_kind(kind).contiguous());
    if windows.enlarge > 1 {
        let (size, times) = (x.size(), windows.enlarge as i64);
        x = sound(x.f_upsample_nearest2d([size[2] * times, size[3] * times], None, None), "enlarge");
    }
    let [stride, padding] = steps(windows);
    let bias = bias.map(|bias| bias.to_kind(kind));
    let y = sound(x.f_conv2d(&weight, bias.as_ref(), stride, padding, [1i64, 1], 1), "convolve");
    (y, vec![x, weight, original])
}

fn convolve_back(kept: &[Tensor], dy: &Tensor, windows: Windows, wanted: [bool; 3]) -> Gradients {
    let [x, weight, original] = kept else { unreachable!("three tensors are kept") };
    let [wants_x, _, wants_bias] = wanted;
    let given = torch_ops::convolution_backward(&dy.contiguous(), x, weight, steps(windows), [wants_x, wants_bias]);
    let [dx, dw, db] = sound(given, "differentiate a convolution");
    let dx = dx.map(|dx| match windows.enlarge as i64 {
        1 => dx,
        times => {
            let size = x.size();
            let [batch, channels, height, width] = [size[0], size[1], size[2], size[3]];
            let before = [batch, channels, height / times, width / times];
            sound(
                Tensor::f_upsample_nearest2d_backward(&dx.contiguous(), [height, width], before, None, None),
                "differentiate an enlargement",
            )
        }
    });
    [as_kind(dx, original), as_parameter(dw), as_parameter(db)]
}

/// `[batch, tokens, heads·head]` as `[batch, heads, tokens, head]`, in place.
fn split(x: &Tensor, heads: usize) -> Tensor {
    let size = x.size();
    x.view([size[0], size[1], heads as i64, size[2] / heads as i64]).transpose(1, 2)
}

/// The reverse of [`split`], a copy only where heads lie apart in memory.
fn join(x: &Tensor) -> Tensor {
    let size = x.size();
    x.transpose(1, 2).reshape([size[0], size[2], size[1] * size[3]])
}

/// The bias for every head and row, with rows a multiple of 8 numbers apart, as the card's kernel reads them.
fn spread(bias: &Tensor, q: &Tensor, columns: i64, kind: Kind) -> Tensor {
    let (size, apart) = (q.size(), columns.unsigned_abs().next_multiple_of(8) as i64);
    let mut bias = bias.to_kind(kind);
    if apart > columns {
        bias = bias.constant_pad_nd([0, apart - columns]).narrow(3, 0, columns);
    }
    bias.expand([size[0], size[1], size[2], columns], false)
}

fn attend(inputs: [&Tensor; 3], bias: Option<&Tensor>, heads: usize, kind: Kind) -> (Tensor, Kept) {
    let originals = inputs.map(mark);
    let [q, k, v] = inputs.map(|x| split(&x.to_kind(kind).contiguous(), heads));
    let scale = (q.size()[3] as f64).powf(-0.5);
    let bias = bias.map(|bias| spread(bias, &q, k.size()[2], kind));
    let (out, mut rest) = if q.device().is_cuda() {
        let found = Tensor::f_internal_scaled_dot_product_efficient_attention(
            &q,
            &k,
            &v,
            bias.as_ref(),
            true,
            0.0,
            false,
            scale,
        );
        let (out, sum, seed, offset) = sound(found, "attend");
        (out, vec![sum, seed, offset])
    } else {
        let found =
            Tensor::f_internal_scaled_dot_product_flash_attention_for_cpu(&q, &k, &v, 0.0, false, bias.as_ref(), scale);
        let (out, sum) = sound(found, "attend");
        (out, vec![sum])
    };
    let y = join(&out);
    let mut kept = vec![q, k, v, out, bias.unwrap_or_else(|| y.shallow_clone())];
    kept.extend(originals);
    kept.append(&mut rest);
    (y, kept)
}

fn attend_back(kept: &[Tensor], dy: &Tensor, heads: usize, biased: bool) -> Gradients {
    let [q, k, v, out, bias, q_kind, k_kind, v_kind, rest @ ..] = kept else {
        unreachable!("more than eight tensors are kept")
    };
    let (dy, bias) = (split(&dy.contiguous(), heads), biased.then_some(bias));
    let scale = (q.size()[3] as f64).powf(-0.5);
    let [dq, dk, dv] = match rest {
        [sum, seed, offset] => sound(
            torch_ops::attention_backward(&dy, [q, k, v], bias, [out, sum, seed, offset], scale),
            "differentiate attention",
        ),
        [sum] => {
            let (dq, dk, dv) = sound(
                Tensor::f_internal_scaled_dot_product_flash_attention_for_cpu_backward(
                    &dy, q, k, v, out, sum, 0.0, false, bias, scale,
                ),
                "differentiate attention",
            );
            [Some(dq), Some(dk), Some(dv)]
        }
        _ => unreachable!("the card keeps three tensors more, the processor one"),
    };
    let given = |gradient: Option<Tensor>, like: &Tensor| as_kind(gradient.map(|gradient| join(&gradient)), like);
    [given(dq, q_kind), given(dk, k_kind), given(dv, v_kind)]
}

/// Whether the kernel of our own can be used; found out at the first rotation on a card.
static KERNEL: OnceLock<bool> = OnceLock::new();

/// Rotates the first `rotary` channels of every head, forwards or back.
fn turn(x: &Tensor, table: &Tensor, heads: usize, back: bool) -> Tensor {
    let own = || torch_ops::turn(&x.contiguous(), &table.contiguous(), heads as i64, back);
    let usable = || {
        KERNEL.get_or_init(|| match own() {
            Ok(y) => {
                let [y, wanted] = [y, turn_composed(x, table, heads, back)].map(|y| y.to_kind(Kind::Float));
                // Half a unit in the last of bfloat16's places, and the rounding in between.
                let off = (&y - &wanted).abs().max() - wanted.abs().max() * 0.02;
                let same = f64::try_from(off).is_ok_and(|off| off <= 0.0);
                if !same {
                    eprintln!(
                        "the kernel for rotary embeddings is wrong on this card: PyTorch's operations take its place"
                    );
                }
                same
            }
            Err(error) => {
                eprintln!("rotary embeddings take PyTorch's operations: {error}");
                false
            }
        })
    };
    if x.device().is_cuda()
        && *usable()
        && let Ok(y) = own()
    {
        return y;
    }
    turn_composed(x, table, heads, back)
}

fn turn_composed(x: &Tensor, table: &Tensor, heads: usize, back: bool) -> Tensor {
    let (size, rotary) = (x.size(), table.size()[1]);
    let (head, half) = (size[2] / heads as i64, rotary / 2);
    let each = [size[0], size[1], heads as i64, head];
    let x = x.reshape(each);
    // In f32, which the products are computed in then: of two kinds PyTorch takes the wider.
    let angles = |from: i64| table.narrow(1, from, half).unsqueeze(1);
    let (cos, sin) = (angles(0), angles(half));
    let minus = -&sin;
    let (sin, minus) = if back { (minus, sin) } else { (sin, minus) };
    let y = Tensor::empty(each, (x.kind(), x.device()));
    let part = |of: &Tensor, from: i64, length: i64| of.narrow(3, from, length);
    let (left, right) = (part(&x, 0, half), part(&x, half, half));
    let (mut to_left, mut to_right) = (part(&y, 0, half), part(&y, half, half));
    let _ = left.mul_out(&to_left, &cos);
    let _ = to_left.addcmul_(&right, &minus);
    let _ = right.mul_out(&to_right, &cos);
    let _ = to_right.addcmul_(&left, &sin);
    if rotary < head {
        part(&y, rotary, head - rotary).copy_(&part(&x, rotary, head - rotary));
    }
    y.view(size.as_slice())
}

fn cross_entropy(logits: &Tensor, labels: &Tensor, original: &Tensor) -> (Tensor, Kept) {
    let labels = labels.to_kind(Kind::Int64).unsqueeze(1);
    let shares = logits.softmax(1, None);
    let losses = -shares.gather(1, &labels, false).squeeze_dim(1).to_kind(Kind::Float).clamp_min(1e-37).log();
    (losses, vec![shares, labels, mark(original)])
}

fn cross_entropy_back(kept: &[Tensor], dy: &Tensor) -> Tensor {
    let [shares, labels, original] = kept else { unreachable!("three tensors are kept") };
    let dy = dy.unsqueeze(1);
    let mut gradient = shares * &dy;
    let _ = gradient.scatter_add_(1, labels, &-dy);
    gradient.to_kind(original.kind())
}
