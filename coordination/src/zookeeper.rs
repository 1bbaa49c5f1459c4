//! ZooKeeper as the rest of this crate sees it: where it is, and a session with it.
//! Called by `group` and by state stores. Never knows what the nodes mean.
//!
//! Upstream: `src/zookeeper/{url,zookeeper,authentication}.hpp`.

pub mod error;
pub mod lease;
pub mod session;
pub mod url;

pub use error::ZooKeeperError;
pub use lease::Lease;
pub use session::Session;
pub use url::{Url, UrlError};
