//! From flags to a configuration, in upstream's order and with upstream's words.
//! Upstream: the checks of `master/main.cpp` and `Master::initialize`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use common::roles::{self, DEFAULT_ROLE, InvalidRole};
use proto::mesos;
use stout::duration::{self, DurationError};
use stout::flags::parse::Loaded;
use stout::number::{NotANumber, numify, print_double};
use stout::text::{split, tokenize};
use tracing::warn;

use super::{Config, RateLimit, RateLimits};
use crate::constants::{REMOVED_SLAVES_MAX, SLAVE_REREGISTER_TIMEOUT_MIN};
use crate::flags::{MasterFlags, RegistryFlags, SecurityFlags};
use crate::registrar::Strictness;
use crate::state::cluster::Limits;
use crate::whitelist;

/// How many digits of a double a C++ stream prints.
const STREAM_DIGITS: usize = 6;

/// Flags that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// An allocator of a module.
    #[error("Failed to create '{0}' allocator: Module '{0}' unknown")]
    Allocator(String),
    /// A registry that would be as strict as it is forgetful.
    #[error("Cannot use '--registry_strict' when using in-memory storage based registry")]
    StrictInMemory,
    /// A registry that is kept, but nowhere.
    #[error("--work_dir needed for replicated log based registry")]
    NoWorkDir,
    /// Several masters without a majority.
    #[error("Need to specify --quorum for replicated log based registry when using ZooKeeper")]
    NoQuorum,
    /// No such registry.
    #[error("'{0}' is not a supported option for registry persistence")]
    Registry(String),
    /// What a later version can do.
    #[error("--{0} is not supported by this build: {1}")]
    Unsupported(&'static str, &'static str),
    /// More than one of what there can be one of.
    #[error("Multiple {0} not supported")]
    Multiple(&'static str),
    /// An authorizer of a module.
    #[error("Could not create '{0}' authorizer: Module '{0}' unknown")]
    Authorizer(String),
    /// An authenticator of a module.
    #[error(
        "{kind} '{name}' not found. Check the spelling (compare to '{default}'') or verify that \
         the authenticator was loaded successfully (see --modules)"
    )]
    Authenticator {
        /// `Authenticator` or `HTTP authenticator`.
        kind: &'static str,
        /// As it was typed.
        name: String,
        /// The one that there is.
        default: &'static str,
    },
    /// No rate.
    #[error(
        "Invalid slave_removal_rate_limit: {text}. Format is <Number of slaves>/<Duration>{why}"
    )]
    RemovalRate {
        /// As it was typed.
        text: String,
        /// What is wrong with it, if it has both parts.
        why: RemovalRateError,
    },
    /// Too short.
    #[error(
        "Invalid value '{}' for --slave_reregister_timeout: Must be at least {}",
        duration::display(*.0),
        duration::display(SLAVE_REREGISTER_TIMEOUT_MIN)
    )]
    ReregisterTimeout(Duration),
    /// No percentage.
    #[error("Invalid value '{text}' for --recovery_slave_removal_percent_limit: {why}")]
    RemovalLimit {
        /// As it was typed.
        text: String,
        /// What is wrong with it.
        why: PercentageError,
    },
    /// Two rates for one.
    #[error("Duplicate principal {0} found in RateLimits configuration")]
    DuplicatePrincipal(String),
    /// Never, or less.
    #[error(
        "Invalid {name}: {}. It must be a positive number",
        print_double(*.value, STREAM_DIGITS)
    )]
    Qps {
        /// `qps` or `aggregate_default_qps`.
        name: &'static str,
        /// As it was typed.
        value: f64,
    },
    /// No role.
    #[error("Failed to parse roles: {0}")]
    Roles(#[from] InvalidRole),
    /// No weight.
    #[error("Invalid weight: '{0}'. --weights shouldbe of the form 'role=weight,role=weight'\n")]
    Weight(String),
    /// A weight of a role that there is not.
    #[error("Invalid weight: '{token}'. {role} is not a valid role.")]
    WeightRole {
        /// The whole.
        token: String,
        /// The role.
        role: String,
    },
    /// A weight that is none.
    #[error("Invalid weight: '{0}'. Weights must be positive.")]
    NotPositive(String),
    /// Offers that end as they begin.
    #[error(
        "Invalid value '{}' for --offer_timeout: Must be greater than zero.",
        duration::display(*.0)
    )]
    OfferTimeout(Duration),
}

