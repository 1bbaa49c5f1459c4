//! What a containerizer needs to know of the slave's flags, checked and without their names.
//! Made by the slave. Never reads the environment, a file or the clock itself.
//! Upstream: the parts of `slave::Flags` that containerizers look at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proto::mesos::ContainerInfo;

/// The settings of all containerizers of a slave.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--containerizers`: names, separated by commas.
    pub containerizers: String,
    /// `--isolation`: names, separated by commas.
    pub isolation: String,
    /// `--launcher`; the best one that works here if unset.
    pub launcher: Option<String>,
    /// `--launcher_dir`: where mesos-containerizer and mesos-fetcher are.
    pub launcher_dir: PathBuf,
    /// `--work_dir`.
    pub work_dir: PathBuf,
    /// `--frameworks_home`: what relative URIs are relative to; empty if unset.
    pub frameworks_home: String,
    /// `--hadoop_home`: where the Hadoop client is; empty if unset.
    pub hadoop_home: String,
    /// The slave's own environment, which executors inherit.
    pub environment: BTreeMap<String, String>,
    /// `--executor_environment_variables`: what executors get instead of the slave's environment.
    pub executor_environment_variables: Option<BTreeMap<String, String>>,
    /// The address that the slave was told to use, for executors on hosts without a name service.
    pub libprocess_ip: Option<String>,
    /// Our `libmesos-0.28.3.so`, if it is installed.
    pub native_library: Option<PathBuf>,
    /// `--executor_shutdown_grace_period`.
    pub executor_shutdown_grace_period: Duration,
    /// `--recovery_timeout`.
    pub recovery_timeout: Duration,
    /// `--default_container_info`: for executors that bring none.
    pub default_container_info: Option<ContainerInfo>,
    /// Where the output of containers goes.
    pub output: ContainerOutput,
    /// The time, for statistics.
    pub clock: Clock,
}

impl Default for Config {
    /// Upstream's defaults, with an empty environment and a clock that stands at the epoch.
    fn default() -> Config {
        Config {
            containerizers: "mesos".into(),
            isolation: "posix/cpu,posix/mem".into(),
            launcher: None,
            launcher_dir: PathBuf::new(),
            work_dir: PathBuf::new(),
            frameworks_home: String::new(),
            hadoop_home: String::new(),
            environment: BTreeMap::new(),
            executor_environment_variables: None,
            libprocess_ip: None,
            native_library: None,
            executor_shutdown_grace_period: Duration::from_secs(5),
            recovery_timeout: Duration::from_secs(15 * 60),
            default_container_info: None,
            output: ContainerOutput::Sandbox,
            clock: Clock(Arc::new(|| SystemTime::UNIX_EPOCH)),
        }
    }
}

/// Where the output of containers goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerOutput {
    /// To `stdout` and `stderr` in the sandbox.
    Sandbox,
    /// To where ours goes, as for clusters in one process.
    Inherited,
}

/// Something that tells the time.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// Seconds since 1970.
    pub fn secs(&self) -> f64 {
        (self.0)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
