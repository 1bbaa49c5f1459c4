//! Sizes of memory and disk as operators write them, `64MB`, and as upstream prints them.
//! Units are powers of 1024; fractions are refused. Never overflows silently.
//! Upstream: `Bytes`.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use crate::number::{NotANumber, numify};

/// Units in bytes, from the smallest to the largest.
const UNITS: [(u64, &str); 5] =
    [(1, "B"), (1 << 10, "KB"), (1 << 20, "MB"), (1 << 30, "GB"), (1 << 40, "TB")];

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// What stands before the unit is no number, or the size has more than 64 bits.
    #[error(transparent)]
    Number(#[from] NotANumber),
    /// A decimal point before the unit.
    #[error("Fractional bytes '{0}'")]
    Fractional(String),
    /// The number is fine, the unit (shown in capitals) is not one of ours.
    #[error("Unknown bytes unit '{0}'")]
    Unit(String),
    /// A number without a unit, or nothing at all.
    #[error("Invalid bytes '{0}'")]
    Invalid(String),
}

/// A count of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

impl Bytes {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Bytes {
        Bytes(bytes)
    }

    /// So many times 1024 bytes, at most `u64::MAX` bytes.
    pub const fn from_kilobytes(kilobytes: u64) -> Bytes {
        Bytes(kilobytes.saturating_mul(1 << 10))
    }

    /// So many times 1024² bytes, at most `u64::MAX` bytes.
    pub const fn from_megabytes(megabytes: u64) -> Bytes {
        Bytes(megabytes.saturating_mul(1 << 20))
    }

    /// So many times 1024³ bytes, at most `u64::MAX` bytes.
    pub const fn from_gigabytes(gigabytes: u64) -> Bytes {
        Bytes(gigabytes.saturating_mul(1 << 30))
    }

    /// The count itself.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Whole kilobytes, the rest cut off.
    pub const fn kilobytes(self) -> u64 {
        self.0 >> 10
    }

    /// Whole megabytes, the rest cut off.
    pub const fn megabytes(self) -> u64 {
        self.0 >> 20
    }

    /// Whole gigabytes, the rest cut off.
    pub const fn gigabytes(self) -> u64 {
        self.0 >> 30
    }
}

// === impl Bytes: text ===

impl FromStr for Bytes {
    type Err = BytesError;

    /// Reads `<integer><unit>`; the unit in any case, no blanks.
    fn from_str(text: &str) -> Result<Bytes, BytesError> {
        let Some(split) = text.find(|c: char| !c.is_ascii_digit()) else {
            return Err(BytesError::Invalid(text.to_string()));
        };
        let (number, unit) = text.split_at(split);
        if unit.starts_with('.') {
            return Err(BytesError::Fractional(text.to_string()));
        }
        let count: u64 = numify(number)?;
        let unit = unit.to_ascii_uppercase();
        let Some((size, _)) = UNITS.iter().find(|(_, name)| *name == unit) else {
            return Err(BytesError::Unit(unit));
        };
        let bytes = count.checked_mul(*size).ok_or_else(|| NotANumber(number.to_string()))?;
        Ok(Bytes(bytes))
    }
}

/// Prints the largest unit that loses nothing, `1023MB` but `1GB`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().rfind(|(size, _)| self.0 != 0 && self.0.is_multiple_of(*size));
        let (size, name) = whole.unwrap_or(&UNITS[0]);
        write!(f, "{}{name}", self.0 / size)
    }
}

// === impl Bytes: arithmetic, which stops at zero and at `u64::MAX` ===

impl Add for Bytes {
    type Output = Bytes;

    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

impl Sub for Bytes {
    type Output = Bytes;

    fn sub(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Bytes) {
        *self = *self + other;
    }
}

impl SubAssign for Bytes {
    fn sub_assign(&mut self, other: Bytes) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_test_parse() {
        assert_eq!("1TB".parse(), Ok(Bytes::from_gigabytes(1024)));
        assert_eq!("1GB".parse(), Ok(Bytes::from_gigabytes(1)));
        assert_eq!("64mb".parse(), Ok(Bytes::from_megabytes(64)));
        assert_eq!("1KB".parse(), Ok(Bytes::from_kilobytes(1)));
        assert_eq!("1B".parse(), Ok(Bytes::new(1)));
        for (text, expected) in [
            ("", "Invalid bytes ''"),
            ("10", "Invalid bytes '10'"),
            ("1.5B", "Fractional bytes '1.5B'"),
            ("1.5GB", "Fractional bytes '1.5GB'"),
            ("1pb", "Unknown bytes unit 'PB'"),
            ("1 MB", "Unknown bytes unit ' MB'"),
            ("-1MB", "Failed to convert '' to number"),
            ("99999999TB", "Failed to convert '99999999' to number"),
        ] {
            let parsed: Result<Bytes, BytesError> = text.parse();
            assert_eq!(parsed.map_err(|error| error.to_string()), Err(expected.to_string()));
        }
    }

    #[test]
    fn bytes_test_arithmetic() {
        let gigabyte = Bytes::from_gigabytes(1);
        assert_eq!(gigabyte + gigabyte, Bytes::from_gigabytes(2));
        assert_eq!(Bytes::from_gigabytes(2) - gigabyte, gigabyte);
        assert_eq!(Bytes::new(1) - gigabyte, Bytes::new(0));
        assert_eq!(Bytes::new(1025).kilobytes(), 1);
    }

    #[test]
    fn bytes_test_stringify() {
        for (bytes, expected) in [
            (Bytes::new(0), "0B"),
            (Bytes::new(1023), "1023B"),
            (Bytes::from_kilobytes(1), "1KB"),
            (Bytes::from_kilobytes(1023), "1023KB"),
            (Bytes::from_megabytes(1), "1MB"),
            (Bytes::from_megabytes(1023), "1023MB"),
            (Bytes::from_gigabytes(1023), "1023GB"),
            (Bytes::from_gigabytes(2048), "2TB"),
            (Bytes::new(1 << 50), "1024TB"),
        ] {
            assert_eq!(bytes.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_size_reads_back(count: u64) {
            let bytes = Bytes::new(count);
            prop_assert_eq!(bytes.to_string().parse(), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in "[0-9]{0,22}.{0,3}") {
            let _: Result<Bytes, _> = text.parse();
        }
    }
}
