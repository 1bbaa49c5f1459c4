//! The vocabulary below everything else: units, numbers, text, flags and JSON, parsed and
//! printed as upstream does. Used by every other crate. Pure: no file, socket, clock,
//! randomness, environment or log line; what comes from outside is handed in.
//! Upstream: `3rdparty/libprocess/3rdparty/stout`.

pub mod number;

pub mod bytes;
pub mod duration;
pub mod ip;
pub mod uuid;

pub mod bounded;
pub mod flags;
pub mod json;
pub mod text;

pub use ::uuid::Uuid;
