//! What may be typed: every flag of mesos-master, its default and its help. What a flag means is
//! in `config.rs`. Loaded by `daemon.rs`; tests and clusters in one process start from the default.
//! Upstream: `master/flags.cpp`, and the flags of `master/main.cpp`.

mod registry;
mod security;

use std::path::PathBuf;
use std::time::Duration;

use coordination::daemon::{Daemon, DaemonFlags};
use stout::duration;
use stout::flags::{BoxedError, Flag, Flags, Group};

pub use registry::RegistryFlags;
pub use security::SecurityFlags;

const PING_TIMEOUT_MIN: Duration = Duration::from_secs(1);
const PING_TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);

/// What was typed.
#[derive(Clone, Debug)]
pub struct MasterFlags {
    /// What slaves may be told, too.
    pub daemon: DaemonFlags,
    /// `--root_submissions`.
    pub root_submissions: bool,
    /// `--webui_dir`.
    pub webui_dir: PathBuf,
    /// `--whitelist`.
    pub whitelist: Option<PathBuf>,
    /// `--user_sorter`.
    pub user_sorter: String,
    /// `--framework_sorter`.
    pub framework_sorter: String,
    /// `--allocator`.
    pub allocator: String,
    /// `--allocation_interval`.
    pub allocation_interval: Duration,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--roles`.
    pub roles: Option<String>,
    /// `--weights`.
    pub weights: Option<String>,
    /// `--offer_timeout`.
    pub offer_timeout: Option<Duration>,
    /// `--slave_ping_timeout`.
    pub slave_ping_timeout: Duration,
    /// `--max_slave_ping_timeouts`.
    pub max_slave_ping_timeouts: usize,
    /// `--slave_removal_rate_limit`.
    pub slave_removal_rate_limit: Option<String>,
    /// `--max_completed_frameworks`.
    pub max_completed_frameworks: usize,
    /// `--max_completed_tasks_per_framework`.
    pub max_completed_tasks_per_framework: usize,
    /// The registry, and how its master is found.
    pub registry: RegistryFlags,
    /// Who may do what, and how often.
    pub security: SecurityFlags,
}

impl Default for MasterFlags {
    fn default() -> MasterFlags {
        MasterFlags {
            daemon: DaemonFlags::of_port(5050),
            root_submissions: true,
            webui_dir: "/usr/local/share/mesos/webui".into(),
            whitelist: None,
            user_sorter: "drf".to_owned(),
            framework_sorter: "drf".to_owned(),
            allocator: "HierarchicalDRF".to_owned(),
            allocation_interval: Duration::from_secs(1),
            cluster: None,
            roles: None,
            weights: None,
            offer_timeout: None,
            slave_ping_timeout: Duration::from_secs(15),
            max_slave_ping_timeouts: 5,
            slave_removal_rate_limit: None,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            registry: RegistryFlags::default(),
            security: SecurityFlags::default(),
        }
    }
}

impl Flags for MasterFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("root_submissions", "Whether frameworks may run as the user root.", |flags| {
            &mut flags.root_submissions
        }),
        Flag::new("webui_dir", "Where the files of the web UI are.", |flags| &mut flags.webui_dir),
        Flag::new(
            "whitelist",
            "A file with the host names of slaves that may be offered, one on a\n\
             line: `file:///path` or `/path`. It is read again every 5secs.\n\
             Without it all slaves may be offered.",
            |flags| &mut flags.whitelist,
        ),
        Flag::new(
            "user_sorter",
            "By which policy resources are shared among roles: `drf`, for\n\
             dominant resource fairness.",
            |flags| &mut flags.user_sorter,
        ),
        Flag::new(
            "framework_sorter",
            "By which policy resources are shared among the frameworks of a\n\
             role: `drf`, as with `--user_sorter`.",
            |flags| &mut flags.framework_sorter,
        ),
        Flag::new(
            "allocator",
            "Who shares resources among frameworks: `HierarchicalDRF`.",
            |flags| &mut flags.allocator,
        ),
        Flag::new(
            "allocation_interval",
            "How long to wait from one sharing of all resources to the next,\n\
             such as 500ms or 1secs.",
            |flags| &mut flags.allocation_interval,
        ),
        Flag::new("cluster", "The cluster's name, for people to read.", |flags| &mut flags.cluster),
        Flag::new(
            "roles",
            "The roles that frameworks may have, with commas between; any if not\n\
             given. Deprecated.",
            |flags| &mut flags.roles,
        ),
        Flag::new(
            "weights",
            "How much more than others roles are to get: `role=weight` with\n\
             commas between; a role that is not listed weighs 1.",
            |flags| &mut flags.weights,
        ),
        Flag::new(
            "offer_timeout",
            "After how long an unanswered offer is taken back; never if not\n\
             given. Helps against frameworks that sit on offers or lose them.",
            |flags| &mut flags.offer_timeout,
        ),
        Flag::checked(
            "slave_ping_timeout",
            "How long a slave has to answer a ping. One that leaves\n\
             `--max_slave_ping_timeouts` pings in a row unanswered is removed.\n\
             Both together should be more than ZooKeeper's session timeout.",
            |flags| &mut flags.slave_ping_timeout,
            check_ping_timeout,
        ),
        Flag::checked(
            "max_slave_ping_timeouts",
            "How many pings in a row a slave may leave unanswered.",
            |flags| &mut flags.max_slave_ping_timeouts,
            check_ping_timeouts,
        ),
        Flag::new(
            "slave_removal_rate_limit",
            "At most how many slaves are removed because they do not answer, as\n\
             `<number>/<duration>`, such as 1/10mins. No limit if not given.",
            |flags| &mut flags.slave_removal_rate_limit,
        ),
        Flag::new(
            "max_completed_frameworks",
            "How many frameworks that ended are remembered.",
            |flags| &mut flags.max_completed_frameworks,
        ),
        Flag::new(
            "max_completed_tasks_per_framework",
            "How many tasks that ended are remembered for each framework.",
            |flags| &mut flags.max_completed_tasks_per_framework,
        ),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.daemon, &mut self.registry, &mut self.security]
    }
}

