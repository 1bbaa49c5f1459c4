//! Flags of what only Linux has.
//! Declared here, read by `main`. Upstream: `slave::Flags`.

use std::time::Duration;

use stout::flags::{Flag, Flags};

/// What only Linux has.
#[derive(Clone, Debug)]
pub struct LinuxFlags {
    /// `--cgroups_hierarchy`.
    pub cgroups_hierarchy: String,
    /// `--cgroups_root`.
    pub cgroups_root: String,
    /// `--cgroups_enable_cfs`.
    pub cgroups_enable_cfs: bool,
    /// `--cgroups_limit_swap`.
    pub cgroups_limit_swap: bool,
    /// `--cgroups_cpu_enable_pids_and_tids_count`.
    pub cgroups_cpu_enable_pids_and_tids_count: bool,
    /// `--cgroups_net_cls_primary_handle`.
    pub cgroups_net_cls_primary_handle: Option<String>,
    /// `--cgroups_net_cls_secondary_handles`.
    pub cgroups_net_cls_secondary_handles: Option<String>,
    /// `--slave_subsystems`.
    pub slave_subsystems: Option<String>,
    /// `--perf_events`.
    pub perf_events: Option<String>,
    /// `--perf_interval`.
    pub perf_interval: Duration,
    /// `--perf_duration`.
    pub perf_duration: Duration,
    /// `--revocable_cpu_low_priority`.
    pub revocable_cpu_low_priority: bool,
    /// `--systemd_enable_support`.
    pub systemd_enable_support: bool,
    /// `--systemd_runtime_directory`.
    pub systemd_runtime_directory: String,
}

impl Default for LinuxFlags {
    fn default() -> Self {
        Self {
            cgroups_hierarchy: "/sys/fs/cgroup".to_owned(),
            cgroups_root: "mesos".to_owned(),
            cgroups_enable_cfs: false,
            cgroups_limit_swap: false,
            cgroups_cpu_enable_pids_and_tids_count: false,
            cgroups_net_cls_primary_handle: None,
            cgroups_net_cls_secondary_handles: None,
            slave_subsystems: None,
            perf_events: None,
            perf_interval: Duration::from_secs(60),
            perf_duration: Duration::from_secs(10),
            revocable_cpu_low_priority: true,
            systemd_enable_support: true,
            systemd_runtime_directory: "/run/systemd/system".to_owned(),
        }
    }
}

impl Flags for LinuxFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("cgroups_hierarchy", "Where the control groups are mounted.", |flags| {
            &mut flags.cgroups_hierarchy
        }),
        Flag::new("cgroups_root", "The name of our root control group.", |flags| {
            &mut flags.cgroups_root
        }),
        Flag::new(
            "cgroups_enable_cfs",
            "Whether a container gets no more cpu time than it has cpus.",
            |flags| &mut flags.cgroups_enable_cfs,
        ),
        Flag::new("cgroups_limit_swap", "Whether swap counts as memory.", |flags| {
            &mut flags.cgroups_limit_swap
        }),
        Flag::new(
            "cgroups_cpu_enable_pids_and_tids_count",
            "Whether processes and threads of containers are counted.",
            |flags| &mut flags.cgroups_cpu_enable_pids_and_tids_count,
        ),
        Flag::new(
            "cgroups_net_cls_primary_handle",
            "The upper half of net_cls handles: 0xAAAA.",
            |flags| &mut flags.cgroups_net_cls_primary_handle,
        ),
        Flag::new(
            "cgroups_net_cls_secondary_handles",
            "The range of the lower half: 0xAAAA,0xBBBB.",
            |flags| &mut flags.cgroups_net_cls_secondary_handles,
        ),
        Flag::new(
            "slave_subsystems",
            "The control group subsystems that the slave itself is put into,\n\
             separated by commas.",
            |flags| &mut flags.slave_subsystems,
        ),
        Flag::new(
            "perf_events",
            "The perf events that are sampled, separated by commas.",
            |flags| &mut flags.perf_events,
        ),
        Flag::new("perf_interval", "How often perf events are sampled.", |flags| {
            &mut flags.perf_interval
        }),
        Flag::new(
            "perf_duration",
            "How long a sample takes; less than --perf_interval.",
            |flags| &mut flags.perf_duration,
        ),
        Flag::new(
            "revocable_cpu_low_priority",
            "Whether containers with revocable cpus come last.",
            |flags| &mut flags.revocable_cpu_low_priority,
        ),
        Flag::new(
            "systemd_enable_support",
            "Whether executors are put into a slice of systemd's, so that they\n\
             outlive us.",
            |flags| &mut flags.systemd_enable_support,
        ),
        Flag::new("systemd_runtime_directory", "Where systemd keeps its units.", |flags| {
            &mut flags.systemd_runtime_directory
        }),
    ];
}
