//! Upstream's numbers that no flag changes.
//! Upstream: `master/constants.cpp`.

use std::time::Duration;

use common::values::Scalar;
use stout::bytes::Bytes;

/// Executors with less are warned about. Upstream: `MIN_CPUS`.
pub const MIN_CPUS: Scalar = Scalar::from_milli(10);

/// Executors with less are warned about. Upstream: `MIN_MEM`.
pub const MIN_MEM: Bytes = Bytes::from_megabytes(32);

/// Slaves bound their retries by it. Upstream: `MIN_SLAVE_REREGISTER_TIMEOUT`.
pub const SLAVE_REREGISTER_TIMEOUT_MIN: Duration = Duration::from_secs(600);

/// How many removed slaves are remembered. Upstream: `MAX_REMOVED_SLAVES`.
pub const REMOVED_SLAVES_MAX: usize = 100_000;

/// How often the whitelist is read. Upstream: `WHITELIST_WATCH_INTERVAL`.
pub const WHITELIST_WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// Whose authenticator lets requests pass that change something.
/// Upstream: `DEFAULT_HTTP_AUTHENTICATION_REALM`.
pub const HTTP_REALM: &str = "mesos";
