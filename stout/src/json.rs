//! JSON exactly as upstream prints it, written straight into bytes. Every endpoint, flag and
//! command line that shows JSON goes through here; reading is `serde_json`'s work.
//!
//! A view implements [`ToJson`] and fills the [`Slot`] it is given. Fields of
//! [`Slot::object`] appear in the order in which they are written (upstream's `jsonify`);
//! fields of [`Slot::sorted_object`] and of `serde_json` values in the byte order of their
//! keys (upstream's `JSON::Object`). No tree of the whole document ever exists.
//! Never writes a blank or a line break, and never anything that is not JSON.
//! Upstream: `jsonify`, `JSON::Value`, `JSON::parse`.

mod parse;
mod write;

pub use parse::{ParseError, parse, parse_object};
pub use write::{Array, Object, Slot, ToJson};

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

#[cfg(test)]
mod tests;
