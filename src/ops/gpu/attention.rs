//! Attention: a thread holds one query and runs over all keys once, with the softmax kept as it goes (the running
//! maximum and sum of FlashAttention, arXiv 2205.14135).

use super::shader::{SPREAD, Shader, bindings, line};

/// Channels of the result that a thread keeps. A wider head is cut, and each part computes the scores again.
const CHUNK: usize = 64;

/// Channels that are read at once: the widest vector that divides a head.
fn lanes(head: u32) -> (u32, &'static str) {
    match head {
        _ if head.is_multiple_of(4) => (4, "vec4<f32>"),
        _ if head.is_multiple_of(2) => (2, "vec2<f32>"),
        _ => (1, "f32"),
    }
}

/// The shader for heads of `head` channels, and into how many threads each query is cut.
pub fn attention(head: usize, past: bool, bias: bool) -> (Shader, usize) {
    let lanes = lanes(head as u32).0 as usize;
    let chunk =
        (lanes..=CHUNK.min(head)).rev().find(|chunk| chunk.is_multiple_of(lanes) && head.is_multiple_of(*chunk));
    let chunk = chunk.unwrap_or(lanes);
    let variant = [head as u32, chunk as u32, u32::from(past), u32::from(bias)];
    (Shader { name: "attention", variant, group: [SPREAD, 1], write: source }, head / chunk)
}

fn source([head, chunk, past, bias]: [u32; 4]) -> String {
    let (past, bias) = (past != 0, bias != 0);
    let (lanes, vector) = lanes(head);
    let mut read = vec![("q", vector), ("k", vector), ("v", vector)];
    if past {
        read.extend([("past_k", vector), ("past_v", vector)]);
    }
    if bias {
        read.push(("bias", "f32"));
    }
    // The query stays in registers where it is not wider than what a thread keeps anyway.
    let held = head == chunk;
    let (words, parts) = (head / lanes, chunk / lanes);
    let total = match lanes {
        4 => "products.x + products.y + products.z + products.w",
        2 => "products.x + products.y",
        _ => "products",
    };
    let mut s = bindings(&read).replace("y: array<f32>", &format!("y: array<{vector}>"));
    s.push_str(&format!(
        "
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {{
    let rows = sizes[1];
    let past = sizes[2];
    let columns = sizes[3];
    let heads = sizes[4];
    let thread = id.y * groups.x * 64u + id.x;
    // Neighbouring threads take neighbouring rows of one head: they read the same keys.
    let row = thread % rows;
    let part = thread / rows % {cut}u;
    let h = thread / rows / {cut}u % heads;
    let sequence = thread / rows / {cut}u / heads;
    if (sequence >= sizes[0]) {{ return; }}
    let width = heads * {words}u;
    let place = (sequence * rows + row) * width + h * {words}u;
    var largest = -3.0e38;
    var sum = 0.0;
",
        cut = head / chunk
    ));
    let scale = (head as f32).powf(-0.5);
    if held {
        for i in 0..words {
            line(&mut s, format_args!("    let q{i} = q[place + {i}u] * {scale:?};"));
        }
    }
    for i in 0..parts {
        line(&mut s, format_args!("    var a{i} = {vector}(0.0);"));
    }
    if bias {
        line(&mut s, format_args!("    let bias_at = sequence * sizes[5] + row * sizes[6];"));
    }
    let mut run = |keys: &str, values: &str, count: &str, first: &str| {
        line(&mut s, format_args!("    for (var c = 0u; c < {count}; c++) {{"));
        line(&mut s, format_args!("        let at = (sequence * {count} + c) * width + h * {words}u;"));
        if held {
            line(&mut s, format_args!("        var products = q0 * {keys}[at];"));
            for i in 1..words {
                line(&mut s, format_args!("        products += q{i} * {keys}[at + {i}u];"));
            }
            line(&mut s, format_args!("        var score = {total};"));
        } else {
            line(&mut s, format_args!("        var products = {vector}(0.0);"));
            line(&mut s, format_args!("        for (var i = 0u; i < {words}u; i++) {{"));
            line(&mut s, format_args!("            products += q[place + i] * {keys}[at + i];\n        }}"));
            line(&mut s, format_args!("        var score = ({total}) * {scale:?};"));
        }
        if bias {
            line(&mut s, format_args!("        score += bias[bias_at + {first} + c];"));
        }
        line(&mut s, format_args!("        if (score > largest) {{\n            let less = exp(largest - score);"));
        line(&mut s, format_args!("            largest = score;\n            sum *= less;"));
        for i in 0..parts {
            line(&mut s, format_args!("            a{i} *= less;"));
        }
        line(&mut s, format_args!("        }}\n        let p = exp(score - largest);\n        sum += p;"));
        line(&mut s, format_args!("        let value = at + part * {parts}u;"));
        for i in 0..parts {
            line(&mut s, format_args!("        a{i} += p * {values}[value + {i}u];"));
        }
        line(&mut s, format_args!("    }}"));
    };
    if past {
        run("past_k", "past_v", "past", "0u");
    }
    run("k", "v", "columns", "past");
    line(&mut s, format_args!("    let to = place + part * {parts}u;"));
    for i in 0..parts {
        line(&mut s, format_args!("    y[to + {i}u] = a{i} / sum;"));
    }
    line(&mut s, format_args!("}}"));
    s
}
