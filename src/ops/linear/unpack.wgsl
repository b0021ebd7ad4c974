// Four int8 of a word, the first in the lowest byte.
fn unpack(word: u32) -> vec4<f32> {
    let bits = vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u);
    return vec4<f32>(bits >> vec4<u32>(24u));
}
