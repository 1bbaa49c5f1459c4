//! mesos-master from its command line to its end. Called by `main`, which prints the outcome.
//! Never exits the process, and reads no environment but the one handed in.
//! Upstream: `master/main.cpp`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use coordination::election::standalone::{StandaloneMasterContender, StandaloneMasterDetector};
use libprocess::embed::block_on;
use libprocess::files::Files;
use libprocess::os::hostname;
use libprocess::runtime::AlreadyRunning;
use libprocess::{Runtime, Upid, logging};
use proto::mesos::MasterInfo;
use serde_json::json;
use stout::flags::BoxedError;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{Loaded, Loader, program_name};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::allocator::HierarchicalAllocator;
use crate::config::{Config, ConfigError, RegistryKind, registry_kind};
use crate::constants::VERSION;
use crate::fatal::Fatal;
use crate::flags::MasterFlags;
use crate::master::{Master, Parts, master_info};
use crate::registrar::InMemoryRegistrar;

/// What a process is started with.
pub struct Process {
    /// The command line, the program first.
    pub arguments: Vec<String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The master's id, which no other master ever had.
    pub id: Uuid,
}

/// Why mesos-master ends; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that are wrong, with the usage behind what is wrong.
    #[error("{0}")]
    Usage(String),
    /// No modules can be loaded.
    #[error("Error loading modules: modules are libraries for upstream's own master")]
    Modules,
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
    Signals(std::io::Error),
    /// The flags are no good after all.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `--work_dir` cannot be had.
    #[error("Failed to create work directory '{path}': {error}")]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Nobody knows this host's name.
    #[error("Failed to get hostname: {0}")]
    Hostname(std::io::Error),
    /// Something of the master runs already in this process.
    #[error(transparent)]
    AlreadyRunning(#[from] AlreadyRunning),
    /// The master had to end.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

impl StartError {
    /// Whether the process aborts with a line at FATAL; else its exit code is 1.
    pub fn aborts(&self) -> bool {
        match self {
            StartError::Fatal(fatal) => fatal.aborts(),
            StartError::Hostname(_) => true,
            _ => false,
        }
    }
}

/// Runs a master until it ends. Gives what is to be printed, if that is all there is to do.
///
/// # Errors
/// If there is no master to be had with these flags, or it had to end.
pub fn run(process: Process) -> Result<Option<String>, StartError> {
    let loaded = load(&process)?;
    let flags = &loaded.flags;
    if loaded.help {
        return Ok(Some(usage::<MasterFlags>(&loaded.program)));
    }
    if flags.version {
        return Ok(Some(format!("mesos {VERSION}\n")));
    }
    check_modules(flags)?;
    let ip = discover_ip(&loaded)?;
    let runtime = start_runtime(flags, ip, &process.environment)?;
    runtime.set_delegate("master");
    start_logging(&loaded, &process)?;
    log_build();
    let files = Files::start(&runtime)?;
    show_log(&runtime, &files, &loaded, &process);
    let mut master = spawn(&loaded, process.id, &runtime)?;
    let fatal = block_on(master.ended.recv());
    block_on(runtime.shutdown());
    logging::flush();
    fatal.map_or(Ok(None), |fatal| Err(fatal.into()))
}

/// A master that runs.
pub struct Running {
    /// What it says of itself to those who look for it.
    pub info: MasterInfo,
    /// Hears why it had to end, if it has to.
    pub ended: UnboundedReceiver<Fatal>,
}

/// Starts a master in a runtime, which may have others in it too.
///
/// # Errors
/// If there is no master to be had with these flags.
pub fn spawn(
    loaded: &Loaded<MasterFlags>,
    id: Uuid,
    runtime: &Runtime,
) -> Result<Running, StartError> {
    let flags = &loaded.flags;
    if flags.allocator != "HierarchicalDRF" {
        return Err(ConfigError::Allocator(flags.allocator.clone()).into());
    }
    info!("Using '{}' allocator", flags.allocator);
    prepare_registry(flags)?;
    let config = Config { build: build(), ..Config::new(loaded)? };
    install_firewall(flags, runtime);

    info!("Starting Mesos master");
    let pid = Upid::new("master", runtime.address());
    let info = master_info(&id.to_string(), &pid, &published_name(flags, &pid)?);
    let (end, ended) = unbounded_channel();
    let parts = Parts {
        allocator: Box::new(HierarchicalAllocator::new(runtime, id.as_u64_pair().0)),
        registrar: Box::new(InMemoryRegistrar::default()),
        contender: Arc::new(StandaloneMasterContender::default()),
        // Alone, it is the leader by appointment.
        detector: Arc::new(StandaloneMasterDetector::new(Some(info.clone()))),
        authorizer: None,
        // Nobody listens any more once the process ends for another reason.
        on_fatal: Box::new(move |fatal| drop(end.send(fatal))),
    };
    runtime.spawn("master", Master::new(config, info.clone(), parts, runtime))?;
    Ok(Running { info, ended })
}

/// Reads the flags of a master from its command line and its environment.
///
/// # Errors
/// What is wrong with them, with the usage behind it.
pub fn load(process: &Process) -> Result<Loaded<MasterFlags>, StartError> {
    Loader::new(&read_file)
        .environment("MESOS_", process.environment.clone())
        .load::<MasterFlags>(&process.arguments)
        .map_err(|error| {
            let program = program_name(&process.arguments);
            StartError::Usage(usage_behind::<MasterFlags>(&error.to_string(), program))
        })
}

fn read_file(path: &str) -> Result<String, BoxedError> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("Failed to open file '{path}': {error}").into())
}

