//! Intervals and tests for counts of successes.

/// z of a two-sided 95 % interval.
const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a rate, `(low, high)`; (0, 1) for nothing (Wilson 1927, JASA 22).
#[must_use]
pub fn wilson(successes: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, p, square) = (n as f64, successes as f64 / n as f64, Z_95 * Z_95);
    let centre = (p + square / (2.0 * n)) / (1.0 + square / n);
    let half = Z_95 / (1.0 + square / n) * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// McNemar's exact two-sided test: `gained` pairs that only the one got right, `lost` that only the other did
/// (McNemar 1947, Psychometrika 12).
#[must_use]
pub fn mcnemar(gained: usize, lost: usize) -> f64 {
    (2.0 * binomial_tail(gained.min(lost), gained + lost, 0.5)).min(1.0)
}

/// The chance of at most `k` successes in `n` trials of chance `p` each.
#[must_use]
pub fn binomial_tail(k: usize, n: usize, p: f64) -> f64 {
    if p <= 0.0 || k >= n {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // By logarithms: 600 trials have terms far below the smallest float.
    let (ln_p, ln_q) = (p.ln(), (1.0 - p).ln());
    let mut ln_choose = 0.0;
    let mut sum = 0.0;
    for i in 0..=k {
        sum += (ln_choose + i as f64 * ln_p + (n - i) as f64 * ln_q).exp();
        ln_choose += ((n - i) as f64 / (i + 1) as f64).ln();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_s_interval_is_the_textbook_s() {
        // 8 of 10: 0.490 to 0.943 (Newcombe 1998, table I).
        let (low, high) = wilson(8, 10);
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert!(wilson(0, 20).0 == 0.0 && wilson(20, 20).1 == 1.0);
    }

    #[test]
    fn binomial_tails_are_exact() {
        // At most 1 of 5 at one half: 6/32.
        assert!((binomial_tail(1, 5, 0.5) - 6.0 / 32.0).abs() < 1e-12);
        assert!((binomial_tail(5, 5, 0.3) - 1.0).abs() < 1e-12);
        assert!((binomial_tail(0, 4, 0.25) - 0.75f64.powi(4)).abs() < 1e-12);
        assert!(binomial_tail(100, 600, 0.5) < 1e-60 && binomial_tail(100, 600, 0.5) > 0.0);
    }

    #[test]
    fn mcnemar_counts_only_what_differs() {
        // 9 against 1: 2 · 11/1024.
        assert!((mcnemar(9, 1) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(mcnemar(5, 5), 1.0);
        assert_eq!(mcnemar(0, 0), 1.0);
    }
}
