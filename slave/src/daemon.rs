//! mesos-slave from its command line to its end. Called by `main`, which prints the outcome.
//! Never exits the process, and reads no environment but the one handed in.
//! Upstream: `slave/main.cpp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use containerizer::CreateError;
use containerizer::config::ContainerOutput;
use coordination::election::{MasterDetector, MechanismError, create_detector};
use libprocess::embed::block_on;
use libprocess::files::Files;
use libprocess::runtime::AlreadyRunning;
use libprocess::{Pid, Runtime, logging};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Uid, User};
use serde_json::json;
use stout::Uuid;
use stout::flags::BoxedError;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{LoadError, Loaded, Loader, program_name};
use tracing::{info, warn};

use crate::config::{Build, Config, ConfigError, container_config, describe};
use crate::constants::VERSION;
use crate::flags::Flags;
use crate::oversubscription::NoopResourceEstimator;
use crate::slave::{Fatal, Parts, Slave, Started};

/// What a process is started with.
pub struct Process {
    /// The command line, the program first.
    pub arguments: Vec<String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The program's file, beside which the helpers are looked for.
    pub executable: PathBuf,
    /// Where waits and ids come from.
    pub seed: [u8; 32],
}

/// Why mesos-slave ends with status 1; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that are wrong, with the usage behind what is wrong.
    #[error("{0}")]
    Usage(String),
    /// No modules can be loaded.
    #[error("Error loading modules: modules are libraries for upstream's own slave")]
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
    /// A signal cannot be waited for.
    #[error("Failed to set sigaction: {0}")]
    Signal(Errno),
    /// A signal cannot be handled.
    #[error("Failed to set sigaction: {0}")]
    SignalHandler(std::io::Error),
    /// Containers are asked for that there are not.
    #[error("Failed to create a containerizer: {0}")]
    Containerizer(#[from] CreateError),
    /// The master cannot be found by what `--master` says.
    #[error("Failed to create a master detector: {0}")]
    Detector(#[from] MechanismError),
    /// `--resource_estimator` is set, which takes a module.
    #[error(
        "Failed to create resource estimator: Failed to create resource estimator module '{0}': \
         Module '{0}' unknown"
    )]
    ResourceEstimator(String),
    /// `--qos_controller` is set, which takes a module.
    #[error(
        "Failed to create QoS Controller: Failed to create QoS Controller module '{0}': \
         Module '{0}' unknown"
    )]
    QosController(String),
    /// The flags are no good after all.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something of the slave runs already in this process.
    #[error(transparent)]
    AlreadyRunning(#[from] AlreadyRunning),
    /// The slave had to end.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// Runs a slave until it ends. Gives what is to be printed, if that is all there is to do.
///
/// # Errors
/// If there is no slave to be had with these flags, or it had to end.
pub fn run(process: Process) -> Result<Option<String>, StartError> {
    let loaded = load(&process)?;
    let flags = &loaded.flags;
    if loaded.help {
        return Ok(Some(usage::<Flags>(&loaded.program)));
    }
    if flags.version {
        return Ok(Some(format!("mesos {VERSION}\n")));
    }
    let master = flags.master.as_deref();
    let master = master.ok_or_else(|| misused(&loaded, "Missing required option `--master`"))?;
    check_modules(flags)?;
    let ip = discover_ip(&loaded)?;
    let signals = block_signals()?;
    let runtime = start_runtime(flags, ip, &process.environment)?;
    start_logging(&loaded, &process)?;
    log_build();

    let place = Place {
        runtime: &runtime,
        files: Files::start(&runtime)?,
        detector: create_detector(master)?,
        environment: process.environment,
        output: ContainerOutput::Sandbox,
        seed: process.seed,
    };
    let slave = spawn(&loaded, place)?;
    runtime.set_delegate(&slave.pid.upid().id);
    listen_to(signals, slave.pid.clone());
    let ended = block_on(slave.ended());
    block_on(runtime.shutdown());
    logging::flush();
    ended.map(|()| None).map_err(StartError::Fatal)
}

/// Where a slave runs, and with what.
pub struct Place<'a> {
    /// What it runs in; others may be there too.
    pub runtime: &'a Runtime,
    /// Shows its sandboxes.
    pub files: Files,
    /// Finds its master.
    pub detector: Arc<dyn MasterDetector>,
    /// What executors inherit, unless they are not to.
    pub environment: BTreeMap<String, String>,
    /// Where the output of executors goes.
    pub output: ContainerOutput,
    /// Where waits and ids come from.
    pub seed: [u8; 32],
}

/// Starts a slave.
///
/// # Errors
/// If there is no slave to be had with these flags.
pub fn spawn(loaded: &Loaded<Flags>, place: Place<'_>) -> Result<Started, StartError> {
    let (flags, runtime) = (&loaded.flags, place.runtime);
    let containers = container_config(flags, place.environment, runtime);
    let containers = containerizer::config::Config { output: place.output, ..containers };
    let parts = Parts {
        containerizer: containerizer::create(containers)?,
        detector: place.detector,
        estimator: Arc::new(NoopResourceEstimator),
        files: place.files,
        seed: place.seed,
    };
    install_firewall(flags, runtime);
    check_oversubscription(flags)?;
    info!("Starting Mesos slave");
    let config = Config::new(loaded, build(), runtime.address())?;
    Ok(Slave::start(runtime, runtime.generate("slave"), config, parts)?)
}