impl Daemon for MasterFlags {
    const NAME: &'static str = "master";

    fn daemon(&self) -> &DaemonFlags {
        &self.daemon
    }
}

fn check_ping_timeout(flags: &MasterFlags) -> Result<(), BoxedError> {
    if (PING_TIMEOUT_MIN..=PING_TIMEOUT_MAX).contains(&flags.slave_ping_timeout) {
        return Ok(());
    }
    let (min, max) = (duration::display(PING_TIMEOUT_MIN), duration::display(PING_TIMEOUT_MAX));
    Err(format!("Expected `--slave_ping_timeout` to be between {min} and {max}").into())
}

fn check_ping_timeouts(flags: &MasterFlags) -> Result<(), BoxedError> {
    match flags.max_slave_ping_timeouts {
        0 => Err("Expected `--max_slave_ping_timeouts` to be at least 1".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stout::flags::declarations;
    use stout::flags::parse::Loader;

    use super::MasterFlags;

    fn error(argument: &str) -> String {
        let files = |path: &str| Err(format!("no file {path}").into());
        let arguments = ["mesos-master".to_owned(), argument.to_owned()];
        Loader::new(&files).load::<MasterFlags>(&arguments).expect_err(argument).to_string()
    }

    #[test]
    fn flags_and_defaults_are_upstreams() {
        let mut ours: BTreeMap<_, _> = declarations::<MasterFlags>()
            .into_iter()
            .map(|(name, flag)| (name, (flag.is_boolean, flag.default.unwrap_or_default())))
            .collect();
        let table = include_str!("../../tests/golden/flags/mesos-master.tsv");
        let theirs: BTreeMap<_, _> = table
            .lines()
            .map(|line| {
                let mut cells = line.split('\t');
                let mut cell = || cells.next().unwrap_or_default();
                let (name, kind, default) = (cell(), cell(), cell());
                let default = default.replace("PREFIX", "/usr/local");
                (name, (kind == "bool", default))
            })
            .collect();
        assert_eq!(ours.remove("zk_legacy_info"), Some((true, "false".to_owned())), "is ours");
        assert_eq!(ours, theirs);
    }

    #[test]
    fn bad_values_are_named_as_upstream_does() {
        let check = |argument: &str, expected: &str| assert_eq!(error(argument), expected);
        check("--bogus", "Failed to load unknown flag 'bogus'");
        check(
            "--port=abc",
            "Failed to load flag 'port': Failed to load value 'abc': Failed to convert into \
             required type",
        );
        check(
            "--hostname_lookup=maybe",
            "Failed to load flag 'hostname_lookup': Failed to load value 'maybe': Expecting a \
             boolean (e.g., true or false)",
        );
        check(
            "--slave_ping_timeout=0secs",
            "Expected `--slave_ping_timeout` to be between 1secs and 15mins",
        );
        check(
            "--max_slave_ping_timeouts=0",
            "Expected `--max_slave_ping_timeouts` to be at least 1",
        );
    }
}
