//! Small products of numbers rounded to bfloat16 and summed in f32: single words of the left side are read where they lie, and
//! only the right side is laid out for the tiles. Of larger products ([`crate::ops::gradient::bf16`]) both sides are.

use std::arch::x86_64::{
    _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
    _mm512_setzero_ps,
};
use std::cell::RefCell;

use super::{Into, Matrix};
use crate::ops::gradient::bf16::avx512::{LANES, numbers, pair, pair_up};

thread_local! {
    /// Room for both sides.
    static ROOM: RefCell<[Vec<u32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// As [`super::product`], whose caller has looked at every size.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub fn product(a: Matrix, b: Matrix, to: Into, [m, k, n]: [usize; 3]) {
    let (pairs, wide) = (k.div_ceil(2), n.next_multiple_of(LANES));
    ROOM.with_borrow_mut(|[room_a, room_b]| {
        let (words, row, pair) = if a.column == 1 {
            (beside(a, [m, k], room_a), pairs, 1)
        } else {
            (below(a.transposed(), [k, m], m, room_a), 1, m)
        };
        let left = Left { words, row, pair };
        let right =
            if b.column == 1 { below(b, [k, n], wide, room_b) } else { turned(b.transposed(), [n, k], wide, room_b) };
        let mut first = 0;
        while first < n {
            let right = Right { words: &right[first..], wide, pairs };
            let into = Into { values: &mut to.values[first..], ..to };
            let left_over = n - first;
            let (of, columns) = match left_over {
                64.. => (tiles::<4> as unsafe fn(&Left, &Right, Into, [usize; 2]), 64),
                17.. => (tiles::<2> as _, 32),
                _ => (tiles::<1> as _, 16),
            };
            // SAFETY: the features are there.
            unsafe { of(&left, &right, into, [m, columns.min(left_over)]) };
            first += columns;
        }
    });
}

/// The left side: words of two neighbours of the inner dimension, and the steps from row to row and from word to word.
struct Left<'a> {
    words: &'a [u32],
    row: usize,
    pair: usize,
}

/// The right side from a column on: `pairs` lines of words, `wide` apart.
struct Right<'a> {
    words: &'a [u32],
    wide: usize,
    pairs: usize,
}

/// Words of neighbours in a row, `[rows, ⌈columns/2⌉]`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn beside<'a>(x: Matrix, [rows, columns]: [usize; 2], room: &'a mut Vec<u32>) -> &'a [u32] {
    let pairs = columns.div_ceil(2);
    room.resize(rows * pairs, 0);
    for (row, words) in room.chunks_exact_mut(pairs).enumerate() {
        pair_up(&x.values[row * x.row..][..columns], words);
    }
    room
}

/// Words of each number and the one in the next row, `[⌈rows/2⌉, columns]` in lines of `wide`; what is beyond the columns is any word.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn below<'a>(x: Matrix, [rows, columns]: [usize; 2], wide: usize, room: &'a mut Vec<u32>) -> &'a [u32] {
    room.resize(rows.div_ceil(2) * wide, 0);
    for (line, words) in room.chunks_exact_mut(wide).enumerate() {
        let first = &x.values[2 * line * x.row..][..columns];
        if 2 * line + 1 < rows {
            let second = &x.values[(2 * line + 1) * x.row..][..columns];
            words.iter_mut().zip(first).zip(second).for_each(|((word, &a), &b)| *word = pair(a, b));
        } else {
            words.iter_mut().zip(first).for_each(|(word, &a)| *word = pair(a, 0.0));
        }
    }
    room
}

/// [`beside`] turned: `[⌈columns/2⌉, rows]` in lines of `wide`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn turned<'a>(x: Matrix, [rows, columns]: [usize; 2], wide: usize, room: &'a mut Vec<u32>) -> &'a [u32] {
    let pairs = columns.div_ceil(2);
    room.resize(pairs * wide, 0);
    let mut words = vec![0u32; pairs];
    for row in 0..rows {
        pair_up(&x.values[row * x.row..][..columns], &mut words);
        room.iter_mut().skip(row).step_by(wide).zip(&words).for_each(|(to, &word)| *to = word);
    }
    room
}

/// Rows of tiles that are `L` registers wide, as high as registers are left for.
#[target_feature(enable = "avx512f,avx512bf16")]
fn tiles<const L: usize>(left: &Left, right: &Right, to: Into, [rows, columns]: [usize; 2]) {
    let mut row = 0;
    while row < rows {
        let left = Left { words: &left.words[row * left.row..], ..*left };
        let into = Into { values: &mut to.values[row * to.row..], ..to };
        row += match rows - row {
            8.. if L < 4 => tile::<8, L>(&left, right, into, columns),
            6.. if L == 4 => tile::<6, L>(&left, right, into, columns),
            4.. => tile::<4, L>(&left, right, into, columns),
            2.. => tile::<2, L>(&left, right, into, columns),
            _ => tile::<1, L>(&left, right, into, columns),
        };
    }
}

/// `R` rows of so many columns; gives R.
#[target_feature(enable = "avx512f,avx512bf16")]
fn tile<const R: usize, const L: usize>(left: &Left, right: &Right, to: Into, columns: usize) -> usize {
    let &Right { words, wide, pairs } = right;
    assert!(columns <= L * LANES && (R - 1) * to.row + columns <= to.values.len());
    assert!((R - 1) * left.row + (pairs - 1) * left.pair < left.words.len());
    assert!((pairs - 1) * wide + L * LANES <= words.len());
    let lanes = |lane: usize| u16::MAX >> (LANES - (columns - lane * LANES).min(LANES));
    let some = |lane: usize| columns > lane * LANES;
    let to_at = to.values.as_mut_ptr();
    let mut sums = [[_mm512_setzero_ps(); L]; R];
    if to.add {
        for (row, sums) in sums.iter_mut().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate().filter(|(lane, _)| some(*lane)) {
                // SAFETY: as many numbers as there are columns left.
                *sum = unsafe { _mm512_maskz_loadu_ps(lanes(lane), to_at.add(row * to.row + lane * LANES)) };
            }
        }
    }
    for at in 0..pairs {
        // SAFETY: the last words of both sides were looked at.
        unsafe {
            let right: [_; L] =
                std::array::from_fn(|lane| _mm512_loadu_si512(words.as_ptr().add(at * wide + lane * LANES).cast()));
            for (row, sums) in sums.iter_mut().enumerate() {
                let word = *left.words.get_unchecked(row * left.row + at * left.pair);
                let word = numbers(_mm512_set1_epi32(word.cast_signed()));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm512_dpbf16_ps(*sum, word, numbers(right));
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (lane, &sum) in sums.iter().enumerate().filter(|(lane, _)| some(*lane)) {
            // SAFETY: as many places as there are columns left.
            unsafe { _mm512_mask_storeu_ps(to_at.add(row * to.row + lane * LANES), lanes(lane), sum) }
        }
    }
    R
}
