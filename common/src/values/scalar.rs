//! Fixed-point scalars with three decimals.
//! Never holds a fraction finer than a thousandth: what is finer is rounded on entry.
//! Upstream: `Value::Scalar` and its operators (`convertToFixed`, `convertToFloating`).

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use stout::number::print_double;

/// How many significant digits a C++ stream prints by default.
const STREAM_DIGITS: usize = 6;

/// An amount in thousandths. Sums saturate instead of overflowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar(i64);

impl Scalar {
    /// Nothing at all.
    pub const ZERO: Scalar = Scalar(0);

    /// From an amount in thousandths.
    pub const fn from_milli(milli: i64) -> Scalar {
        Scalar(milli)
    }

    /// Rounds half away from zero to three decimals; NaN becomes zero, the rest saturates.
    pub fn from_f64(value: f64) -> Scalar {
        Scalar((value * 1000.0).round() as i64)
    }

    /// The amount in thousandths.
    pub const fn milli(self) -> i64 {
        self.0
    }

    /// The nearest double, computed so that it equals what upstream sends.
    pub fn to_f64(self) -> f64 {
        (self.0 / 1000) as f64 + (self.0 % 1000) as f64 / 1000.0
    }

    /// Whole units, the fraction dropped; what upstream does to make megabytes of `mem`.
    pub const fn trunc(self) -> i64 {
        self.0 / 1000
    }

    /// Whether this is exactly zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Scalar {
    type Output = Scalar;
    fn add(self, other: Scalar) -> Scalar {
        Scalar(self.0.saturating_add(other.0))
    }
}

impl Sub for Scalar {
    type Output = Scalar;
    fn sub(self, other: Scalar) -> Scalar {
        Scalar(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Scalar {
    fn add_assign(&mut self, other: Scalar) {
        *self = *self + other;
    }
}

impl SubAssign for Scalar {
    fn sub_assign(&mut self, other: Scalar) {
        *self = *self - other;
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_double(self.to_f64(), STREAM_DIGITS))
    }
}
