//! The flags of mesos-slave: what may be typed. What it means is in `config`.
//! Loaded by `main`, and by clusters in one process.
//! Upstream: `slave::Flags`, and the flags of `slave/main.cpp`.

mod containers;
mod docker;
mod linux;

use std::path::PathBuf;
use std::time::Duration;

use coordination::daemon::{Daemon, DaemonFlags};
use serde_json::{Map, Value};
use stout::flags::{BoxedError, Flag, Group};

use crate::constants::{
    AUTHENTICATION_BACKOFF_FACTOR, DEFAULT_AUTHENTICATEE, DISK_WATCH_INTERVAL,
    EXECUTOR_REGISTRATION_TIMEOUT, EXECUTOR_SHUTDOWN_GRACE_PERIOD, GC_DELAY, GC_DISK_HEADROOM,
    RECOVERY_TIMEOUT, REGISTRATION_BACKOFF_FACTOR,
};

pub use containers::ContainerFlags;
pub use docker::DockerFlags;
pub use linux::LinuxFlags;

/// What may be typed.
#[derive(Clone, Debug)]
pub struct Flags {
    /// `--master`.
    pub master: Option<String>,
    /// What masters may be told, too.
    pub daemon: DaemonFlags,
    /// `--resources`.
    pub resources: Option<String>,
    /// `--attributes`.
    pub attributes: Option<String>,
    /// `--default_role`.
    pub default_role: String,
    /// `--work_dir`.
    pub work_dir: PathBuf,
    /// `--launcher_dir`.
    pub launcher_dir: PathBuf,
    /// `--switch_user`.
    pub switch_user: bool,
    /// `--registration_backoff_factor`.
    pub registration_backoff_factor: Duration,
    /// `--authentication_backoff_factor`.
    pub authentication_backoff_factor: Duration,
    /// `--executor_environment_variables`.
    pub executor_environment_variables: Option<Map<String, Value>>,
    /// `--executor_registration_timeout`.
    pub executor_registration_timeout: Duration,
    /// `--executor_shutdown_grace_period`.
    pub executor_shutdown_grace_period: Duration,
    /// `--gc_delay`.
    pub gc_delay: Duration,
    /// `--gc_disk_headroom`.
    pub gc_disk_headroom: f64,
    /// `--disk_watch_interval`.
    pub disk_watch_interval: Duration,
    /// `--recover`.
    pub recover: String,
    /// `--recovery_timeout`.
    pub recovery_timeout: Duration,
    /// `--strict`.
    pub strict: bool,
    /// `--credential`.
    pub credential: Option<PathBuf>,
    /// `--authenticatee`.
    pub authenticatee: String,
    /// `--resource_estimator`.
    pub resource_estimator: Option<String>,
    /// `--qos_controller`.
    pub qos_controller: Option<String>,
    /// `--qos_correction_interval_min`.
    pub qos_correction_interval_min: Duration,
    /// `--oversubscribed_resources_interval`.
    pub oversubscribed_resources_interval: Duration,
    /// Which containers there are, and what goes into them.
    pub containers: ContainerFlags,
    /// The docker containerizer.
    pub docker: DockerFlags,
    /// What only Linux has.
    pub linux: LinuxFlags,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            master: None,
            daemon: DaemonFlags::of_port(5051),
            resources: None,
            attributes: None,
            default_role: "*".to_owned(),
            work_dir: "/tmp/mesos".into(),
            launcher_dir: PathBuf::new(),
            switch_user: true,
            registration_backoff_factor: REGISTRATION_BACKOFF_FACTOR,
            authentication_backoff_factor: AUTHENTICATION_BACKOFF_FACTOR,
            executor_environment_variables: None,
            executor_registration_timeout: EXECUTOR_REGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: EXECUTOR_SHUTDOWN_GRACE_PERIOD,
            gc_delay: GC_DELAY,
            gc_disk_headroom: GC_DISK_HEADROOM,
            disk_watch_interval: DISK_WATCH_INTERVAL,
            recover: "reconnect".to_owned(),
            recovery_timeout: RECOVERY_TIMEOUT,
            strict: true,
            credential: None,
            authenticatee: DEFAULT_AUTHENTICATEE.to_owned(),
            resource_estimator: None,
            qos_controller: None,
            qos_correction_interval_min: Duration::ZERO,
            oversubscribed_resources_interval: Duration::from_secs(15),
            containers: ContainerFlags::default(),
            docker: DockerFlags::default(),
            linux: LinuxFlags::default(),
        }
    }
}

