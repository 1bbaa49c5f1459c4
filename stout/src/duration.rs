//! Lengths of time as operators write them, `75secs`, `1.5hrs`, and as upstream prints them.
//! Values are `std::time::Duration`; a signed count of nanoseconds stands where a peer may
//! send a negative one. Never reads a clock.
//! Upstream: `Duration::parse`, `Duration::create`, `operator<<(std::ostream&, const Duration&)`.

use std::fmt;
use std::time::Duration;

use crate::number::{NotANumber, numify, print_double};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000 * MICROSECOND;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Units in nanoseconds, from the smallest to the largest.
const UNITS: [(i64, &str); 8] = [
    (1, "ns"),
    (MICROSECOND, "us"),
    (MILLISECOND, "ms"),
    (SECOND, "secs"),
    (MINUTE, "mins"),
    (HOUR, "hrs"),
    (DAY, "days"),
    (WEEK, "weeks"),
];

/// Why a text or a number is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// What stands before the unit is no number.
    #[error(transparent)]
    Number(#[from] NotANumber),
    /// The number is fine, the unit is not one of ours.
    #[error("Unknown duration unit '{0}'")]
    Unit(String),
    /// A number without a unit, or nothing at all.
    #[error("Invalid duration '{0}'")]
    Invalid(String),
    /// More than a signed 64-bit count of nanoseconds holds, 292 years.
    #[error("Argument out of the range that a Duration can represent due to int64_t's size limit")]
    Range,
}

/// Reads `<number><unit>`, for instance `10secs` or `2.5mins`; no blanks, never negative.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let Some(split) = text.find(|c: char| !c.is_ascii_digit() && c != '.') else {
        return Err(DurationError::Invalid(text.to_string()));
    };
    let (number, unit) = text.split_at(split);
    let count: f64 = numify(number)?;
    let Some((nanos, _)) = UNITS.iter().find(|(_, name)| *name == unit) else {
        return Err(DurationError::Unit(unit.to_string()));
    };
    let nanos = nanos_in_range(count * *nanos as f64)?;
    Ok(Duration::from_nanos(nanos.unsigned_abs()))
}

/// Signed nanoseconds from a peer's seconds (`Filters.refuse_seconds`), truncated.
pub fn nanos_from_secs(seconds: f64) -> Result<i64, DurationError> {
    nanos_in_range(seconds * SECOND as f64)
}

/// Prints a duration in the unit upstream would choose; see [`display_nanos`].
pub fn display(duration: Duration) -> impl fmt::Display {
    display_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// Prints signed nanoseconds: in the largest unit that fits, or in the next smaller one when
/// only that gives a whole number (`90secs`, not `1.5mins`), with at most 15 digits.
pub fn display_nanos(nanos: i64) -> impl fmt::Display {
    Nanos(nanos)
}

struct Nanos(i64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.checked_abs().unwrap_or(i64::MAX);
        let fitting = UNITS.iter().rposition(|(size, _)| nanos >= *size).unwrap_or(0);
        let (size, name) = UNITS[fitting];
        if nanos % size == 0 {
            return write!(f, "{}{name}", nanos / size);
        }
        let (smaller, smaller_name) = UNITS[fitting - 1];
        if nanos % smaller == 0 {
            return write!(f, "{}{smaller_name}", nanos / smaller);
        }
        write!(f, "{}{name}", print_double(nanos as f64 / size as f64, 15))
    }
}

fn nanos_in_range(nanos: f64) -> Result<i64, DurationError> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !(-LIMIT..LIMIT).contains(&nanos) {
        return Err(DurationError::Range);
    }
    Ok(nanos as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duration_test_parse_and_try() {
        assert_eq!(parse("3hrs"), Ok(Duration::from_secs(3 * 3600)));
        assert_eq!(parse("3.5hrs"), Ok(Duration::from_secs(3 * 3600 + 1800)));
        assert_eq!(parse(".5secs"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1weeks"), parse("7days"));
        assert_eq!(nanos_from_secs(3.25), Ok(3_250_000_000));
        assert_eq!(nanos_from_secs(-2.5), Ok(-2_500_000_000));
        for seconds in [1e10, -1e10, f64::NAN, f64::INFINITY] {
            assert_eq!(nanos_from_secs(seconds), Err(DurationError::Range));
        }
    }

    #[test]
    fn bad_durations_say_what_is_wrong() {
        for (text, expected) in [
            ("", "Invalid duration ''"),
            ("5", "Invalid duration '5'"),
            ("5s", "Unknown duration unit 's'"),
            ("5 secs", "Unknown duration unit ' secs'"),
            ("5secs ", "Unknown duration unit 'secs '"),
            ("abc", "Failed to convert '' to number"),
            ("-5secs", "Failed to convert '' to number"),
            ("1.2.3secs", "Failed to convert '1.2.3' to number"),
            (".secs", "Failed to convert '.' to number"),
            ("5é", "Unknown duration unit 'é'"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expected.to_string()));
        }
        assert_eq!(parse("99999999weeks"), Err(DurationError::Range));
    }

    #[test]
    fn duration_test_output_format() {
        for (nanos, expected) in [
            (0, "0ns"),
            (1, "1ns"),
            (999, "999ns"),
            (1_001, "1001ns"),
            (2_000, "2us"),
            (3_141_592_653, "3.141592653secs"),
            (3_140_000_000, "3140ms"),
            (1_500_001, "1.500001ms"),
            (1_500_000, "1500us"),
            (10 * HOUR, "10hrs"),
            (-10 * HOUR, "-10hrs"),
            (90 * SECOND, "90secs"),
            (10 * DAY, "10days"),
            (DAY + 4 * HOUR + 30 * MINUTE, "1.1875days"),
            (14 * DAY, "2weeks"),
            (i64::MAX, "15250.2844524715weeks"),
            (i64::MIN, "-15250.2844524715weeks"),
        ] {
            assert_eq!(display_nanos(nanos).to_string(), expected);
        }
        assert_eq!(display(Duration::from_secs(75)).to_string(), "75secs");
        assert_eq!(display(Duration::MAX).to_string(), "15250.2844524715weeks");
    }

    proptest! {
        #[test]
        fn whole_counts_read_back(count in 0_u32..10_000, unit in 0_usize..UNITS.len()) {
            let duration = Duration::from_nanos(u64::from(count) * UNITS[unit].0 as u64);
            let text = display(duration).to_string();
            prop_assert!(text.contains('.') || parse(&text) == Ok(duration), "{}", text);
        }

        #[test]
        fn printing_loses_at_most_the_sixteenth_digit(nanos: i64) {
            let text = display_nanos(nanos).to_string();
            if let Ok(read) = parse(text.trim_start_matches('-')) {
                let off = (read.as_nanos() as f64 - (nanos as f64).abs()).abs();
                prop_assert!(off <= 1.0 + (nanos as f64).abs() * 1e-14, "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in "[0-9.]{0,6}.{0,4}") {
            let _ = parse(&text);
        }
    }
}
