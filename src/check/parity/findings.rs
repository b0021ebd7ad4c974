//! What was compared, and what disagrees.

use serde::Serialize;

/// One comparison: everything of one name in a case, however many steps and prompts it has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was compared.
    pub what: String,
    /// How many values.
    pub compared: usize,
    /// The largest difference; for ids, how many differ.
    pub worst: f32,
    /// The largest difference that is allowed.
    pub allowed: f32,
    /// Ids that differ where two candidates are as good as equal.
    pub near_ties: usize,
    /// Where it disagrees first, in words.
    pub trouble: Option<String>,
}

/// Every comparison of a case, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    rows: Vec<Finding>,
}

impl Findings {
    /// The comparisons.
    #[must_use]
    pub fn rows(&self) -> &[Finding] {
        &self.rows
    }

    /// What disagrees, one line each.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let trouble = |row: &Finding| row.trouble.as_ref().map(|trouble| format!("{}: {trouble}", row.what));
        self.rows.iter().filter_map(trouble).collect()
    }

    fn row(&mut self, what: &str, allowed: f32) -> &mut Finding {
        let at = self.rows.iter().position(|row| row.what == what).unwrap_or_else(|| {
            let what = what.to_owned();
            self.rows.push(Finding { what, compared: 0, worst: 0.0, allowed, near_ties: 0, trouble: None });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Numbers that must agree within `allowed`; `place` says which part of the case they are.
    pub fn close(&mut self, what: &str, place: &str, found: &[f32], wanted: &[f32], allowed: f32) {
        let row = self.row(what, allowed);
        row.allowed = allowed;
        row.lengths(place, found.len(), wanted.len());
        for (at, (&found, &wanted)) in found.iter().zip(wanted).enumerate() {
            let difference = (found - wanted).abs();
            // Not a number agrees with nothing, on either side.
            let difference = if difference.is_nan() { f32::INFINITY } else { difference };
            row.worst = row.worst.max(difference);
            if difference > allowed {
                row.complain(|| format!("{place} value {at} is {found} instead of {wanted} (off by {difference:e})"));
            }
        }
    }

    /// Ids that must be equal, but where `near_tie` of their place says that nothing was decided.
    pub fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        place: &str,
        found: &[T],
        wanted: &[T],
        near_tie: impl Fn(usize) -> bool,
    ) {
        let row = self.row(what, 0.0);
        row.lengths(place, found.len(), wanted.len());
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            if found == wanted {
                continue;
            }
            if near_tie(at) {
                row.near_ties += 1;
            } else {
                row.worst += 1.0;
                row.complain(|| format!("{place} position {at} is {found:?} instead of {wanted:?}"));
            }
        }
    }
}

impl Finding {
    fn lengths(&mut self, place: &str, found: usize, wanted: usize) {
        self.compared += wanted;
        if found != wanted {
            self.worst = f32::INFINITY;
            self.complain(|| format!("{place} has {found} values instead of {wanted}"));
        }
    }

    fn complain(&mut self, words: impl FnOnce() -> String) {
        if self.trouble.is_none() {
            self.trouble = Some(words().trim_start().to_owned());
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} values, ", self.what, self.compared)?;
        if self.allowed > 0.0 {
            write!(f, "largest difference {:.1e} (allowed {:.0e})", self.worst, self.allowed)?;
        } else {
            write!(f, "{} differ", self.worst)?;
        }
        if self.near_ties > 0 {
            write!(f, ", {} at near ties", self.near_ties)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_with_its_place() {
        let mut findings = Findings::default();
        findings.close("logits", "step 1", &[1.0, 2.0], &[1.0, 2.1], 0.2);
        assert_eq!(findings.troubles(), Vec::<String>::new());
        findings.close("logits", "step 2", &[1.0, f32::NAN], &[1.0, 2.0], 0.2);
        findings.close("logits", "step 3", &[9.0], &[1.0], 0.2);
        findings.close("golden", "", &[1.0], &[f32::NAN], 0.2);
        findings.close("short", "", &[], &[1.0], 0.2);
        findings.equal("ids", "row 0", &[1, 2, 3], &[1, 5, 6], |at| at == 1);
        let troubles = findings.troubles();
        assert_eq!(troubles.len(), 4, "{troubles:?}");
        assert!(troubles[0].starts_with("logits: step 2 value 1"), "{troubles:?}");
        assert_eq!(troubles[3], "ids: row 0 position 2 is 3 instead of 6");
        assert_eq!((findings.rows()[0].compared, findings.rows()[3].near_ties), (5, 1));
    }
}
