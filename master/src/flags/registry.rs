//! Flags about what survives a master, and about who leads.

use std::path::PathBuf;
use std::time::Duration;

use stout::flags::{Flag, Flags};

use crate::constants::SLAVE_REREGISTER_TIMEOUT_MIN;

/// What was typed.
#[derive(Clone, Debug)]
pub struct RegistryFlags {
    /// `--zk`.
    pub zk: Option<String>,
    /// `--zk_legacy_info`, which upstream has not.
    pub zk_legacy_info: bool,
    /// `--zk_session_timeout`.
    pub zk_session_timeout: Duration,
    /// `--work_dir`.
    pub work_dir: Option<PathBuf>,
    /// `--registry`.
    pub registry: String,
    /// `--quorum`.
    pub quorum: Option<u64>,
    /// `--registry_strict`.
    pub registry_strict: bool,
    /// `--registry_fetch_timeout`.
    pub registry_fetch_timeout: Duration,
    /// `--registry_store_timeout`.
    pub registry_store_timeout: Duration,
    /// `--log_auto_initialize`.
    pub log_auto_initialize: bool,
    /// `--slave_reregister_timeout`.
    pub slave_reregister_timeout: Duration,
    /// `--recovery_slave_removal_limit`.
    pub recovery_slave_removal_limit: String,
}

impl Default for RegistryFlags {
    fn default() -> RegistryFlags {
        RegistryFlags {
            zk: None,
            zk_legacy_info: false,
            zk_session_timeout: Duration::from_secs(10),
            work_dir: None,
            registry: "replicated_log".to_owned(),
            quorum: None,
            registry_strict: false,
            registry_fetch_timeout: Duration::from_secs(60),
            registry_store_timeout: Duration::from_secs(20),
            log_auto_initialize: true,
            slave_reregister_timeout: SLAVE_REREGISTER_TIMEOUT_MIN,
            recovery_slave_removal_limit: "100%".to_owned(),
        }
    }
}

impl Flags for RegistryFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "zk",
            "ZooKeeper, where several masters agree on who leads. One of:\n\
             \x20 `zk://host1:port1,host2:port2,.../path`\n\
             \x20 `zk://user:password@host1:port1,host2:port2,.../path`\n\
             \x20 `file:///path`, a file that holds one of these\n\
             Not needed by a single master.",
            |flags| &mut flags.zk,
        ),
        Flag::new(
            "zk_legacy_info",
            "Whether to be found by slaves and schedulers of 0.20 to 0.22, too, which\n\
             read a form in ZooKeeper that some newer libraries do not expect.",
            |flags| &mut flags.zk_legacy_info,
        ),
        Flag::new("zk_session_timeout", "The timeout of the session with ZooKeeper.", |flags| {
            &mut flags.zk_session_timeout
        }),
        Flag::new(
            "work_dir",
            "The directory of what survives this master, such as\n\
             `/var/lib/mesos/master`.",
            |flags| &mut flags.work_dir,
        ),
        Flag::new(
            "registry",
            "How the registry is kept: `replicated_log`, or `in_memory`, which\n\
             is for tests.",
            |flags| &mut flags.registry,
        ),
        Flag::new(
            "quorum",
            "How many replicas of the `replicated_log` make a majority: more\n\
             than half of all masters. Not needed by a single master.",
            |flags| &mut flags.quorum,
        ),
        Flag::new(
            "registry_strict",
            "Whether slaves that the registry does not know are refused.\n\
             Experimental: without it the registry can be built up while a\n\
             cluster runs.",
            |flags| &mut flags.registry_strict,
        ),
        Flag::new(
            "registry_fetch_timeout",
            "How long reading the registry may take before it has failed.",
            |flags| &mut flags.registry_fetch_timeout,
        ),
        Flag::new(
            "registry_store_timeout",
            "How long writing the registry may take before it has failed.",
            |flags| &mut flags.registry_store_timeout,
        ),
        Flag::new(
            "log_auto_initialize",
            "Whether a new replicated log is initialized. If not, this has to be\n\
             done by hand before its first use.",
            |flags| &mut flags.log_auto_initialize,
        ),
        Flag::new(
            "slave_reregister_timeout",
            "How long slaves have to come back to a newly elected master. Those\n\
             that do not are removed from the registry, and shut down if they\n\
             come later. At least 10mins.",
            |flags| &mut flags.slave_reregister_timeout,
        ),
        Flag::new(
            "recovery_slave_removal_limit",
            "How many percent of the slaves may be removed after\n\
             `--slave_reregister_timeout`, from 0% to 100%. A master that would\n\
             have to remove more ends instead, so that somebody has a look.",
            |flags| &mut flags.recovery_slave_removal_limit,
        ),
    ];
}
