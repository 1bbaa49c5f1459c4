//! The value types of resources and attributes: scalars, ranges, sets and text.
//! Used by `resources` and `attributes`; knows neither of them, nor any protobuf message.
//! Upstream: `mesos::Value` and its operators in `common/values.cpp`.

mod ranges;
mod scalar;
mod set;
mod text;

#[cfg(test)]
mod tests;

pub use ranges::{Range, Ranges};
pub use scalar::Scalar;
pub use set::Set;
pub use text::{Value, ValueError};
