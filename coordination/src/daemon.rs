//! How a daemon starts: from its command line and environment to a runtime that logs. Called by
//! the `daemon` modules of master and slave, which add what only they do; it knows neither.
//! Never exits the process, never prints, and reads no environment but the one handed in.
//! Upstream: what `master/main.cpp` and `slave/main.cpp` both do, and `logRequest`.

mod flags;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use common::VERSION;
use libprocess::http::Request;
use libprocess::os::{describe, hostname};
use libprocess::{Runtime, logging};
use serde_json::json;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{Loaded, Loader, program_name};
use stout::flags::{BoxedError, Flags};
use tracing::{info, warn};

pub use flags::DaemonFlags;

/// All flags of a daemon.
pub trait Daemon: Flags {
    /// What it is: `master` or `slave`.
    const NAME: &'static str;

    /// Those that others have, too.
    fn daemon(&self) -> &DaemonFlags;
}

/// Why a daemon does not get as far as being one; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that are wrong, with the usage behind what is wrong.
    #[error("{0}")]
    Usage(String),
    /// No modules can be loaded by the daemon of this name.
    #[error("Error loading modules: modules are libraries for upstream's own {0}")]
    Modules(&'static str),
    /// No hook can be installed, since hooks come from modules.
    #[error("Error installing hooks: No hook module named '{0}' available")]
    Hook(String),
    /// `--ip_discovery_command` fails.
    #[error("Failed to execute '{command}': {why}")]
    IpDiscovery {
        /// The command.
        command: String,
        /// How it ended.
        why: String,
    },
    /// A `LIBPROCESS_*` variable is wrong.
    #[error(transparent)]
    Environment(#[from] libprocess::runtime::config::ConfigError),
    /// The port cannot be had.
    #[error(transparent)]
    Runtime(#[from] libprocess::runtime::config::StartError),
    /// The logs cannot be had.
    #[error(transparent)]
    Logging(#[from] logging::InitError),
    /// A signal cannot be handled.
    #[error("Failed to set sigaction: {0}")]
    Signals(io::Error),
}

/// What a daemon does before it ends of SIGTERM: nothing until it is told. Clones are the same
/// one.
#[derive(Clone, Default)]
pub struct Farewell(Arc<Mutex<Option<Words>>>);

type Words = Box<dyn FnOnce() + Send>;

impl Farewell {
    /// Does this then, on a thread of its own, in the place of what was to be done before.
    pub fn set(&self, words: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(words));
    }

    fn say(&self) {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(words) = words {
            words();
        }
    }
}

/// Reads the flags of a daemon from its command line and its environment.
///
/// # Errors
/// What is wrong with them, with the usage behind it.
pub fn load<T: Daemon>(
    arguments: &[String],
    environment: BTreeMap<String, String>,
) -> Result<Loaded<T>, StartError> {
    Loader::new(&read_file).environment("MESOS_", environment).load(arguments).map_err(|error| {
        StartError::Usage(usage_behind::<T>(&error.to_string(), program_name(arguments)))
    })
}

fn read_file(path: &str) -> Result<String, BoxedError> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("Failed to open file '{path}': {}", describe(&error)).into())
}

/// What is to be printed, if the flags ask for no more than that.
pub fn answer<T: Daemon>(loaded: &Loaded<T>) -> Option<String> {
    if loaded.help {
        return Some(usage::<T>(&loaded.program));
    }
    loaded.flags.daemon().version.then(|| format!("mesos {VERSION}\n"))
}

/// The refusal of flags that were loaded.
pub fn misused<T: Daemon>(loaded: &Loaded<T>, why: &str) -> StartError {
    StartError::Usage(usage_behind::<T>(why, &loaded.program))
}

/// Starts the runtime of a process that is a daemon and nothing else, and its logs.
///
/// # Errors
/// What stands in the way.
pub fn start<T: Daemon>(
    loaded: &Loaded<T>,
    environment: &BTreeMap<String, String>,
) -> Result<Runtime, StartError> {
    start_with(loaded, environment, Farewell::default())
}

/// As [`start`], for a daemon that has something to do before it ends of SIGTERM.
///
/// # Errors
/// What stands in the way.
pub fn start_with<T: Daemon>(
    loaded: &Loaded<T>,
    environment: &BTreeMap<String, String>,
    farewell: Farewell,
) -> Result<Runtime, StartError> {
    check_modules::<T>(loaded.flags.daemon())?;
    let ip = discover_ip(loaded)?;
    let runtime = start_runtime(loaded.flags.daemon(), ip, environment)?;
    start_logging(loaded, environment, farewell)?;
    log_build();
    Ok(runtime)
}

fn check_modules<T: Daemon>(flags: &DaemonFlags) -> Result<(), StartError> {
    if flags.modules.as_ref().is_some_and(|modules| !modules.0.libraries.is_empty()) {
        return Err(StartError::Modules(T::NAME));
    }
    let hooks = flags.hooks.as_deref().unwrap_or_default();
    match hooks.split(',').find(|hook| !hook.is_empty()) {
        Some(hook) => Err(StartError::Hook(hook.to_owned())),
        None => Ok(()),
    }
}

