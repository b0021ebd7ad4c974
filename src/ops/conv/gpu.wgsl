// Windows of a picture as rows: a thread copies one value.

struct Sizes {
    // Windows that are wanted, and the first of them.
    count: u32,
    start: u32,
    // The picture.
    channels: u32,
    height: u32,
    width: u32,
    // Windows down and across the whole picture.
    out_height: u32,
    out_width: u32,
    // A window.
    kernel_height: u32,
    kernel_width: u32,
    // Pixels between windows.
    stride_down: u32,
    stride_across: u32,
    // Zeros above the picture and to its left.
    top: u32,
    left: u32,
    // How often every pixel is repeated in both directions.
    enlarge: u32,
}

@group(0) @binding(auto) var<storage, read> x: array<f32>;
@group(0) @binding(auto) var<storage, read_write> y: array<f32>;
@group(0) @binding(auto) var<storage> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let channels = sizes.channels;
    let height = sizes.height;
    let width = sizes.width;
    let kh = sizes.kernel_height;
    let kw = sizes.kernel_width;
    let inputs = channels * kh * kw;
    let thread = id.y * groups.x * 64u + id.x;
    let n = thread / inputs;
    if (n >= sizes.count) { return; }
    let k = thread % inputs;
    let window = sizes.start + n;
    let batch = window / (sizes.out_height * sizes.out_width);
    let out_y = window / sizes.out_width % sizes.out_height;
    let out_x = window % sizes.out_width;
    let channel = k / (kh * kw);
    // Padding makes these negative: as u32 they wrap to something no picture is as large as.
    let from_y = out_y * sizes.stride_down + k / kw % kh - sizes.top;
    let from_x = out_x * sizes.stride_across + k % kw - sizes.left;
    var value = 0.0;
    let enlarge = sizes.enlarge;
    if (from_y < height * enlarge && from_x < width * enlarge) {
        value = x[((batch * channels + channel) * height + from_y / enlarge) * width + from_x / enlarge];
    }
    y[thread] = value;
}
