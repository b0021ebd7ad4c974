//! The `Range` header, for the one form that browsers and download tools use: a single range of bytes.

/// What part of a file was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// All of it; also where the header is of a form that we do not know, as RFC 9110 (14.2) allows.
    Whole,
    /// Bytes `from` to `to`, both included.
    Part {
        /// First byte.
        from: u64,
        /// Last byte, below the file's length.
        to: u64,
    },
    /// Nothing that the file has.
    Unsatisfiable,
}

impl Range {
    /// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n` for a file of `length` bytes.
    pub fn parse(text: &str, length: u64) -> Self {
        let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let number = |text: &str| -> Option<u64> {
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
        };
        match (first, number(first), last, number(last)) {
            (_, Some(from), "", _) if from < length => Self::Part { from, to: length - 1 },
            (_, Some(from), _, Some(to)) if from <= to && from < length => Self::Part { from, to: to.min(length - 1) },
            (_, Some(from), _, Some(to)) if from > to => Self::Whole,
            ("", _, _, Some(count)) if count > 0 && length > 0 => {
                Self::Part { from: length.saturating_sub(count), to: length - 1 }
            }
            (_, Some(_), "", _) | (_, Some(_), _, Some(_)) | ("", _, _, Some(_)) => Self::Unsatisfiable,
            _ => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Range::{self, *};

    #[test]
    fn ranges_are_read() {
        let cases = [
            ("bytes=0-3", 10, Part { from: 0, to: 3 }),
            ("bytes=4-", 10, Part { from: 4, to: 9 }),
            ("bytes=-3", 10, Part { from: 7, to: 9 }),
            ("bytes=-30", 10, Part { from: 0, to: 9 }),
            ("bytes=8-100", 10, Part { from: 8, to: 9 }),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-12", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-1", 0, Unsatisfiable),
            ("bytes=5-2", 10, Whole),
            ("bytes=0-1,4-5", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=99999999999999999999-", 10, Whole),
            ("bytes=-", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("", 10, Whole),
        ];
        for (text, length, range) in cases {
            assert_eq!(Range::parse(text, length), range, "{text} of {length}");
        }
    }
}
