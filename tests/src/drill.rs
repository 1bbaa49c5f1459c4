//! Drills: a framework that launches without a pause while processes of the cluster die, and an
//! observer that knows what must hold all the same.
//! Called by the tests of `tests/drills`. `framework` is the one that acts, `observer` the pure
//! record of what it saw and the judgement on it.

mod framework;
mod observer;

pub use framework::DrillFramework;
pub use observer::Report;
