//! JSON exactly as upstream prints it, written straight into bytes. Every endpoint, flag and
//! command line that shows JSON goes through here; reading is `serde_json`'s work.
//!
//! A view implements [`ToJson`] and fills the [`Slot`] it is given. Fields of
//! [`Slot::object`] appear in the order in which they are written (upstream's `jsonify`);
//! fields of [`Slot::sorted_object`] and of `serde_json` values in the byte order of their
//! keys (upstream's `JSON::Object`). No tree of the whole document ever exists.
//! Never writes a blank or a line break, and never anything that is not JSON.
//! Upstream: `jsonify`, `JSON::Value`, `JSON::parse`.

mod impls;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Deserializer, Map, Value};

use crate::number::print_json_double;
use crate::text::trim;

/// What can be shown as JSON.
pub trait ToJson {
    /// Puts the value into its place.
    fn to_json(&self, slot: Slot<'_>);
}

/// The document of a value.
pub fn to_vec(value: &(impl ToJson + ?Sized)) -> Vec<u8> {
    let mut out = Vec::new();
    value.to_json(Slot::new(&mut out));
    out
}

/// The document of a value as text; bytes that are no UTF-8 ([`Slot::bytes`]) are replaced.
pub fn to_string(value: &(impl ToJson + ?Sized)) -> String {
    String::from_utf8(to_vec(value))
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An object in the order in which its fields are written.
pub fn object(fields: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Slot::new(&mut out).object(fields);
    out
}

/// An array.
pub fn array(elements: impl FnOnce(&mut Array<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Slot::new(&mut out).array(elements);
    out
}

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
    match trim(text.get(values.byte_offset()..).unwrap_or_default()) {
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

/// The place of exactly one value.
pub struct Slot<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Slot<'a> {
    /// A place at the end of these bytes.
    pub fn new(out: &'a mut Vec<u8>) -> Slot<'a> {
        Slot { out }
    }

    /// `null`
    pub fn null(self) {
        self.out.extend_from_slice(b"null");
    }

    /// `true` or `false`
    pub fn boolean(self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A number without a decimal point.
    pub fn integer(self, value: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A number with 15 significant digits that always has a decimal point, `2.0`.
    /// What is infinite or no number becomes `null`, for JSON has no such numbers.
    pub fn double(self, value: f64) {
        // Doubles of this size hold whole numbers exactly, so that nothing is lost.
        const EXACT_BELOW: f64 = 1e15;
        let is_negative_zero = value == 0.0 && value.is_sign_negative();
        if value.trunc() == value && value.abs() < EXACT_BELOW && !is_negative_zero {
            let mut digits = itoa::Buffer::new();
            self.out.extend_from_slice(digits.format(value as i64).as_bytes());
            self.out.extend_from_slice(b".0");
            return;
        }
        if value.is_finite() {
            print_json_double(value, self.out);
        } else {
            self.null();
        }
    }

    /// A string, escaped as upstream does (`/` too).
    pub fn string(self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A string of bytes, escaped alike. Those above 0x7f pass through as they are, so that
    /// the document is UTF-8 only if they are.
    pub fn bytes(self, value: &[u8]) {
        write_string(self.out, value);
    }

    /// `{…}`, in the order in which the fields are written.
    pub fn object(self, fields: impl FnOnce(&mut Object<'_>)) {
        self.out.push(b'{');
        fields(&mut Object { start: self.out.len(), out: self.out, index: None });
        self.out.push(b'}');
    }

    /// `{…}` sorted by the bytes of the keys; of equal keys the last one written stays.
    pub fn sorted_object(self, fields: impl FnOnce(&mut Object<'_>)) {
        self.out.push(b'{');
        let start = self.out.len();
        let mut object = Object { out: self.out, start, index: Some(Vec::new()) };
        fields(&mut object);
        object.sort();
        self.out.push(b'}');
    }

    /// `[…]`
    pub fn array(self, elements: impl FnOnce(&mut Array<'_>)) {
        self.out.push(b'[');
        elements(&mut Array { start: self.out.len(), out: self.out });
        self.out.push(b']');
    }
}

/// The inside of an object.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// Where each field lies, if the object is to be sorted.
    index: Option<Vec<(Box<str>, Range<usize>)>>,
}

impl Object<'_> {
    /// A field with its value.
    pub fn field(&mut self, key: &str, value: impl ToJson) {
        self.field_with(key, |slot| value.to_json(slot));
    }

    /// A field that is an object, in the order in which its fields are written.
    pub fn object(&mut self, key: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.field_with(key, |slot| slot.object(fields));
    }

    /// A field that is an object sorted by its keys.
    pub fn sorted_object(&mut self, key: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.field_with(key, |slot| slot.sorted_object(fields));
    }

    /// A field that is an array.
    pub fn array(&mut self, key: &str, elements: impl FnOnce(&mut Array<'_>)) {
        self.field_with(key, |slot| slot.array(elements));
    }

    /// A field whose value is put into its place by a function.
    pub fn field_with(&mut self, key: &str, value: impl FnOnce(Slot<'_>)) {
        separate(self.out, self.start);
        let start = self.out.len();
        write_string(self.out, key.as_bytes());
        self.out.push(b':');
        let before = self.out.len();
        value(Slot { out: self.out });
        fill(self.out, before);
        if let Some(index) = &mut self.index {
            index.push((key.into(), start..self.out.len()));
        }
    }

    fn sort(mut self) {
        let Some(mut index) = self.index.take() else { return };
        if index.is_sorted_by(|(left, _), (right, _)| left < right) {
            return;
        }
        let unsorted = self.out.split_off(self.start);
        // A stable sort of the reversed fields puts the last one of equal keys first.
        index.reverse();
        index.sort_by(|(left, _), (right, _)| left.cmp(right));
        index.dedup_by(|(later, _), (kept, _)| later == kept);
        for (_, range) in index {
            separate(self.out, self.start);
            let field = range.start - self.start..range.end - self.start;
            self.out.extend_from_slice(&unsorted[field]);
        }
    }
}

/// The inside of an array.
pub struct Array<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl Array<'_> {
    /// The next element.
    pub fn element(&mut self, value: impl ToJson) {
        self.element_with(|slot| value.to_json(slot));
    }

    /// The next element, an object in the order in which its fields are written.
    pub fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        self.element_with(|slot| slot.object(fields));
    }

    /// The next element, put into its place by a function.
    pub fn element_with(&mut self, value: impl FnOnce(Slot<'_>)) {
        separate(self.out, self.start);
        let before = self.out.len();
        value(Slot { out: self.out });
        fill(self.out, before);
    }
}

/// A comma unless this is the first of its object or array.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

/// A value that left its place empty is `null`.
fn fill(out: &mut Vec<u8>, before: usize) {
    if out.len() == before {
        out.extend_from_slice(b"null");
    }
}

fn write_string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in value.iter().enumerate() {
        if !needs_escape(*byte) {
            continue;
        }
        out.extend_from_slice(&value[plain..at]);
        plain = at + 1;
        write_escaped(out, *byte);
    }
    out.extend_from_slice(&value[plain..]);
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/' | 0x7f)
}

fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' | b'/' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0xf)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

// === reading ===

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
