//! Values from flag text: `45.55`, `[1-2, 4-5]`, `{a, b}` or any other text.
//! Called by `resources::parse` and `attributes`. Upstream: `internal::values::parse`.

use stout::text::{brackets_match, tokenize};

use super::{Range, Ranges, Set};

/// A parsed value. A scalar keeps its full precision here, because attributes show it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A finite number.
    Scalar(f64),
    /// `[begin-end, …]`, coalesced.
    Ranges(Ranges),
    /// `{item, …}`.
    Set(Set),
    /// Whatever is none of the others, without its blanks; `inf` and `nan` are texts too.
    Text(String),
}

impl Value {
    /// The name of the type in the protobuf schema, such as `SCALAR`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Scalar(_) => "SCALAR",
            Value::Ranges(_) => "RANGES",
            Value::Set(_) => "SET",
            Value::Text(_) => "TEXT",
        }
    }
}

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Blanks only.
    #[error("Expecting non-empty string")]
    Empty,
    /// `{`, `[` or `(` without its partner, or the other way round.
    #[error("Mismatched brackets")]
    MismatchedBrackets,
    /// An odd number of bounds.
    #[error("Expecting one or more \"ranges\"")]
    OddBounds,
    /// A bound that is no number.
    #[error("Expecting non-negative integers in '{0}'")]
    NotAnInteger(String),
    /// A range whose bounds are the wrong way round.
    #[error("Expecting begin <= end in range '{0}-{1}'")]
    Inverted(u64, u64),
    /// A bracket that does not open the text.
    #[error("Unexpected '{0}' found")]
    Unexpected(char),
}

impl std::str::FromStr for Value {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Value, ValueError> {
        let text: String = text.chars().filter(|&c| c != ' ').collect();
        if text.is_empty() {
            return Err(ValueError::Empty);
        }
        if [('{', '}'), ('[', ']'), ('(', ')')]
            .iter()
            .any(|&(open, close)| !brackets_match(&text, open, close))
        {
            return Err(ValueError::MismatchedBrackets);
        }
        match (text.find('['), text.find('{')) {
            (Some(0), _) => parse_ranges(&text),
            (Some(_), _) => Err(ValueError::Unexpected('[')),
            (None, Some(0)) => Ok(Value::Set(tokenize(&text, "{},\n").into_iter().collect())),
            (None, Some(_)) => Err(ValueError::Unexpected('{')),
            (None, None) => Ok(parse_scalar(text)),
        }
    }
}

fn parse_ranges(text: &str) -> Result<Value, ValueError> {
    let bounds = tokenize(text, "[]-,\n");
    if !bounds.len().is_multiple_of(2) {
        return Err(ValueError::OddBounds);
    }
    let ranges: Result<Ranges, ValueError> = bounds
        .chunks_exact(2)
        .map(|pair| match (parse_bound(pair[0])?, parse_bound(pair[1])?) {
            (begin, end) if begin > end => Err(ValueError::Inverted(begin, end)),
            (begin, end) => Ok(Range { begin, end }),
        })
        .collect();
    Ok(Value::Ranges(ranges?))
}

fn parse_bound(token: &str) -> Result<u64, ValueError> {
    token.parse().map_err(|_| ValueError::NotAnInteger(token.to_owned()))
}

fn parse_scalar(text: String) -> Value {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Scalar(number),
        _ => Value::Text(text),
    }
}
