//! The slave's endpoints: what is read is read here, what is shown is in `views`.
//! Called by the table of endpoints, by the monitor and by `handlers::subscription`. Nothing here
//! changes anything.
//!
//! Upstream: `slave/http.cpp`, `slave/monitor.cpp`.

pub(crate) mod executor;

pub(crate) mod flags;

pub(crate) mod health;

pub(crate) mod state;

pub(crate) mod statistics;