impl stout::flags::Flags for Flags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "master",
            "Where the master is found: host:port, or file:///path of a file that\n\
             holds it.",
            |flags| &mut flags.master,
        ),
        Flag::new(
            "resources",
            "What there is to use: name(role):value;name:value… or a JSON array of\n\
             Resource messages, here or in file:///path. What it does not mention\n\
             of cpus, mem, disk and ports is detected.\n\
             Example: cpus:24;mem:24576;ports(web):[31000-32000]",
            |flags| &mut flags.resources,
        ),
        Flag::new(
            "attributes",
            "What is to be known of this host: name:value;name:value…\n\
             A value is a number, ranges ([1-4]) or a text.\n\
             Example: rack:2;u:1",
            |flags| &mut flags.attributes,
        ),
        Flag::new(
            "default_role",
            "The role of resources that are detected, or that name none.",
            |flags| &mut flags.default_role,
        ),
        Flag::new("work_dir", "The directory for sandboxes and for what we remember.", |flags| {
            &mut flags.work_dir
        }),
        Flag::new(
            "launcher_dir",
            "The directory of mesos-executor, mesos-containerizer and mesos-\n\
             fetcher. The one of mesos-slave itself if unset.",
            |flags| &mut flags.launcher_dir,
        ),
        Flag::new(
            "switch_user",
            "Whether executors run as the user of their framework or command, which\n\
             takes privileges. If not, they run as we do.",
            |flags| &mut flags.switch_user,
        ),
        Flag::new(
            "registration_backoff_factor",
            "The longest wait before we register with a new master; waits are\n\
             random. Later ones double, up to 1mins.",
            |flags| &mut flags.registration_backoff_factor,
        ),
        Flag::new(
            "authentication_backoff_factor",
            "The same for a new try after a failed authentication.",
            |flags| &mut flags.authentication_backoff_factor,
        ),
        Flag::checked(
            "executor_environment_variables",
            "The environment of executors, as a JSON object of texts. They inherit\n\
             ours if unset.\n\
             Example: {\"PATH\": \"/bin:/usr/bin\"}",
            |flags| &mut flags.executor_environment_variables,
            check_variables,
        ),
        Flag::new(
            "executor_registration_timeout",
            "How long an executor may take to register, fetching included, before\n\
             it is killed.",
            |flags| &mut flags.executor_registration_timeout,
        ),
        Flag::new(
            "executor_shutdown_grace_period",
            "How long an executor may take to shut down before it is killed.",
            |flags| &mut flags.executor_shutdown_grace_period,
        ),
        Flag::new(
            "gc_delay",
            "How long directories of executors are kept at most; less when the disk\n\
             is full.",
            |flags| &mut flags.gc_delay,
        ),
        Flag::new(
            "gc_disk_headroom",
            "The share of the disk, from 0.0 to 1.0, that is to stay free.\n\
             Directories may become gc_delay * max(0.0, 1.0 - gc_disk_headroom -\n\
             disk usage) old.",
            |flags| &mut flags.gc_disk_headroom,
        ),
        Flag::new(
            "disk_watch_interval",
            "How often the disk is looked at, and old directories are removed.",
            |flags| &mut flags.disk_watch_interval,
        ),
        Flag::new(
            "recover",
            "What to do with what an earlier run has left.\n\
             reconnect: go on with it.\n\
             cleanup: end its executors, and then ourselves.",
            |flags| &mut flags.recover,
        ),
        Flag::new(
            "recovery_timeout",
            "How long executors wait for a slave to come back before they end.",
            |flags| &mut flags.recovery_timeout,
        ),
        Flag::new(
            "strict",
            "Whether any error in what an earlier run has left is fatal.",
            |flags| &mut flags.strict,
        ),
        Flag::new(
            "credential",
            "A file with our principal and secret, separated by a blank, or as\n\
             JSON: {\"principal\": \"p\", \"secret\": \"s\"}",
            |flags| &mut flags.credential,
        ),
        Flag::new("authenticatee", "How we authenticate ourselves to the master.", |flags| {
            &mut flags.authenticatee
        }),
        Flag::new(
            "resource_estimator",
            "The name of the module that says what may be lent out.",
            |flags| &mut flags.resource_estimator,
        ),
        Flag::new(
            "qos_controller",
            "The name of the module that says what has been lent out and is to be\n\
             taken back.",
            |flags| &mut flags.qos_controller,
        ),
        Flag::new(
            "qos_correction_interval_min",
            "The shortest wait between two questions to the QoS controller.",
            |flags| &mut flags.qos_correction_interval_min,
        ),
        Flag::new(
            "oversubscribed_resources_interval",
            "How often the master is told what may be lent out.",
            |flags| &mut flags.oversubscribed_resources_interval,
        ),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.daemon, &mut self.containers, &mut self.docker, &mut self.linux]
    }
}

impl Daemon for Flags {
    const NAME: &'static str = "slave";

    fn daemon(&self) -> &DaemonFlags {
        &self.daemon
    }
}

fn check_variables(flags: &Flags) -> Result<(), BoxedError> {
    let variables = flags.executor_environment_variables.iter().flat_map(Map::values);
    match variables.into_iter().all(Value::is_string) {
        true => Ok(()),
        false => Err("`executor_environment_variables` must only contain string values".into()),
    }
}

#[cfg(test)]
mod tests;