/// What is wrong with a rate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RemovalRateError {
    /// It has not two parts.
    #[error("")]
    Format,
    /// The first is no number.
    #[error(": {0}")]
    Number(NotANumber),
    /// The first is no number of slaves. Upstream aborts.
    #[error(": the number of slaves must be positive")]
    NotPositive,
    /// The second is no duration.
    #[error(": {0}")]
    Duration(DurationError),
}

/// What is wrong with a percentage.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PercentageError {
    /// It does not say that it is one.
    #[error("missing '%'")]
    NoSign,
    /// It is no number.
    #[error(transparent)]
    Number(NotANumber),
    /// It is less than nothing or more than all.
    #[error("Must be within [0%-100%]")]
    Range,
}

/// How the registry is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryKind {
    /// Not at all, as asked for.
    InMemory,
    /// On disk, as asked for or by default.
    ReplicatedLog {
        /// `--work_dir`.
        work_dir: PathBuf,
    },
}

/// Which registry is asked for.
///
/// # Errors
/// When there is none such, or not what it needs.
pub fn registry_kind(flags: &RegistryFlags) -> Result<RegistryKind, ConfigError> {
    Ok(match flags.registry.as_str() {
        "in_memory" if flags.registry_strict => return Err(ConfigError::StrictInMemory),
        "in_memory" => RegistryKind::InMemory,
        "replicated_log" | "log_storage" => {
            let work_dir = flags.work_dir.clone().ok_or(ConfigError::NoWorkDir)?;
            if flags.zk.is_some() && flags.quorum.is_none() {
                return Err(ConfigError::NoQuorum);
            }
            RegistryKind::ReplicatedLog { work_dir }
        }
        other => return Err(ConfigError::Registry(other.to_owned())),
    })
}

impl Config {
    /// What was typed, as far as it is about the master itself.
    ///
    /// # Errors
    /// For the first flag that cannot be used, in upstream's order.
    pub fn new(loaded: &Loaded<MasterFlags>) -> Result<Config, ConfigError> {
        let flags = &loaded.flags;
        check_authorizer(&flags.security)?;
        let slave_removal_interval =
            flags.slave_removal_rate_limit.as_deref().map(removal_interval).transpose()?;
        let timeout = flags.registry.slave_reregister_timeout;
        if timeout < SLAVE_REREGISTER_TIMEOUT_MIN {
            return Err(ConfigError::ReregisterTimeout(timeout));
        }
        let recovery_slave_removal_limit =
            percentage(&flags.registry.recovery_slave_removal_limit)?;
        check_authentication(&flags.security)?;
        let rate_limits = flags.security.rate_limits.as_ref();
        let rate_limits = rate_limits.map(|limits| rate_limits_of(&limits.0)).transpose()?;
        let roles = flags.roles.as_deref().map(role_whitelist).transpose()?;
        let weights = flags.weights.as_deref().unwrap_or_default();
        let weights = weights_of(weights, roles.as_ref())?;
        if let Some(timeout) = flags.offer_timeout.filter(Duration::is_zero) {
            return Err(ConfigError::OfferTimeout(timeout));
        }
        Ok(Config {
            root_submissions: flags.root_submissions,
            roles,
            weights,
            allocation_interval: flags.allocation_interval,
            offer_timeout: flags.offer_timeout,
            slave_ping_timeout: flags.slave_ping_timeout,
            slave_ping_timeouts_max: flags.max_slave_ping_timeouts,
            slave_reregister_timeout: timeout,
            recovery_slave_removal_limit,
            slave_removal_interval,
            registry_strictness: match flags.registry.registry_strict {
                true => Strictness::Strict,
                false => Strictness::Lenient,
            },
            whitelist: flags.whitelist.as_deref().map(whitelist::path),
            limits: Limits {
                removed_slaves_max: REMOVED_SLAVES_MAX,
                completed_frameworks_max: flags.max_completed_frameworks,
                completed_tasks_max: flags.max_completed_tasks_per_framework,
            },
            rate_limits: rate_limits.unwrap_or_default(),
            cluster: flags.cluster.clone(),
            webui_dir: flags.webui_dir.clone(),
            shown: loaded.shown.clone(),
            build: Vec::new(),
        })
    }
}

