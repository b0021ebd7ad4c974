//! Operations of PyTorch that the crate tch does not reach: backward passes, which take arrays of flags, and steps of
//! many tensors at once, which take lists of tensors that they change.

use std::ffi::{CString, c_char, c_int, c_void};

use tch::{TchError, Tensor};

/// A tensor as tch and PyTorch's C++ know it.
type Raw = *mut c_void;

unsafe extern "C" {
    fn torch_ops_load(name: *const c_char, error: *mut c_char, room: usize) -> c_int;
    fn torch_ops_layer_norm_backward(r#in: *const Raw, out: *mut Raw, error: *mut c_char, room: usize) -> c_int;
    fn torch_ops_group_norm_backward(
        r#in: *const Raw,
        out: *mut Raw,
        groups: i64,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn torch_ops_convolution_backward(
        r#in: *const Raw,
        out: *mut Raw,
        stride: *const i64,
        padding: *const i64,
        wants_x: bool,
        biased: bool,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn torch_ops_attention_backward(
        r#in: *const Raw,
        out: *mut Raw,
        scale: f64,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn torch_ops_adamw(
        parameters: *const Raw,
        gradients: *const Raw,
        first: *const Raw,
        second: *const Raw,
        steps: *const Raw,
        count: usize,
        rate: f64,
        beta_1: f64,
        beta_2: f64,
        decay: f64,
        epsilon: f64,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn torch_ops_turn(
        r#in: *const Raw,
        out: *mut Raw,
        heads: i64,
        back: bool,
        source: *const c_char,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn torch_ops_clip(
        tensors: *const Raw,
        out: *mut Raw,
        count: usize,
        most: f64,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
}

fn raw(tensor: &Tensor) -> Raw {
    tensor.as_ptr().cast_mut().cast()
}

fn raws(tensors: &[Tensor]) -> Vec<Raw> {
    tensors.iter().map(raw).collect()
}

/// Runs a call that is handed room for an error.
fn checked(call: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), TchError> {
    let mut error = vec![0u8; 4096];
    if call(error.as_mut_ptr().cast(), error.len()) == 0 {
        return Ok(());
    }
    let end = error.iter().position(|&byte| byte == 0).unwrap_or(error.len());
    Err(TchError::Torch(String::from_utf8_lossy(&error[..end]).into_owned()))
}

/// As [`checked`], of a call that makes three tensors; `None` where one was not asked for.
fn three(call: impl FnOnce(*mut Raw, *mut c_char, usize) -> c_int) -> Result<[Option<Tensor>; 3], TchError> {
    let mut out: [Raw; 3] = [std::ptr::null_mut(); 3];
    checked(|error, room| call(out.as_mut_ptr(), error, room))?;
    // SAFETY: each is null or a tensor made for us.
    Ok(out.map(|raw| (!raw.is_null()).then(|| unsafe { Tensor::from_ptr(raw.cast()) })))
}

/// Loads PyTorch's kernels for cards, which nothing is linked with by name.
///
/// # Errors
/// The loader's words: the library or one of those that it needs is not in `LD_LIBRARY_PATH`.
pub fn load_cuda() -> Result<(), TchError> {
    let name = CString::new("libtorch_cuda.so").map_err(|error| TchError::Torch(error.to_string()))?;
    // SAFETY: the name lives as long as the call.
    checked(|error, room| unsafe { torch_ops_load(name.as_ptr(), error, room) })
}

/// d`x`, d`weight`, d`bias` of a layer normalization over the last dimension, from what it returned beside its result.
///
/// # Errors
/// PyTorch's own: shapes or kinds that do not fit together.
pub fn layer_norm_backward(
    dy: &Tensor,
    x: &Tensor,
    [mean, deviation]: [&Tensor; 2],
    weight: &Tensor,
    bias: &Tensor,
) -> Result<[Option<Tensor>; 3], TchError> {
    let tensors = [dy, x, mean, deviation, weight, bias].map(raw);
    // SAFETY: six borrowed tensors, room for three.
    three(|out, error, room| unsafe { torch_ops_layer_norm_backward(tensors.as_ptr(), out, error, room) })
}

/// d`x`, d`weight`, d`bias` of a group normalization of `x` `[batch, channels, …]`.
///
/// # Errors
/// As [`layer_norm_backward`].
pub fn group_norm_backward(
    dy: &Tensor,
    x: &Tensor,
    [mean, deviation]: [&Tensor; 2],
    weight: &Tensor,
    groups: i64,
) -> Result<[Option<Tensor>; 3], TchError> {
    let tensors = [dy, x, mean, deviation, weight].map(raw);
    // SAFETY: five borrowed tensors, room for three.
    three(|out, error, room| unsafe { torch_ops_group_norm_backward(tensors.as_ptr(), out, groups, error, room) })
}

/// d`x` if wanted, d`weight`, and d`bias` where there is one, of a convolution.
///
/// # Errors
/// As [`layer_norm_backward`].
pub fn convolution_backward(
    dy: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    [stride, padding]: [[i64; 2]; 2],
    [wants_x, biased]: [bool; 2],
) -> Result<[Option<Tensor>; 3], TchError> {
    let tensors = [dy, x, weight].map(raw);
    let (stride, padding) = (stride.as_ptr(), padding.as_ptr());
    // SAFETY: three borrowed tensors, room for three, and two numbers behind each of the others.
    three(|out, error, room| unsafe {
        torch_ops_convolution_backward(tensors.as_ptr(), out, stride, padding, wants_x, biased, error, room)
    })
}

/// d`q`, d`k`, d`v` of a card's memory-efficient attention, from what it returned: `[out, logsumexp, seed, offset]`.
///
/// # Errors
/// As [`layer_norm_backward`].
pub fn attention_backward(
    dy: &Tensor,
    [q, k, v]: [&Tensor; 3],
    bias: Option<&Tensor>,
    returned: [&Tensor; 4],
    scale: f64,
) -> Result<[Option<Tensor>; 3], TchError> {
    let [out, sum, seed, offset] = returned.map(raw);
    let bias = bias.map_or(std::ptr::null_mut(), raw);
    let tensors = [raw(dy), raw(q), raw(k), raw(v), bias, out, sum, seed, offset];
    // SAFETY: nine borrowed tensors, the fifth of which may be null; room for three.
    three(|out, error, room| unsafe { torch_ops_attention_backward(tensors.as_ptr(), out, scale, error, room) })
}

/// The kernel of [`turn`], as CUDA's compiler takes it.
const TURN: &str = concat!(include_str!("turn.cu"), "\0");

/// Rotary embedding of a contiguous `x` `[batch, tokens, heads·head]`, f32 or bfloat16, on the first card, by an f32 `table`
/// `[tokens, rotary]` of cosines, then sines, or the way back: one pass, which of PyTorch's own operations are six.
///
/// # Errors
/// CUDA's compiler for kernels of one's own (libnvrtc) cannot be loaded or used; tensors of other kinds.
pub fn turn(x: &Tensor, table: &Tensor, heads: i64, back: bool) -> Result<Tensor, TchError> {
    let tensors = [x, table].map(raw);
    let mut out: Raw = std::ptr::null_mut();
    // SAFETY: two borrowed tensors, room for one, and a text that ends in 0.
    checked(|error, room| unsafe {
        torch_ops_turn(tensors.as_ptr(), &raw mut out, heads, back, TURN.as_ptr().cast(), error, room)
    })?;
    // SAFETY: it was made for us.
    Ok(unsafe { Tensor::from_ptr(out.cast()) })
}

/// What [`adamw`] steps, each list as long as the first and each tensor shaped like its parameter; steps are f32 scalars.
#[derive(Debug, Default)]
pub struct AdamW {
    /// Changed.
    pub parameters: Vec<Tensor>,
    /// Of the last batch.
    pub gradients: Vec<Tensor>,
    /// The running means of gradients, changed.
    pub first: Vec<Tensor>,
    /// Those of their squares, changed.
    pub second: Vec<Tensor>,
    /// Steps so far, changed.
    pub steps: Vec<Tensor>,
}

/// One step of AdamW (decoupled weight decay), in one launch for all parameters.
///
/// # Errors
/// As [`layer_norm_backward`].
pub fn adamw(of: &AdamW, rate: f64, betas: [f64; 2], decay: f64, epsilon: f64) -> Result<(), TchError> {
    let count = of.parameters.len();
    let lists = [&of.parameters, &of.gradients, &of.first, &of.second, &of.steps].map(|tensors| raws(tensors));
    assert!(lists.iter().all(|list| list.len() == count), "lists of different lengths");
    if count == 0 {
        return Ok(());
    }
    let [p, g, m, v, t] = [0, 1, 2, 3, 4].map(|at: usize| lists[at].as_ptr());
    let [beta_1, beta_2] = betas;
    // SAFETY: five lists of `count` tensors.
    checked(|error, room| unsafe {
        torch_ops_adamw(p, g, m, v, t, count, rate, beta_1, beta_2, decay, epsilon, error, room)
    })
}

/// Each tensor, scaled down to a norm of `most` where its own is above.
///
/// # Errors
/// As [`layer_norm_backward`].
pub fn clip(tensors: &[Tensor], most: f64) -> Result<Vec<Tensor>, TchError> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let raws = raws(tensors);
    let mut out: Vec<Raw> = vec![std::ptr::null_mut(); raws.len()];
    // SAFETY: a list of that many tensors, and room for as many.
    checked(|error, room| unsafe { torch_ops_clip(raws.as_ptr(), out.as_mut_ptr(), raws.len(), most, error, room) })?;
    // SAFETY: all are there, made for us.
    Ok(out.into_iter().map(|raw| unsafe { Tensor::from_ptr(raw.cast()) }).collect())
}
