//! mesos-slave from its command line to its end. Called by `main`, which prints the outcome.
//! Never exits the process, and reads no environment but the one handed in.
//! Upstream: `slave/main.cpp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use containerizer::CreateError;
use containerizer::config::ContainerOutput;
use coordination::daemon::{self, answer, build, misused, start};
use coordination::election::{MasterDetector, Mechanism, MechanismError};
use libprocess::embed::block_on;
use libprocess::files::Files;
use libprocess::os::describe;
use libprocess::runtime::AlreadyRunning;
use libprocess::{Pid, Runtime, logging};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Uid, User};
use stout::Uuid;
use stout::flags::parse::Loaded;
use tracing::info;

use crate::config::{Config, ConfigError, container_config};
use crate::flags::Flags;
use crate::oversubscription::NoopResourceEstimator;
use crate::slave::{Fatal, Parts, Slave, Started};
use crate::storage::FileSystem;

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
    /// What any daemon may stumble over.
    #[error(transparent)]
    Daemon(#[from] daemon::StartError),
    /// A signal cannot be waited for.
    #[error("Failed to set sigaction: {0}")]
    Signal(Errno),
    /// The host does not say which boot this is.
    #[error("Failed to read '{BOOT_ID}': {}", describe(.0))]
    BootId(std::io::Error),
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
    if let Some(answer) = answer(&loaded) {
        return Ok(Some(answer));
    }
    let master = loaded.flags.master.as_deref();
    let master = master.ok_or_else(|| misused(&loaded, "Missing required option `--master`"))?;
    let signals = block_signals()?;
    let runtime = start(&loaded, &process.environment)?;

    let place = Place {
        runtime: &runtime,
        files: Files::start(&runtime)?,
        detector: Mechanism::parse(master)?.detector(&runtime),
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
        storage: Arc::new(FileSystem),
        boot_id: boot_id()?,
        seed: place.seed,
    };
    flags.daemon.install_firewall(runtime);
    check_oversubscription(flags)?;
    info!("Starting Mesos slave");
    let config = Config::new(loaded, build(), runtime.address())?;
    Ok(Slave::start(runtime, runtime.generate("slave"), config, parts)?)
}

/// Where the kernel names the time since it was started.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

fn boot_id() -> Result<String, StartError> {
    let text = std::fs::read_to_string(BOOT_ID).map_err(StartError::BootId)?;
    Ok(text.trim().to_owned())
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
    Ok(daemon::load(&process.arguments, variables)?)
}

fn check_oversubscription(flags: &Flags) -> Result<(), StartError> {
    match (&flags.resource_estimator, &flags.qos_controller) {
        (Some(name), _) => Err(StartError::ResourceEstimator(name.clone())),
        (None, Some(name)) => Err(StartError::QosController(name.clone())),
        (None, None) => Ok(()),
    }
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

/// A seed that no other slave has.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let (first, second) = seed.split_at_mut(16);
    first.copy_from_slice(Uuid::new_v4().as_bytes());
    second.copy_from_slice(Uuid::new_v4().as_bytes());
    seed
}
