// The activations, by their numbers.

fn activate(x: f32, number: u32) -> f32 {
    switch number {
        case 1u: { return x / (1.0 + exp(-1.5957691 * (x + 0.044715 * x * x * x))); }
        case 2u: { return x / (1.0 + exp(-1.702 * x)); }
        case 3u: { return x / (1.0 + exp(-x)); }
        default: { return x; }
    }
}
