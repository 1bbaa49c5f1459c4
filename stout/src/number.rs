//! Numbers from text and to text, as C++ streams and `boost::lexical_cast` handle them.
//! Used by the other modules here and wherever an operator or a peer writes a number.
//! Never rounds silently, wraps around or accepts a number with text around it.
//! Upstream: `numify`, `operator<<(std::ostream&, double)`.

use std::fmt;
use std::io::{Cursor, Write};

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

/// A double as a C++ stream with this precision (1 to 17) prints it, `%.<digits>g`: at most so
/// many significant digits, no trailing zeros, an exponent only where the number is very large
/// or very small.
pub fn print_double(value: f64, digits_max: usize) -> String {
    if !value.is_finite() {
        return non_finite(value).to_string();
    }
    let digits_max = digits_max.clamp(1, Decimal::DIGITS_MAX);
    let decimal = Decimal::of(value, digits_max);
    let mut text = Vec::new();
    if decimal.is_fixed(digits_max) {
        decimal.print_fixed(&mut text);
    } else {
        decimal.print_exponential(&mut text, Fraction::Shortest);
    }
    String::from_utf8(text).expect("numbers are ASCII")
}

/// Appends a finite double as upstream's JSON prints it: `%#.15g` with the fraction's trailing
/// zeros cut off, but never its last digit (`2.0`). Zeros that end an exponent stay: upstream
/// cuts them off too and so prints another number.
pub(crate) fn print_json_double(value: f64, text: &mut Vec<u8>) {
    const DIGITS: usize = 15;
    let decimal = Decimal::of(value, DIGITS);
    if !decimal.is_fixed(DIGITS) {
        decimal.print_exponential(text, Fraction::Digits(DIGITS - 1));
        return;
    }
    decimal.print_fixed(text);
    if decimal.is_whole() {
        text.extend_from_slice(b".0");
    }
}

/// A finite double rounded to some significant digits: ±d.ddd × 10^exponent.
struct Decimal {
    is_negative: bool,
    digits: [u8; Decimal::DIGITS_MAX],
    /// How many digits count, at least one; behind them are zeros only.
    len: usize,
    exponent: i32,
}

/// How the digits behind the point are printed in front of an exponent.
enum Fraction {
    Shortest,
    Digits(usize),
}

impl Decimal {
    /// So many digits tell any two doubles apart.
    const DIGITS_MAX: usize = 17;

    fn of(value: f64, digits_max: usize) -> Decimal {
        // The shortest text that reads back as the same double is found much faster than a
        // rounded one, and is the same if it is no longer than doubles are exact.
        const ALWAYS_EXACT: usize = 15;
        let mut buffer = [0; 32];
        if value.is_normal() || value == 0.0 {
            let shortest = Decimal::parse(print(&mut buffer, format_args!("{value:e}")));
            if shortest.len <= digits_max.min(ALWAYS_EXACT) {
                return shortest;
            }
        }
        let fraction = digits_max - 1;
        Decimal::parse(print(&mut buffer, format_args!("{value:.fraction$e}")))
    }

    /// Takes apart what `{:e}` prints.
    fn parse(scientific: &[u8]) -> Decimal {
        let mut decimal =
            Decimal { is_negative: false, digits: [b'0'; Self::DIGITS_MAX], len: 1, exponent: 0 };
        let mut position = 0;
        for (at, byte) in scientific.iter().enumerate() {
            match byte {
                b'-' => decimal.is_negative = true,
                b'0'..=b'9' => {
                    decimal.digits[position] = *byte;
                    position += 1;
                    if *byte != b'0' {
                        decimal.len = position;
                    }
                }
                b'e' => {
                    let exponent = str::from_utf8(&scientific[at + 1..]).ok();
                    decimal.exponent = exponent
                        .and_then(|text| text.parse().ok())
                        .expect("`{:e}` ends with a decimal exponent");
                    break;
                }
                _ => (),
            }
        }
        decimal
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    /// Whether `%g` prints it without an exponent.
    fn is_fixed(&self, digits_max: usize) -> bool {
        (-4..digits_max as i32).contains(&self.exponent)
    }

    fn is_whole(&self) -> bool {
        self.len as i32 <= self.exponent + 1
    }

    fn print_sign(&self, text: &mut Vec<u8>) {
        if self.is_negative {
            text.push(b'-');
        }
    }

    /// For exponents below [`Self::DIGITS_MAX`].
    fn print_fixed(&self, text: &mut Vec<u8>) {
        self.print_sign(text);
        let Ok(exponent) = usize::try_from(self.exponent) else {
            let zeros = self.exponent.unsigned_abs() as usize - 1;
            text.extend_from_slice(b"0.");
            text.resize(text.len() + zeros, b'0');
            text.extend_from_slice(self.digits());
            return;
        };
        text.extend_from_slice(&self.digits[..=exponent]);
        if !self.is_whole() {
            text.push(b'.');
            text.extend_from_slice(&self.digits()[exponent + 1..]);
        }
    }

    fn print_exponential(&self, text: &mut Vec<u8>, fraction: Fraction) {
        self.print_sign(text);
        let len = match fraction {
            Fraction::Shortest => self.len,
            Fraction::Digits(len) => len + 1,
        };
        text.push(self.digits[0]);
        if len > 1 {
            text.push(b'.');
            text.extend_from_slice(&self.digits[1..len]);
        }
        text.extend_from_slice(format!("e{:+03}", self.exponent).as_bytes());
    }
}

fn print<'a>(buffer: &'a mut [u8; 32], text: fmt::Arguments<'_>) -> &'a [u8] {
    let mut cursor = Cursor::new(&mut buffer[..]);
    cursor.write_fmt(text).expect("a sign, 17 digits and an exponent fit");
    let len = cursor.position() as usize;
    &buffer[..len]
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
            (5e-324, "4.94066e-324"),
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
        fn no_double_panics(bits: u64, digits_max in 0_usize..30) {
            print_double(f64::from_bits(bits), digits_max);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (numify::<u8>(&text), numify::<i64>(&text), numify::<f64>(&text));
        }
    }
}
