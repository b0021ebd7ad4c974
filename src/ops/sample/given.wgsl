// Noise that lies there for every code of every position of every candidate.

@group(0) @binding(auto) var<storage, read> noise: array<f32>;

fn noise_of(at: u32, code: u32, codes: u32) -> f32 {
    return noise[at * codes + code];
}