fn check_modules(flags: &MasterFlags) -> Result<(), StartError> {
    if flags.modules.is_some() {
        return Err(StartError::Modules);
    }
    let hooks = flags.hooks.as_deref().unwrap_or_default();
    match hooks.split(',').find(|hook| !hook.is_empty()) {
        Some(hook) => Err(StartError::Hook(hook.to_owned())),
        None => Ok(()),
    }
}

/// The address to listen on, if any is asked for.
fn discover_ip(loaded: &Loaded<MasterFlags>) -> Result<Option<String>, StartError> {
    let flags = &loaded.flags;
    let Some(command) = &flags.ip_discovery_command else { return Ok(flags.ip.clone()) };
    if flags.ip.is_some() {
        let why = "Only one of `--ip` or `--ip_discovery_command` should be specified";
        return Err(StartError::Usage(usage_behind::<MasterFlags>(why, &loaded.program)));
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
    flags: &MasterFlags,
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

fn start_logging(loaded: &Loaded<MasterFlags>, process: &Process) -> Result<(), StartError> {
    let environment = |name: &str| process.environment.get(name).cloned();
    logging::init(&loaded.flags.logging, program(process), environment)?;
    logging::handle_signals().map_err(StartError::Signals)?;
    for flag in &loaded.deprecated_paths {
        warn!(
            "The value of --{flag} is read from a file that is named by its path alone, which is \
             deprecated; put 'file://' before it"
        );
    }
    Ok(())
}

fn program(process: &Process) -> &str {
    process.arguments.first().map_or("mesos-master", String::as_str)
}

/// Makes the work directory, as if there was a registry to be put into it.
fn prepare_registry(flags: &MasterFlags) -> Result<(), StartError> {
    if registry_kind(&flags.registry)? == RegistryKind::InMemory {
        return Ok(());
    }
    if let Some(path) = &flags.registry.work_dir {
        let failed = |error| StartError::WorkDir { path: path.clone(), error };
        std::fs::create_dir_all(path).map_err(failed)?;
    }
    warn!(
        "The registry is kept in memory: --registry=replicated_log is not supported by this \
         build. A restarted master does not know which slaves were admitted before"
    );
    Ok(())
}

fn install_firewall(flags: &MasterFlags, runtime: &Runtime) {
    let rules = flags.security.firewall_rules.as_ref();
    if let Some(rules) = rules.and_then(|rules| rules.0.disabled_endpoints.as_ref()) {
        runtime.set_disabled_endpoints(rules.paths.iter().cloned().collect());
    }
}

/// Attaches the log to `/files`, where the web UI looks for it.
fn show_log(runtime: &Runtime, files: &Files, loaded: &Loaded<MasterFlags>, process: &Process) {
    let Some(log) = loaded.flags.logging.attached_log_file(program(process)) else { return };
    let attached = files.attach(log.clone(), "/master/log");
    runtime.run(async move {
        match attached.await {
            Ok(()) => info!("Successfully attached file '{}'", log.display()),
            Err(why) => error!("Failed to attach file '{}': {why}", log.display()),
        }
    });
}

/// The host name that others are told.
fn published_name(flags: &MasterFlags, pid: &Upid) -> Result<String, StartError> {
    match &flags.hostname {
        Some(hostname) => Ok(hostname.clone()),
        None if flags.hostname_lookup => {
            hostname::of_ip(pid.address.ip).map_err(StartError::Hostname)
        }
        None => Ok(pid.address.ip.to_string()),
    }
}

/// What is known of this build, from variables that are set when it is made; in the order in
/// which `/state` shows it.
fn build() -> Vec<(String, serde_json::Value)> {
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