fn check_authorizer(flags: &SecurityFlags) -> Result<(), ConfigError> {
    let names = split(&flags.authorizers, ",");
    if names.len() > 1 {
        return Err(ConfigError::Multiple("authorizers"));
    }
    if flags.authorizers != "local" {
        return Err(ConfigError::Authorizer(flags.authorizers.clone()));
    }
    match &flags.acls {
        None => Ok(()),
        Some(_) => Err(ConfigError::Unsupported("acls", "nobody would be authorized")),
    }
}

fn check_authentication(flags: &SecurityFlags) -> Result<(), ConfigError> {
    let unsupported = |flag| Err(ConfigError::Unsupported(flag, "nobody can be authenticated"));
    if flags.credentials.is_some() {
        return unsupported("credentials");
    }
    check_authenticator("Authenticator", &flags.authenticators, "crammd5")?;
    if flags.authenticate {
        return unsupported("authenticate");
    }
    if flags.authenticate_slaves {
        return unsupported("authenticate_slaves");
    }
    check_authenticator("HTTP authenticator", &flags.http_authenticators, "basic")?;
    if flags.authenticate_http {
        return unsupported("authenticate_http");
    }
    Ok(())
}

fn check_authenticator(
    kind: &'static str,
    name: &str,
    default: &'static str,
) -> Result<(), ConfigError> {
    if split(name, ",").len() > 1 {
        return Err(ConfigError::Multiple(match kind {
            "Authenticator" => "authenticators",
            _ => "HTTP authenticators",
        }));
    }
    match name == default {
        true => Ok(()),
        false => Err(ConfigError::Authenticator { kind, name: name.to_owned(), default }),
    }
}

/// `1/10mins` is one slave in 10 minutes.
fn removal_interval(text: &str) -> Result<Duration, ConfigError> {
    let failed = |why| ConfigError::RemovalRate { text: text.to_owned(), why };
    let [number, interval] = tokenize(text, "/")[..] else {
        return Err(failed(RemovalRateError::Format));
    };
    let number: i32 = numify(number).map_err(|why| failed(RemovalRateError::Number(why)))?;
    let interval =
        duration::parse(interval).map_err(|why| failed(RemovalRateError::Duration(why)))?;
    let number = u32::try_from(number).ok().filter(|number| *number > 0);
    Ok(interval / number.ok_or_else(|| failed(RemovalRateError::NotPositive))?)
}

fn percentage(text: &str) -> Result<f64, ConfigError> {
    let failed = |why| ConfigError::RemovalLimit { text: text.to_owned(), why };
    let number = text.strip_suffix('%').ok_or_else(|| failed(PercentageError::NoSign))?;
    let number: f64 = numify(number).map_err(|why| failed(PercentageError::Number(why)))?;
    match (0.0..=100.0).contains(&number) {
        true => Ok(number),
        false => Err(failed(PercentageError::Range)),
    }
}

fn rate_limits_of(message: &mesos::RateLimits) -> Result<RateLimits, ConfigError> {
    let mut limits = RateLimits::default();
    for limit in &message.limits {
        let rate = rate_limit("qps", limit.qps, limit.capacity)?;
        if limits.by_principal.insert(limit.principal.clone(), rate).is_some() {
            return Err(ConfigError::DuplicatePrincipal(limit.principal.clone()));
        }
    }
    let (qps, capacity) = (message.aggregate_default_qps, message.aggregate_default_capacity);
    limits.default = rate_limit("aggregate_default_qps", qps, capacity)?;
    Ok(limits)
}

fn rate_limit(
    name: &'static str,
    qps: Option<f64>,
    capacity: Option<u64>,
) -> Result<Option<RateLimit>, ConfigError> {
    let Some(value) = qps else { return Ok(None) };
    match Duration::try_from_secs_f64(1.0 / value) {
        Ok(interval) if value > 0.0 => Ok(Some(RateLimit { interval, capacity })),
        _ => Err(ConfigError::Qps { name, value }),
    }
}

