//! Products of matrices that lie among other numbers, such as those of one head among several.

#[cfg(target_arch = "x86_64")]
mod avx512_bf16;

/// A matrix among other numbers: element (i, j) is `values[i · row + j · column]`, and either step is 1.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// From its first element on.
    pub values: &'a [f32],
    /// From row to row.
    pub row: usize,
    /// From column to column.
    pub column: usize,
}

/// Rows that are `row` long, from the column `first` on: of one head, or of one group of keys.
pub fn columns_from(values: &[f32], first: usize, row: usize) -> Matrix<'_> {
    Matrix { values: &values[first..], row, column: 1 }
}

impl Matrix<'_> {
    /// With rows for columns.
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// The index of the last element of `[rows, columns]`.
    fn last(&self, rows: usize, columns: usize) -> usize {
        (rows - 1) * self.row + (columns - 1) * self.column
    }
}

/// Where a product goes: rows that lie `row` apart, which it is added to or replaces.
pub struct Into<'a> {
    /// From the first number on.
    pub values: &'a mut [f32],
    /// From row to row.
    pub row: usize,
    /// Whether it is added to what is there.
    pub add: bool,
}

/// `a · b`, `[m, n]` summed over `k`, in f32 or of numbers rounded to bfloat16.
///
/// # Panics
/// Matrices with too few numbers; bfloat16 on a processor without its instructions.
pub fn product(a: Matrix, b: Matrix, to: Into, [m, k, n]: [usize; 3], in_bf16: bool) {
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    assert!(
        a.last(m, k) < a.values.len() && b.last(k, n) < b.values.len(),
        "[{m}, {k}] · [{k}, {n}] of too few numbers"
    );
    assert!((m - 1) * to.row + n <= to.values.len() && n <= to.row, "[{m}, {n}] into too few numbers");
    if in_bf16 {
        assert!(crate::ops::gradient::bf16::available(), "this processor has no AVX-512 BF16");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the features are there.
        unsafe {
            avx512_bf16::product(a, b, to, [m, k, n]);
        }
        return;
    }
    // SAFETY: every index lies below the last one, which was looked at, and what is written is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to.values.as_mut_ptr(),
            1,
            to.row as isize,
            to.add,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::check::noise::noise;

    /// Both against products in f64, of rounded numbers in bfloat16, for sizes that fill no tile and for both forms of each side.
    #[test]
    fn products_among_other_numbers() {
        let ways: &[bool] = if crate::ops::gradient::bf16::available() { &[false, true] } else { &[false] };
        for &in_bf16 in ways {
            for [m, k, n] in [[1, 1, 1], [66, 32, 66], [64, 15, 32], [13, 64, 17], [7, 5, 100], [9, 3, 40]] {
                for form in 0..8 {
                    let (a_turned, b_turned, add) = (form & 1 > 0, form & 2 > 0, form & 4 > 0);
                    let matrix = |values, rows: usize, columns: usize, turned: bool| {
                        let row = 5 + if turned { rows } else { columns };
                        let matrix = columns_from(values, 2, row);
                        if turned { matrix.transposed() } else { matrix }
                    };
                    let [a_all, b_all] = [noise(200 * 200, 1), noise(200 * 200, 2)];
                    let (a, b) = (matrix(&a_all, m, k, a_turned), matrix(&b_all, k, n, b_turned));
                    let before = noise(m * (n + 3), 3);
                    let mut after = before.clone();
                    product(a, b, Into { values: &mut after, row: n + 3, add }, [m, k, n], in_bf16);
                    let value = |x: f32| f64::from(if in_bf16 { bf16::from_f32(x).to_f32() } else { x });
                    let at = |x: &Matrix, i: usize, j: usize| value(x.values[i * x.row + j * x.column]);
                    for (index, (after, before)) in after.iter().zip(&before).enumerate() {
                        let (i, j) = (index / (n + 3), index % (n + 3));
                        let sum = || (0..k).map(|inner| at(&a, i, inner) * at(&b, inner, j)).sum::<f64>();
                        let wanted = if j >= n {
                            f64::from(*before)
                        } else {
                            sum() + if add { f64::from(*before) } else { 0.0 }
                        };
                        let off = (f64::from(*after) - wanted).abs();
                        assert!(off < 1e-5, "[{m}, {k}, {n}] form {form}, bf16 {in_bf16}: {after}, {wanted} by hand");
                    }
                }
            }
        }
    }
}
