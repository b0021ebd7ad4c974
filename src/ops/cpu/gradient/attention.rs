//! Attention and its gradient, each head multiplied where it lies among the others: nothing is copied out and back.

use super::{Bias, softmax_gradient_in_place, softmax_in_place};

/// What attends to what.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Heads, side by side in a token's row.
    pub heads: usize,
    /// Channels of each.
    pub head: usize,
    /// Tokens of a sequence that ask.
    pub rows: usize,
    /// Tokens of a sequence that are asked.
    pub columns: usize,
}

impl Heads {
    fn width(&self) -> usize {
        self.heads * self.head
    }

    fn scale(&self) -> f32 {
        (self.head as f32).powf(-0.5)
    }

    /// `[tokens, head]` of one head, in tokens that begin at `values`.
    fn of<'a>(&self, values: &'a [f32], head: usize) -> Matrix<'a> {
        Matrix { values: &values[head * self.head..], row: self.width(), column: 1 }
    }
}

/// `q` `[batch, rows, heads·head]`, `k` and `v` `[batch, columns, heads·head]` → the result, as `q`, and each query's
/// shares of the keys, `[batch, heads, rows, columns]`.
#[must_use]
pub fn attend(q: &[f32], k: &[f32], v: &[f32], bias: Option<&Bias>, of: Heads) -> [Vec<f32>; 2] {
    let Heads { heads, head, rows, columns } = of;
    let mut y = vec![0f32; q.len()];
    let mut shares = vec![0f32; q.len() / of.width() * heads * columns];
    let (asked, asking) = (columns * of.width(), rows * of.width());
    let keys = k.chunks_exact(asked).zip(v.chunks_exact(asked));
    let queries = q.chunks_exact(asking).zip(y.chunks_exact_mut(asking));
    let sequences = queries.zip(keys).zip(shares.chunks_exact_mut(heads * rows * columns));
    for (sequence, (((q, y), (k, v)), shares)) in sequences.enumerate() {
        for (at, shares) in shares.chunks_exact_mut(rows * columns).enumerate() {
            product(of.of(q, at), of.of(k, at).transposed(), shares, columns, [rows, head, columns]);
        }
        softmax_in_place(shares, bias, sequence, of.scale(), [rows, columns]);
        for (at, shares) in shares.chunks_exact(rows * columns).enumerate() {
            let shares = Matrix { values: shares, row: columns, column: 1 };
            product(shares, of.of(v, at), &mut y[at * head..], of.width(), [rows, columns, head]);
        }
    }
    [y, shares]
}

/// d`q`, d`k` and d`v` of [`attend`], from its shares.
#[must_use]
pub fn attend_gradient(q: &[f32], k: &[f32], v: &[f32], shares: &[f32], dy: &[f32], of: Heads) -> [Vec<f32>; 3] {
    let Heads { heads, head, rows, columns } = of;
    let (width, asked, asking) = (of.width(), columns * of.width(), rows * of.width());
    let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![0f32; x.len()]);
    let mut scores = vec![0f32; rows * columns];
    for sequence in 0..q.len() / asking {
        let [q, dy] = [q, dy].map(|x| &x[sequence * asking..][..asking]);
        let [k, v] = [k, v].map(|x| &x[sequence * asked..][..asked]);
        let dq = &mut dq[sequence * asking..][..asking];
        let [dk, dv] = [&mut dk, &mut dv].map(|x| &mut x[sequence * asked..][..asked]);
        let shares = &shares[sequence * heads * rows * columns..][..heads * rows * columns];
        for (at, shares) in shares.chunks_exact(rows * columns).enumerate() {
            let first = at * head;
            let given = Matrix { values: shares, row: columns, column: 1 };
            product(given.transposed(), of.of(dy, at), &mut dv[first..], width, [columns, rows, head]);
            product(of.of(dy, at), of.of(v, at).transposed(), &mut scores, columns, [rows, head, columns]);
            softmax_gradient_in_place(shares, &mut scores, of.scale(), columns);
            let scores = Matrix { values: &scores, row: columns, column: 1 };
            product(scores, of.of(k, at), &mut dq[first..], width, [rows, columns, head]);
            product(scores.transposed(), of.of(q, at), &mut dk[first..], width, [columns, rows, head]);
        }
    }
    [dq, dk, dv]
}

/// A matrix among other numbers: element (i, j) is `values[i · row + j · column]`.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl Matrix<'_> {
    fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// The index of the last element of `[rows, columns]`.
    fn last(&self, rows: usize, columns: usize) -> usize {
        (rows - 1) * self.row + (columns - 1) * self.column
    }
}

/// `a · b`, `[m, n]` summed over `k`, into rows of `y` that lie `row` apart.
fn product(a: Matrix, b: Matrix, y: &mut [f32], row: usize, [m, k, n]: [usize; 3]) {
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    assert!(
        a.last(m, k) < a.values.len() && b.last(k, n) < b.values.len(),
        "[{m}, {k}] · [{k}, {n}] of too few numbers"
    );
    assert!((m - 1) * row + n <= y.len() && n <= row, "[{m}, {n}] into too few numbers");
    // SAFETY: every index lies below the last one, which was looked at, and `y` is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y.as_mut_ptr(),
            1,
            row as isize,
            false,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
