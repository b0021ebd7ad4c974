//! Matrix products of numbers rounded to bfloat16 and summed in f32, as mixed-precision training has them
//! (Kalamkar et al., arXiv 1905.12322).
//!
//! AVX-512 BF16 multiplies twice as many numbers an instruction as f32 does. Both operands are first rounded and laid
//! out in panels, with neighbours of the inner dimension in one word, as the instruction takes them.

/// An operand: its numbers, and which of its dimensions lies side by side in memory.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a> {
    /// The inner one, over which is summed: `[outer, inner]`.
    Inner(&'a [f32]),
    /// The other: `[inner, outer]`.
    Outer(&'a [f32]),
}

/// Whether this processor has the instructions.
#[must_use]
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx512::available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// `a · b + bias`, `[m, n]`, summed over `k`, with a bias `[n]` or an empty one.
///
/// # Panics
/// Operands of other sizes; a processor without the instructions.
#[must_use]
pub fn product(a: Operand, b: Operand, bias: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let (Operand::Inner(a_values) | Operand::Outer(a_values)) = a;
    let (Operand::Inner(b_values) | Operand::Outer(b_values)) = b;
    assert_eq!((a_values.len(), b_values.len()), (m * k, k * n), "operands of [{m}, {k}] · [{k}, {n}]");
    assert!(bias.is_empty() || bias.len() == n, "a bias of {} for {n} columns", bias.len());
    assert!(available(), "this processor has no AVX-512 BF16");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the features are there.
    return unsafe { avx512::product(a, b, bias, [m, k, n]) };
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!()
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512 {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps,
        _mm512_set1_epi32, _mm512_storeu_ps,
    };
    use std::cell::RefCell;
    use std::mem::MaybeUninit;

    use super::Operand;

    /// Rows of a tile. 6 × 4 sums, 4 registers of `b` and 1 of `a` are 29 of 32.
    const ROWS: usize = 6;
    /// Words in a register.
    pub const LANES: usize = 16;
    /// Columns of a tile.
    const COLUMNS: usize = 4 * LANES;

    pub fn available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16")
    }

    thread_local! {
        /// Room for the two operands' panels. Taken anew for every product it would have to be cleared, and its pages mapped.
        static ROOM: RefCell<[Vec<u32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn product(a: Operand, b: Operand, bias: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
        // Not cleared: the tiles write every number once.
        let mut y = Vec::with_capacity(m * n);
        let all = &mut y.spare_capacity_mut()[..m * n];
        let pairs = k.div_ceil(2);
        ROOM.with_borrow_mut(|[room_a, room_b]| {
            let (a, b) = (panels::<ROWS>(a, m, k, room_a), panels::<COLUMNS>(b, n, k, room_b));
            // All rows of `a` pass by a panel of `b`, which stays in the second-level cache.
            for (column, b) in b.chunks_exact(pairs).enumerate() {
                let columns = column * COLUMNS..n.min((column + 1) * COLUMNS);
                let mut first = [0f32; COLUMNS];
                first.iter_mut().zip(bias.get(columns.clone()).unwrap_or_default()).for_each(|(to, &bias)| *to = bias);
                for (a, lines) in a.chunks_exact(pairs).zip(all.chunks_mut(ROWS * n)) {
                    tile(a, b, &first, &mut lines[columns.start..], [columns.len(), n]);
                }
            }
        });
        // SAFETY: every row lies in a panel of `a` and every column in one of `b`, so that all are written.
        unsafe { y.set_len(m * n) };
        y
    }

    /// The bits of `x` as bfloat16, to nearest, ties to even. The NaNs that arithmetic makes stay NaNs.
    #[inline(always)]
    fn rounded(x: f32) -> u32 {
        let bits = x.to_bits();
        bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16
    }

    /// Two neighbours of the inner dimension.
    #[inline(always)]
    pub fn pair(first: f32, second: f32) -> u32 {
        rounded(first) | (rounded(second) << 16)
    }

    /// A line's numbers in pairs, a last one beside 0.
    #[inline(always)]
    pub fn pair_up(line: &[f32], words: &mut [u32]) {
        let (twos, last) = line.as_chunks::<2>();
        words.iter_mut().zip(twos).for_each(|(word, &[first, second])| *word = pair(first, second));
        if let ([last], Some(word)) = (last, words.last_mut()) {
            *word = pair(*last, 0.0);
        }
    }

    /// An operand of `count` by `k` numbers as `[panel][pair][WIDTH]`, filled up with zeros, in `room`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn panels<'a, const WIDTH: usize>(
        operand: Operand,
        count: usize,
        k: usize,
        room: &'a mut Vec<u32>,
    ) -> &'a [[u32; WIDTH]] {
        let pairs = k.div_ceil(2);
        room.resize(count.div_ceil(WIDTH) * pairs * WIDTH, 0);
        let (panels, _) = room.as_chunks_mut::<WIDTH>();
        match operand {
            Operand::Inner(values) => {
                if !count.is_multiple_of(WIDTH) {
                    let last = panels.len() - pairs;
                    panels[last..].fill([0; WIDTH]);
                }
                // Rounded line by line, then spread: each loop alone is one that the compiler vectorizes.
                let mut words = vec![0u32; pairs];
                for (panel, lines) in panels.chunks_exact_mut(pairs).zip(values.chunks(WIDTH * k)) {
                    for (at, line) in lines.chunks_exact(k).enumerate() {
                        pair_up(line, &mut words);
                        panel.iter_mut().zip(&words).for_each(|(to, &word)| to[at] = word);
                    }
                }
            }
            Operand::Outer(values) => {
                let zeros = vec![0f32; count];
                let mut words = vec![[0u32; WIDTH]; count.div_ceil(WIDTH)];
                let mut lines = values.chunks_exact(count);
                for at in 0..pairs {
                    let first = lines.next().unwrap_or(&zeros);
                    let second = lines.next().unwrap_or(&zeros);
                    for ((word, first), second) in words.as_flattened_mut().iter_mut().zip(first).zip(second) {
                        *word = pair(*first, *second);
                    }
                    for (panel, &words) in words.iter().enumerate() {
                        panels[panel * pairs + at] = words;
                    }
                }
            }
        }
        panels
    }

    /// `first[column] + Σ a[pair][row] · b[pair][column]` into the rows of `to` that there are, `row` apart, and so many `columns`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn tile(
        a: &[[u32; ROWS]],
        b: &[[u32; COLUMNS]],
        first: &[f32; COLUMNS],
        to: &mut [MaybeUninit<f32>],
        [columns, row]: [usize; 2],
    ) {
        // SAFETY: 16 numbers each, which need not be aligned.
        let first: [_; COLUMNS / LANES] =
            std::array::from_fn(|at| unsafe { _mm512_loadu_ps(first[at * LANES..].as_ptr()) });
        let mut sums = [first; ROWS];
        for (a, b) in a.iter().zip(b) {
            let (b, _) = b.as_chunks::<LANES>();
            // SAFETY: 16 words each, which need not be aligned.
            let b: [_; COLUMNS / LANES] =
                std::array::from_fn(|at| unsafe { _mm512_loadu_si512(b[at].as_ptr().cast()) });
            for (sums, &a) in sums.iter_mut().zip(a) {
                let a = numbers(_mm512_set1_epi32(a.cast_signed()));
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm512_dpbf16_ps(*sum, a, numbers(b));
                }
            }
        }
        if columns == COLUMNS && to.len() >= (ROWS - 1) * row + COLUMNS {
            // By numbers that are constant: so the sums are in registers until here.
            for (at, sums) in sums.iter().enumerate() {
                for (lane, &sum) in sums.iter().enumerate() {
                    // SAFETY: the last of these places is within `to`, as was just looked at.
                    unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(at * row + lane * LANES).cast(), sum) }
                }
            }
            return;
        }
        for (sums, line) in sums.iter().zip(to.chunks_mut(row)) {
            for (&sum, to) in sums.iter().zip(line[..columns].chunks_mut(LANES)) {
                // SAFETY: as many numbers as there are places, which need not be aligned.
                unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().cast(), u16::MAX >> (LANES - to.len()), sum) }
            }
        }
    }

    /// The same bits as 32 numbers.
    #[inline(always)]
    pub fn numbers(words: __m512i) -> __m512bh {
        // SAFETY: both are 512 bits, any of which are a number.
        unsafe { std::mem::transmute(words) }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::check::noise::noise;

    /// Against rounded operands multiplied one by one in f64, for sizes that fill no tile.
    #[test]
    fn products_are_those_of_the_rounded_numbers() {
        if !available() {
            eprintln!("not tested: this processor has no AVX-512 BF16");
            return;
        }
        // A small product after a large one finds its room full of other numbers.
        for [m, k, n] in [[1, 1, 1], [64, 31, 129], [13, 128, 70], [7, 5, 3]] {
            let (a, b, bias) = (noise(m * k, 1), noise(k * n, 2), noise(n, 3));
            let value = |x: f32| f64::from(bf16::from_f32(x).to_f32());
            for (a_inner, b_inner) in [(true, true), (true, false), (false, true), (false, false)] {
                let of = |values, inner| if inner { Operand::Inner(values) } else { Operand::Outer(values) };
                let y = product(of(&a, a_inner), of(&b, b_inner), &bias, [m, k, n]);
                for (at, y) in y.iter().enumerate() {
                    let (row, column) = (at / n, at % n);
                    let exact: f64 = (0..k)
                        .map(|i| {
                            let a = if a_inner { a[row * k + i] } else { a[i * m + row] };
                            let b = if b_inner { b[column * k + i] } else { b[i * n + column] };
                            value(a) * value(b)
                        })
                        .sum();
                    let exact = exact + f64::from(bias[column]);
                    let off = (f64::from(*y) - exact).abs();
                    assert!(off < 1e-5, "[{m}, {k}, {n}] {a_inner} {b_inner}: {y} at {at}, {exact} by hand");
                }
            }
        }
    }

    #[test]
    fn a_nan_stays_one() {
        if available() {
            let y = product(Operand::Inner(&[f32::NAN, 1.0]), Operand::Inner(&[1.0, 1.0]), &[], [1, 2, 1]);
            assert!(y[0].is_nan(), "{y:?}");
        }
    }
}