/// The address to listen on, if any is asked for.
fn discover_ip<T: Daemon>(loaded: &Loaded<T>) -> Result<Option<String>, StartError> {
    let flags = loaded.flags.daemon();
    let Some(command) = &flags.ip_discovery_command else { return Ok(flags.ip.clone()) };
    if flags.ip.is_some() {
        let why = "Only one of `--ip` or `--ip_discovery_command` should be specified";
        return Err(misused(loaded, why));
    }
    let failed = |why: String| StartError::IpDiscovery { command: command.clone(), why };
    let output = Command::new("sh").arg("-c").arg(command).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

fn start_runtime(
    flags: &DaemonFlags,
    ip: Option<String>,
    environment: &BTreeMap<String, String>,
) -> Result<Runtime, StartError> {
    let config = libprocess::Config::from_environment(|name| {
        let typed = match name {
            "LIBPROCESS_IP" => ip.clone(),
            "LIBPROCESS_PORT" => Some(flags.port.to_string()),
            "LIBPROCESS_ADVERTISE_IP" => flags.advertise_ip.clone(),
            "LIBPROCESS_ADVERTISE_PORT" => flags.advertise_port.clone(),
            _ => None,
        };
        typed.or_else(|| environment.get(name).cloned())
    })?;
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    Ok(Runtime::start(libprocess::Config { schema, version: build(), ..config })?)
}

fn start_logging<T: Daemon>(
    loaded: &Loaded<T>,
    environment: &BTreeMap<String, String>,
    farewell: Farewell,
) -> Result<(), StartError> {
    let variable = |name: &str| environment.get(name).cloned();
    logging::init(&loaded.flags.daemon().logging, &loaded.program, variable)?;
    logging::handle_signals_with(move || farewell.say()).map_err(StartError::Signals)?;
    for flag in &loaded.deprecated_paths {
        warn!(
            "The value of --{flag} is read from a file that is named by its path alone, which is \
             deprecated; put 'file://' before it"
        );
    }
    Ok(())
}

impl DaemonFlags {
    /// Closes the endpoints that `--firewall_rules` names.
    pub fn install_firewall(&self, runtime: &Runtime) {
        let rules = self.firewall_rules.as_ref();
        if let Some(rules) = rules.and_then(|rules| rules.0.disabled_endpoints.as_ref()) {
            runtime.set_disabled_endpoints(rules.paths.iter().cloned().collect());
        }
    }

    /// The host name that others are told by a daemon at this address.
    ///
    /// # Errors
    /// What the resolver says, when it cannot be asked.
    pub fn published_name(&self, ip: Ipv4Addr) -> io::Result<String> {
        match &self.hostname {
            Some(hostname) => Ok(hostname.clone()),
            None if self.hostname_lookup => hostname::of_ip(ip),
            None => Ok(ip.to_string()),
        }
    }
}

/// What `/state` and `/version` say of a build: name to value.
pub type Build = Vec<(String, serde_json::Value)>;

/// What is known of this build, from variables that are set when it is made; in the order in
/// which `/state` shows it.
pub fn build() -> Build {
    let time = option_env!("MESOS_BUILD_TIME").and_then(|time| time.parse::<f64>().ok());
    let text = |text: Option<&'static str>| text.map(|text| json!(text));
    let known = |text: Option<&'static str>| Some(json!(text.unwrap_or("unknown")));
    let build = [
        ("version", Some(json!(VERSION))),
        ("git_sha", text(option_env!("MESOS_BUILD_GIT_SHA"))),
        ("git_branch", text(option_env!("MESOS_BUILD_GIT_BRANCH"))),
        ("git_tag", text(option_env!("MESOS_BUILD_GIT_TAG"))),
        ("build_date", known(option_env!("MESOS_BUILD_DATE"))),
        ("build_time", Some(json!(time.unwrap_or_default()))),
        ("build_user", known(option_env!("MESOS_BUILD_USER"))),
    ];
    build.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn log_build() {
    let known = |variable: Option<&'static str>| variable.unwrap_or("unknown");
    info!(
        "Build: {} by {}",
        known(option_env!("MESOS_BUILD_DATE")),
        known(option_env!("MESOS_BUILD_USER"))
    );
    info!("Version: {VERSION}");
    for (name, value) in [
        ("Git tag", option_env!("MESOS_BUILD_GIT_TAG")),
        ("Git SHA", option_env!("MESOS_BUILD_GIT_SHA")),
    ] {
        value.iter().for_each(|value| info!("{name}: {value}"));
    }
}

/// Logs that an endpoint is asked for something.
pub fn log_request(request: &Request) {
    let client = request.client.map(|client| client.to_string()).unwrap_or_default();
    let shown = |name: &str| {
        let value = request.header(name);
        value.map(|value| format!(" with {name}='{value}'")).unwrap_or_default()
    };
    info!(
        "HTTP {} for {} from {client}{}{}",
        request.method,
        request.path,
        shown("User-Agent"),
        shown("X-Forwarded-For")
    );
}
