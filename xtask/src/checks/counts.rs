//! How many tests passed and failed, read from what the runners print.

use std::fmt;

/// Tests that passed and tests that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many passed.
    pub passed: u32,
    /// How many failed, timed out or never ran to their end.
    pub failed: u32,
}

impl Counts {
    /// One check that passed.
    pub const PASSED: Self = Self { passed: 1, failed: 0 };
    /// One check that failed.
    pub const FAILED: Self = Self { passed: 0, failed: 1 };

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    /// A runner that did not succeed has failed at something, also where it counted nothing (it did not compile, say).
    pub fn of_runner(self, succeeded: bool) -> Self {
        if succeeded || self.failed > 0 { self } else { self.plus(Self::FAILED) }
    }

    /// Reads nextest's `Summary [ 0.1s] 3 tests run: 2 passed (1 slow), 1 failed, 0 skipped`; `None` for other lines.
    pub fn from_nextest(line: &str) -> Option<Self> {
        let (_, parts) = line.trim_start().strip_prefix("Summary [")?.split_once("run: ")?;
        let mut counts = Self::default();
        for part in parts.split(", ") {
            let (number, what) = part.trim().split_once(' ')?;
            let number: u32 = number.parse().ok()?;
            match what.split(" (").next()? {
                "passed" => counts.passed += number,
                "skipped" => {}
                // failed, timed out, exec failed
                _ => counts.failed += number,
            }
        }
        Some(counts)
    }

    /// Reads the totals at the end of a TAP file as node writes it: `# pass 3`, `# fail 0`, `# cancelled 0`.
    pub fn from_tap(text: &str) -> Option<Self> {
        let total = |name: &str| {
            text.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse::<u32>().ok())
        };
        Some(Self { passed: total("pass ")?, failed: total("fail ")? + total("cancelled ").unwrap_or(0) })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_is_read() {
        let read = |line| Counts::from_nextest(line);
        assert_eq!(
            read("     Summary [   0.012s] 12 tests run: 12 passed, 0 skipped"),
            Some(Counts { passed: 12, failed: 0 })
        );
        assert_eq!(
            read("Summary [ 1.2s] 4/9 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 5 skipped"),
            Some(Counts { passed: 2, failed: 2 })
        );
        assert_eq!(
            read("Summary [ 1.2s] 1 test run: 0 passed, 1 exec failed, 0 skipped"),
            Some(Counts { passed: 0, failed: 1 })
        );
        assert_eq!(read("        PASS [   0.004s] xtask tests::a"), None);
    }

    #[test]
    fn tap_is_read() {
        let text =
            "TAP version 13\n# pass 9\nok 1 - a\n1..1\n# tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n";
        assert_eq!(Counts::from_tap(text), Some(Counts { passed: 2, failed: 2 }));
        assert_eq!(Counts::from_tap("TAP version 13\n"), None);
    }

    #[test]
    fn a_failed_runner_counts() {
        assert_eq!(Counts::default().of_runner(false), Counts::FAILED);
        assert_eq!(Counts { passed: 3, failed: 2 }.of_runner(false), Counts { passed: 3, failed: 2 });
        assert_eq!(Counts::PASSED.of_runner(true), Counts::PASSED);
    }
}
