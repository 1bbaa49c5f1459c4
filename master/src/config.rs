//! What the flags mean, checked: nothing here reads a file, binds a socket or starts anything.
//! Made by `daemon.rs` from `flags.rs`, or by tests from the default; the checks are in
//! `config/check.rs`. Upstream: `master/main.cpp`, and the first half of `Master::initialize`.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use stout::flags::parse::Shown;

use crate::constants::{REMOVED_SLAVES_MAX, SLAVE_REREGISTER_TIMEOUT_MIN};
use crate::registrar::Strictness;
use crate::state::cluster::Limits;

pub use check::{ConfigError, RegistryKind, registry_kind};

/// How a master behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether frameworks may run as root. `--root_submissions`.
    pub root_submissions: bool,
    /// The roles that there are; any if absent. `--roles`, with `*`.
    pub roles: Option<BTreeSet<String>>,
    /// By role. `--weights`.
    pub weights: BTreeMap<String, f64>,
    /// How often everything is allocated anew. `--allocation_interval`.
    pub allocation_interval: Duration,
    /// How long a framework may hold an offer. `--offer_timeout`.
    pub offer_timeout: Option<Duration>,
    /// How long a slave has to answer a ping. `--slave_ping_timeout`.
    pub slave_ping_timeout: Duration,
    /// How many pings it may leave unanswered. `--max_slave_ping_timeouts`.
    pub slave_ping_timeouts_max: usize,
    /// How long slaves have to come back to a new master. `--slave_reregister_timeout`.
    pub slave_reregister_timeout: Duration,
    /// How many of them may be removed then, in percent. `--recovery_slave_removal_limit`.
    pub recovery_slave_removal_limit: f64,
    /// One slave is removed in each. `--slave_removal_rate_limit`.
    pub slave_removal_interval: Option<Duration>,
    /// The file of hosts that are offered. `--whitelist`.
    pub whitelist: Option<PathBuf>,
    /// How much is remembered.
    pub limits: Limits,
    /// How often frameworks may speak. `--rate_limits`.
    pub rate_limits: RateLimits,
    /// The cluster's name. `--cluster`.
    pub cluster: Option<String>,
    /// Where the pages of the web UI are. `--webui_dir`.
    pub webui_dir: PathBuf,
    /// `--registry_strict`.
    pub registry_strictness: Strictness,
    /// All flags that have a value, for the log and for JSON.
    pub shown: Shown,
    /// What is known of the build, for JSON: name to value.
    pub build: Vec<(String, serde_json::Value)>,
}

/// How often the frameworks of principals may speak.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateLimits {
    /// `None` for a principal that may speak as often as it likes.
    pub by_principal: BTreeMap<String, Option<RateLimit>>,
    /// For all others together.
    pub default: Option<RateLimit>,
}

/// How often somebody may speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// One message in each.
    pub interval: Duration,
    /// How many may wait.
    pub capacity: Option<u64>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            root_submissions: true,
            roles: None,
            weights: BTreeMap::new(),
            allocation_interval: Duration::from_secs(1),
            offer_timeout: None,
            slave_ping_timeout: Duration::from_secs(15),
            slave_ping_timeouts_max: 5,
            slave_reregister_timeout: SLAVE_REREGISTER_TIMEOUT_MIN,
            recovery_slave_removal_limit: 100.0,
            slave_removal_interval: None,
            registry_strictness: Strictness::Lenient,
            whitelist: None,
            limits: Limits {
                removed_slaves_max: REMOVED_SLAVES_MAX,
                completed_frameworks_max: 50,
                completed_tasks_max: 1000,
            },
            rate_limits: RateLimits::default(),
            cluster: None,
            webui_dir: PathBuf::new(),
            shown: Shown::default(),
            build: Vec::new(),
        }
    }
}
