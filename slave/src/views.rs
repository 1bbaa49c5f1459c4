//! What `/state` shows, as JSON with sorted keys. Called by `http`. Pure.
//!
//! Upstream: `model` of Framework and Executor in `slave/http.cpp`.

pub(crate) mod slave;

mod framework;

mod executor;
