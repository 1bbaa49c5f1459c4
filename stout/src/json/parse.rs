//! Reading a document: `serde_json`'s work, with upstream's words for what is wrong.
//! Called for flags, request bodies and files. Never reads a file itself.
//! Upstream: `JSON::parse`.

use serde_json::{Deserializer, Map, Value};

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The line (from 1) where reading stopped, and the rest of that line from there on.
    #[error("syntax error at line {line} near: {near}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What could not be understood, to the end of its line.
        near: String,
    },
    /// A whole document, and then something else.
    #[error("Parsed JSON included non-whitespace trailing characters: {0}")]
    Trailing(String),
    /// A document, but not of the kind that was asked for.
    #[error("Unexpected JSON type parsed")]
    Type,
}

/// Reads one value that fills the text, blanks around it allowed. Of equal keys in an object
/// the last one counts. Nesting deeper than 127 is refused as a syntax error.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(syntax_error(text, &error)),
        None => return Err(ParseError::Syntax { line: 1, near: String::new() }),
    };
    match crate::text::trim(text.get(values.byte_offset()..).unwrap_or_default()) {
        "" => Ok(value),
        trailing => Err(ParseError::Trailing(trailing.to_string())),
    }
}

/// Reads one object that fills the text.
pub fn parse_object(text: &str) -> Result<Map<String, Value>, ParseError> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(ParseError::Type),
    }
}

/// `serde_json` counts lines and the bytes of a line from 1; a column may lie inside a character.
fn syntax_error(text: &str, error: &serde_json::Error) -> ParseError {
    let line = error.line().max(1);
    let line_text = text.split('\n').nth(line - 1).unwrap_or_default();
    let mut start = match error.is_eof() {
        true => line_text.len(),
        false => error.column().saturating_sub(1).min(line_text.len()),
    };
    while !line_text.is_char_boundary(start) {
        start -= 1;
    }
    let near = line_text[start..].chars().filter(|c| *c >= ' ').collect();
    ParseError::Syntax { line, near }
}
