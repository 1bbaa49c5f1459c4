//! Status updates on their way to the framework: each is sent again until it is acknowledged, and
//! those of one task one after the other.
//!
//! Upstream: `slave/status_update_manager.{hpp,cpp}`.

mod manager;

mod stream;

pub(crate) use manager::{RecoveredStream, StatusUpdates};
pub(crate) use stream::{AckError, Acknowledged, Stream, UpdateError};
