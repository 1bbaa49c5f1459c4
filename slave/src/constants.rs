//! Upstream's numbers: what is fixed, and the defaults of flags.
//! Upstream: `slave/constants.{hpp,cpp}`.

use std::time::Duration;

use stout::bytes::Bytes;

/// How long an executor may take to register, fetching included.
pub(crate) const EXECUTOR_REGISTRATION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an executor may take to shut down before it is killed.
pub(crate) const EXECUTOR_SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// When an update is first sent again.
pub(crate) const STATUS_UPDATE_RETRY_INTERVAL_MIN: Duration = Duration::from_secs(10);
/// The longest wait before an update is sent again.
pub(crate) const STATUS_UPDATE_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(600);

/// When a checkpoint of an update is tried again that has failed.
pub(crate) const CHECKPOINT_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long executors may take to come back to a slave that recovers them.
pub(crate) const EXECUTOR_REREGISTER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest first wait before a registration.
pub(crate) const REGISTRATION_BACKOFF_FACTOR: Duration = Duration::from_secs(1);
/// The longest wait between two registrations.
pub(crate) const REGISTER_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// The longest first wait before another authentication.
pub(crate) const AUTHENTICATION_BACKOFF_FACTOR: Duration = Duration::from_secs(1);
/// The longest wait between two authentications.
pub(crate) const AUTHENTICATION_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// How long an authentication may take.
pub(crate) const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a master may be silent, unless it says otherwise.
pub(crate) const MASTER_PING_TIMEOUT: Duration = Duration::from_secs(75);

/// How long directories are kept.
pub(crate) const GC_DELAY: Duration = Duration::from_secs(7 * 24 * 3600);
/// The share of the disk that is to stay free.
pub(crate) const GC_DISK_HEADROOM: f64 = 0.1;
/// How often the disk is looked at.
pub(crate) const DISK_WATCH_INTERVAL: Duration = Duration::from_secs(60);
/// How long executors wait for a slave to come back.
pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How much of the past is kept.
pub(crate) const MAX_COMPLETED_FRAMEWORKS: usize = 50;
/// The same for the executors of a framework.
pub(crate) const MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK: usize = 150;
/// The same for the tasks of an executor.
pub(crate) const MAX_COMPLETED_TASKS_PER_EXECUTOR: usize = 200;

/// Processors, where they cannot be counted.
pub(crate) const DEFAULT_CPUS: u64 = 1;
/// Memory, where it cannot be measured.
pub(crate) const DEFAULT_MEM: Bytes = Bytes::from_gigabytes(1);
/// Disk, where it cannot be measured.
pub(crate) const DEFAULT_DISK: Bytes = Bytes::from_gigabytes(10);
/// Ports, which are never looked for.
pub(crate) const DEFAULT_PORTS: &str = "[31000-32000]";

/// What the built-in executor gets beyond its task: processors.
pub(crate) const DEFAULT_EXECUTOR_CPUS: &str = "0.1";
/// What the built-in executor gets beyond its task: megabytes.
pub(crate) const DEFAULT_EXECUTOR_MEM: &str = "32";

/// The name of the only authentication that is built in.
pub(crate) const DEFAULT_AUTHENTICATEE: &str = "crammd5";

/// How often `/monitor/statistics` answers: once in each such interval.
pub(crate) const STATISTICS_INTERVAL: Duration = Duration::from_millis(500);
