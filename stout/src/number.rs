//! Numbers from text and to text, as C++ streams and `boost::lexical_cast` handle them.
//! Used by the other modules here and wherever an operator or a peer writes a number.
//! Never rounds silently, wraps around or accepts a number with text around it.
//! Upstream: `numify`, `operator<<(std::ostream&, double)`.

/// The text is no number of the wanted type, or outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to convert '{0}' to number")]
pub struct NotANumber(pub String);

/// A type that [`numify`] can produce.
pub trait Number: Sized {
    /// Decimal text; `None` when it is not exactly one number in range.
    fn from_decimal(text: &str) -> Option<Self>;
    /// Hexadecimal digits without their `0x`; always `None` for floating point.
    fn from_hex(digits: &str) -> Option<Self>;
}

/// A number that fills the whole text: decimal, or hexadecimal behind `0x` for integers.
/// Unlike upstream's, a negative number is never taken for a huge unsigned one.
pub fn numify<N: Number>(text: &str) -> Result<N, NotANumber> {
    N::from_decimal(text)
        .or_else(|| {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
            let unsigned = digits.starts_with(|first: char| first.is_ascii_hexdigit());
            unsigned.then(|| N::from_hex(digits)).flatten()
        })
        .ok_or_else(|| NotANumber(text.to_string()))
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Number for $integer {
            fn from_decimal(text: &str) -> Option<Self> {
                text.parse().ok()
            }
            fn from_hex(digits: &str) -> Option<Self> {
                <$integer>::from_str_radix(digits, 16).ok()
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl Number for f64 {
    fn from_decimal(text: &str) -> Option<Self> {
        let value: f64 = text.parse().ok()?;
        let overflowed = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
        (!overflowed).then_some(value)
    }
    fn from_hex(_: &str) -> Option<Self> {
        None
    }
}

/// A double as a C++ stream with this precision prints it (`%.<digits>g`): at most so many
/// significant digits, no trailing zeros, exponents only for very large and very small values.
pub fn print_double(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return non_finite(value).to_string();
    }
    let Scientific { mantissa, exponent } = Scientific::of(value, digits);
    if exponent < -4 || exponent >= digits as i32 {
        return format!("{}e{exponent:+03}", without_trailing_zeros(&mantissa));
    }
    without_trailing_zeros(&fixed(value, digits, exponent)).to_string()
}

/// A double as upstream's JSON prints it: `%#.15g` with the fraction's trailing zeros cut off,
/// but never its last digit (`2.0`). `None` when it is infinite or no number at all.
pub(crate) fn print_json_double(value: f64) -> Option<String> {
    const DIGITS: usize = 15;
    if !value.is_finite() {
        return None;
    }
    let Scientific { mantissa, exponent } = Scientific::of(value, DIGITS);
    if !(-4..DIGITS as i32).contains(&exponent) {
        return Some(format!("{mantissa}e{exponent:+03}"));
    }
    let mut text = fixed(value, DIGITS, exponent);
    if !text.contains('.') {
        text.push('.');
    }
    let kept = text.trim_end_matches('0').len();
    text.truncate(kept);
    if text.ends_with('.') {
        text.push('0');
    }
    Some(text)
}

struct Scientific {
    mantissa: String,
    exponent: i32,
}

impl Scientific {
    fn of(value: f64, digits: usize) -> Scientific {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = text.split_once('e').expect("`{:e}` prints an exponent");
        let exponent = exponent.parse().expect("`{:e}` prints a decimal exponent");
        Scientific { mantissa: mantissa.to_string(), exponent }
    }
}

fn fixed(value: f64, digits: usize, exponent: i32) -> String {
    let fraction = (digits as i32 - 1 - exponent).max(0) as usize;
    format!("{value:.fraction$}")
}

fn without_trailing_zeros(text: &str) -> &str {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.')
}

fn non_finite(value: f64) -> &'static str {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, false) => "nan",
        (true, true) => "-nan",
        (false, false) => "inf",
        (false, true) => "-inf",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numify_test_simple_conversions() {
        assert_eq!(numify::<i32>("42"), Ok(42));
        assert_eq!(numify::<i32>("-42"), Ok(-42));
        assert_eq!(numify::<i32>("+7"), Ok(7));
        assert_eq!(numify::<u16>("007"), Ok(7));
        assert_eq!(numify::<f64>("5."), Ok(5.0));
        assert_eq!(numify::<f64>(".5"), Ok(0.5));
        assert_eq!(numify::<f64>("1e3"), Ok(1000.0));
        assert_eq!(numify::<f64>("inf"), Ok(f64::INFINITY));
    }

    #[test]
    fn numify_test_hex_number() {
        assert_eq!(numify::<u32>("0x10"), Ok(16));
        assert_eq!(numify::<u32>("0XfF"), Ok(255));
        for bad in ["0x", "0x-1", "0x+1", "0x1.0", "0x1p-5", "10g", "0xg"] {
            assert_eq!(numify::<i64>(bad), Err(NotANumber(bad.into())));
        }
        assert!(numify::<f64>("0x10").is_err());
    }

    #[test]
    fn numify_refuses_what_is_around_or_out_of_range() {
        for bad in ["", " 1", "1 ", "1,5", "--1", "300"] {
            assert!(numify::<u8>(bad).is_err(), "{bad}");
        }
        assert!(numify::<u64>("-1").is_err());
        assert!(numify::<f64>("1e400").is_err());
        assert_eq!(
            numify::<i32>("12x").map_err(|error| error.to_string()),
            Err("Failed to convert '12x' to number".into())
        );
    }

    #[test]
    fn doubles_print_as_streams_print_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (100.0, "100"),
            (123456.0, "123456"),
            (1234567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e100, "1e+100"),
            (999999.5, "1e+06"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(print_double(value, 6), expected);
        }
    }

    proptest! {
        #[test]
        fn seventeen_digits_read_back(value: f64) {
            prop_assume!(value.is_finite());
            prop_assert_eq!(numify::<f64>(&print_double(value, 17)), Ok(value));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (numify::<u8>(&text), numify::<i64>(&text), numify::<f64>(&text));
        }
    }
}