/// Reads the flags of a slave from its command line and its environment.
///
/// # Errors
/// What is wrong with them, with the usage behind it.
pub fn load(process: &Process) -> Result<Loaded<Flags>, StartError> {
    let mut variables = process.environment.clone();
    let beside = process.executable.parent().unwrap_or(Path::new("."));
    if !variables.keys().any(|name| name.eq_ignore_ascii_case("MESOS_LAUNCHER_DIR")) {
        variables.insert("MESOS_LAUNCHER_DIR".to_owned(), beside.display().to_string());
    }
    Loader::new(&read_file)
        .environment("MESOS_", variables)
        .load::<Flags>(&process.arguments)
        .map_err(|error: LoadError| {
            let program = program_name(&process.arguments);
            StartError::Usage(usage_behind::<Flags>(&error.to_string(), program))
        })
}

fn read_file(path: &str) -> Result<String, BoxedError> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("Failed to open file '{path}': {}", describe(&error)).into())
}

fn misused(loaded: &Loaded<Flags>, why: &str) -> StartError {
    StartError::Usage(usage_behind::<Flags>(why, &loaded.program))
}

fn check_modules(flags: &Flags) -> Result<(), StartError> {
    if flags.modules.as_ref().is_some_and(|modules| !modules.0.libraries.is_empty()) {
        return Err(StartError::Modules);
    }
    let hooks = flags.hooks.as_deref().unwrap_or_default();
    match hooks.split(',').find(|hook| !hook.is_empty()) {
        Some(hook) => Err(StartError::Hook(hook.to_owned())),
        None => Ok(()),
    }
}

fn check_oversubscription(flags: &Flags) -> Result<(), StartError> {
    match (&flags.resource_estimator, &flags.qos_controller) {
        (Some(name), _) => Err(StartError::ResourceEstimator(name.clone())),
        (None, Some(name)) => Err(StartError::QosController(name.clone())),
        (None, None) => Ok(()),
    }
}

/// The address to listen on, if any is asked for.
fn discover_ip(loaded: &Loaded<Flags>) -> Result<Option<String>, StartError> {
    let flags = &loaded.flags;
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

/// Keeps SIGUSR1 from ending the process, in all threads that are yet to come.
fn block_signals() -> Result<SignalFd, StartError> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGUSR1);
    signals.thread_block().map_err(StartError::Signal)?;
    SignalFd::new(&signals).map_err(StartError::Signal)
}

/// Lets the slave end when SIGUSR1 comes.
fn listen_to(signals: SignalFd, slave: Pid<Slave>) {
    std::thread::spawn(move || {
        while let Ok(Some(signal)) = signals.read_signal() {
            let user = User::from_uid(Uid::from_raw(signal.ssi_uid)).ok().flatten();
            let user = user.map(|user| user.name);
            slave.tell(move |slave, ctx| slave.signaled(ctx, user.as_deref()));
        }
    });
}

fn start_runtime(
    flags: &Flags,
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

fn start_logging(loaded: &Loaded<Flags>, process: &Process) -> Result<(), StartError> {
    let program = process.arguments.first().map_or("mesos-slave", String::as_str);
    let environment = |name: &str| process.environment.get(name).cloned();
    logging::init(&loaded.flags.logging, program, environment)?;
    logging::handle_signals().map_err(StartError::SignalHandler)?;
    for flag in &loaded.deprecated_paths {
        warn!(
            "The value of --{flag} is read from a file that is named by its path alone, which is \
             deprecated; put 'file://' before it"
        );
    }
    Ok(())
}

fn install_firewall(flags: &Flags, runtime: &Runtime) {
    let rules = flags.firewall_rules.as_ref().and_then(|rules| rules.0.disabled_endpoints.as_ref());
    if let Some(rules) = rules {
        runtime.set_disabled_endpoints(rules.paths.iter().cloned().collect());
    }
}

/// What is known of this build, from variables that are set when it is made.
fn build() -> Build {
    let time = option_env!("MESOS_BUILD_TIME").and_then(|time| time.parse::<f64>().ok());
    let mut build = vec![
        ("version".to_owned(), json!(VERSION)),
        ("build_date".to_owned(), json!(option_env!("MESOS_BUILD_DATE").unwrap_or("unknown"))),
        ("build_time".to_owned(), json!(time.unwrap_or_default())),
        ("build_user".to_owned(), json!(option_env!("MESOS_BUILD_USER").unwrap_or("unknown"))),
    ];
    for (name, value) in [
        ("git_sha", option_env!("MESOS_BUILD_GIT_SHA")),
        ("git_branch", option_env!("MESOS_BUILD_GIT_BRANCH")),
        ("git_tag", option_env!("MESOS_BUILD_GIT_TAG")),
    ] {
        build.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    build
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

/// A seed that no other slave has.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let (first, second) = seed.split_at_mut(16);
    first.copy_from_slice(Uuid::new_v4().as_bytes());
    second.copy_from_slice(Uuid::new_v4().as_bytes());
    seed
}