fn role_whitelist(text: &str) -> Result<BTreeSet<String>, ConfigError> {
    warn!(
        "The '--roles' flag is deprecated. This flag will be removed in the future. See the Mesos \
         0.27 upgrade notes for more information"
    );
    let listed = roles::parse(text)?;
    let count = listed.len();
    let mut roles: BTreeSet<String> = listed.into_iter().collect();
    if roles.len() < count {
        warn!("Duplicate values in '--roles': {text}");
    }
    roles.insert(DEFAULT_ROLE.to_owned());
    Ok(roles)
}

fn weights_of(
    text: &str,
    roles: Option<&BTreeSet<String>>,
) -> Result<BTreeMap<String, f64>, ConfigError> {
    let mut weights = BTreeMap::new();
    for token in tokenize(text, ",") {
        let [role, weight] = tokenize(token, "=")[..] else {
            return Err(ConfigError::Weight(token.to_owned()));
        };
        if roles.is_some_and(|roles| !roles.contains(role)) {
            let (token, role) = (token.to_owned(), role.to_owned());
            return Err(ConfigError::WeightRole { token, role });
        }
        let weight = numify::<f64>(weight).ok().filter(|weight| *weight > 0.0);
        let weight = weight.ok_or_else(|| ConfigError::NotPositive(token.to_owned()))?;
        weights.insert(role.to_owned(), weight);
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use stout::flags::parse::Loader;

    use super::{RegistryKind, registry_kind};
    use crate::config::Config;
    use crate::flags::MasterFlags;

    fn configure(arguments: &[&str]) -> Result<(RegistryKind, Config), String> {
        let files = |path: &str| Err(format!("no file {path}").into());
        let arguments: Vec<String> =
            [&["mesos-master"], arguments].concat().into_iter().map(str::to_owned).collect();
        let loaded = Loader::new(&files).load::<MasterFlags>(&arguments).expect("flags load");
        let kind = registry_kind(&loaded.flags.registry).map_err(|error| error.to_string())?;
        Ok((kind, Config::new(&loaded).map_err(|error| error.to_string())?))
    }

    #[test]
    fn flags_that_cannot_be_used_are_named_as_upstream_does() {
        let check = |arguments: &[&str], expected: &str| {
            let all = [&["--registry=in_memory"], arguments].concat();
            assert_eq!(configure(&all).expect_err(expected), expected);
        };
        check(
            &["--registry_strict"],
            "Cannot use '--registry_strict' when using in-memory storage based registry",
        );
        check(&["--authorizers=a,b"], "Multiple authorizers not supported");
        check(&["--authorizers=foo"], "Could not create 'foo' authorizer: Module 'foo' unknown");
        let format = "Format is <Number of slaves>/<Duration>";
        check(
            &["--slave_removal_rate_limit=1"],
            &format!("Invalid slave_removal_rate_limit: 1. {format}"),
        );
        check(
            &["--slave_removal_rate_limit=a/1secs"],
            &format!(
                "Invalid slave_removal_rate_limit: a/1secs. {format}: Failed to convert 'a' to \
                 number"
            ),
        );
        check(
            &["--slave_removal_rate_limit=0/1secs"],
            &format!(
                "Invalid slave_removal_rate_limit: 0/1secs. {format}: the number of slaves must \
                 be positive"
            ),
        );
        check(
            &["--slave_reregister_timeout=1mins"],
            "Invalid value '1mins' for --slave_reregister_timeout: Must be at least 10mins",
        );
        let limit = "for --recovery_slave_removal_percent_limit:";
        check(
            &["--recovery_slave_removal_limit=50"],
            &format!("Invalid value '50' {limit} missing '%'"),
        );
        check(
            &["--recovery_slave_removal_limit=101%"],
            &format!("Invalid value '101%' {limit} Must be within [0%-100%]"),
        );
    }

    #[test]
    fn flags_about_who_may_do_what_are_named_as_upstream_does() {
        let check = |arguments: &[&str], expected: &str| {
            let all = [&["--registry=in_memory"], arguments].concat();
            assert_eq!(configure(&all).expect_err(expected), expected);
        };
        check(&["--authenticators=a,b"], "Multiple authenticators not supported");
        check(
            &["--authenticators=foo"],
            "Authenticator 'foo' not found. Check the spelling (compare to 'crammd5'') or verify \
             that the authenticator was loaded successfully (see --modules)",
        );
        check(
            &["--http_authenticators=zzz"],
            "HTTP authenticator 'zzz' not found. Check the spelling (compare to 'basic'') or \
             verify that the authenticator was loaded successfully (see --modules)",
        );
        check(
            &["--rate_limits={\"limits\":[{\"principal\":\"a\"},{\"principal\":\"a\"}]}"],
            "Duplicate principal a found in RateLimits configuration",
        );
        check(
            &["--rate_limits={\"limits\":[{\"principal\":\"a\",\"qps\":-1}]}"],
            "Invalid qps: -1. It must be a positive number",
        );
        check(
            &["--rate_limits={\"aggregate_default_qps\":0}"],
            "Invalid aggregate_default_qps: 0. It must be a positive number",
        );
        check(
            &["--roles=a,-b"],
            "Failed to parse roles: Role name '-b' is invalid because it starts with a dash",
        );
        check(
            &["--weights=a"],
            "Invalid weight: 'a'. --weights shouldbe of the form 'role=weight,role=weight'\n",
        );
        check(&["--roles=a", "--weights=b=1"], "Invalid weight: 'b=1'. b is not a valid role.");
        check(&["--weights=a=-1"], "Invalid weight: 'a=-1'. Weights must be positive.");
        check(
            &["--offer_timeout=0ns"],
            "Invalid value '0ns' for --offer_timeout: Must be greater than zero.",
        );
    }

    #[test]
    fn the_registry_needs_what_upstream_needs() {
        let check = |arguments: &[&str], expected: &str| {
            assert_eq!(configure(arguments).expect_err(expected), expected);
        };
        check(&[], "--work_dir needed for replicated log based registry");
        check(
            &["--work_dir=/x", "--zk=zk://host:2181/mesos"],
            "Need to specify --quorum for replicated log based registry when using ZooKeeper",
        );
        check(&["--registry=foo"], "'foo' is not a supported option for registry persistence");
        let (kind, _) = configure(&["--work_dir=/x"]).expect("the default");
        let work_dir = PathBuf::from("/x");
        assert_eq!(kind, RegistryKind::ReplicatedLog { work_dir });
    }

    #[test]
    fn what_would_be_ignored_at_somebodys_peril_is_refused() {
        let check = |argument: &str, expected: &str| {
            let error = configure(&["--work_dir=/x", "--quorum=1", argument]).expect_err(argument);
            assert!(error.starts_with(expected), "{error}");
        };
        check("--acls={}", "--acls is not supported by this build: ");
        check("--credentials=/x", "--credentials is not supported by this build: ");
        check("--authenticate", "--authenticate is not supported by this build: ");
        check("--authenticate_slaves", "--authenticate_slaves is not supported by this build: ");
        check("--authenticate_http", "--authenticate_http is not supported by this build: ");
    }

    #[test]
    fn what_was_typed_is_meant() {
        let (_, config) = configure(&[
            "--registry=in_memory",
            "--roles=a,b,a",
            "--weights=a=2.5,b=1",
            "--slave_removal_rate_limit=2/10secs",
            "--recovery_slave_removal_limit=12.5%",
            "--rate_limits={\"limits\":[{\"principal\":\"p\",\"qps\":4,\"capacity\":3}]}",
            "--whitelist=file:///hosts",
        ])
        .expect("all is well");
        assert_eq!(config.roles.expect("listed").into_iter().collect::<Vec<_>>(), ["*", "a", "b"]);
        assert_eq!(config.weights["a"], 2.5);
        assert_eq!(config.slave_removal_interval.expect("limited").as_secs(), 5);
        assert_eq!(config.recovery_slave_removal_limit, 12.5);
        let limit = config.rate_limits.by_principal["p"].expect("limited");
        assert_eq!((limit.interval.as_millis(), limit.capacity), (250, Some(3)));
        assert_eq!(config.whitelist.expect("given").to_str(), Some("/hosts"));
    }
}
