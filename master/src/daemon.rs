//! mesos-master from its command line to its end. Called by `main`, which prints the outcome.
//! Never exits the process, and reads no environment but the one handed in.
//! Upstream: `master/main.cpp`.

mod registry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use coordination::daemon::{self, Farewell, answer, build, start_with};
use coordination::election::contender::ZooKeeperMasterContender;
use coordination::election::detector::ZooKeeperMasterDetector;
use coordination::election::standalone::{StandaloneMasterContender, StandaloneMasterDetector};
use coordination::election::{
    MasterContender, MasterDetector, MechanismError, SESSION_TIMEOUT, meeting_place,
};
use coordination::group::Group;
use coordination::zookeeper::UrlError;
use libprocess::embed::block_on;
use libprocess::files::Files;
use libprocess::runtime::AlreadyRunning;
use libprocess::{Inject, Pid, Runtime, Upid, logging};
use proto::mesos::MasterInfo;
use stout::flags::parse::Loaded;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{error, info};
use uuid::Uuid;

use crate::allocator::HierarchicalAllocator;
use crate::config::{Config, ConfigError};
use crate::fatal::Fatal;
use crate::flags::{MasterFlags, RegistryFlags};
use crate::master::{Master, Parts, master_info};
use crate::registrar::{self, Options};

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
    /// What any daemon may stumble over.
    #[error(transparent)]
    Daemon(#[from] daemon::StartError),
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
    /// The registry cannot be opened.
    #[error(transparent)]
    Log(#[from] coordination::log::StartError),
    /// `--zk` does not say where masters meet.
    #[error("Failed to create a master contender: {0}")]
    Election(#[from] MechanismError),
    /// `--zk` is no URL.
    #[error("Error parsing ZooKeeper URL: {0}")]
    ZooKeeper(#[from] UrlError),
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
        matches!(self, StartError::Hostname(_))
    }
}

/// Runs a master until it ends. Gives what is to be printed, if that is all there is to do.
///
/// # Errors
/// If there is no master to be had with these flags, or it had to end.
pub fn run(process: Process) -> Result<Option<String>, StartError> {
    let loaded = load(&process)?;
    if let Some(answer) = answer(&loaded) {
        return Ok(Some(answer));
    }
    let farewell = Farewell::default();
    let runtime = start_with(&loaded, &process.environment, farewell.clone())?;
    runtime.set_delegate("master");
    let files = Files::start(&runtime)?;
    show_log(&runtime, &files, &loaded);
    let mut master = spawn(&loaded, process.id, &runtime)?;
    let (pid, contender) = (master.pid.clone(), master.contender.clone());
    farewell.set(move || {
        // In this order, so that it does not act while another one leads already.
        pid.terminate(Inject::Front);
        block_on(pid.wait());
        block_on(contender.withdraw());
    });
    let fatal = block_on(master.ended.recv());
    block_on(master.contender.withdraw());
    block_on(runtime.shutdown());
    logging::flush();
    fatal.map_or(Ok(None), |fatal| Err(fatal.into()))
}

/// A master that runs.
pub struct Running {
    /// What it says of itself to those who look for it.
    pub info: MasterInfo,
    /// The actor.
    pub pid: Pid<Master>,
    /// What made it stand for leadership, and takes that back.
    pub contender: Arc<dyn MasterContender>,
    /// Hears why it had to end, if it has to.
    pub ended: UnboundedReceiver<Fatal>,
    /// Lets `ended` wait for that, also once the actor has ended without a reason.
    _end: UnboundedSender<Fatal>,
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
    let (state, expelled) = registry::open(runtime, &flags.registry)?;
    let config = Config { build: build(), ..Config::new(loaded)? };
    let options = Options {
        strictness: config.registry_strictness,
        fetch_timeout: flags.registry.registry_fetch_timeout,
        store_timeout: flags.registry.registry_store_timeout,
    };
    let registrar = registrar::start(runtime, state, options);
    flags.daemon.install_firewall(runtime);

    info!("Starting Mesos master");
    let pid = Upid::new("master", runtime.address());
    let hostname = flags.daemon.published_name(pid.address.ip).map_err(StartError::Hostname)?;
    let info = master_info(&id.to_string(), &pid, &hostname);
    let (contender, detector) = election(&flags.registry, runtime, &info)?;
    let (end, ended) = unbounded_channel();
    if let Some(expelled) = expelled {
        let end = end.clone();
        runtime.run(async move {
            // Nobody listens any more once the process ends for another reason.
            drop(end.send(Fatal::Expelled(expelled.await)));
        });
    }
    let _end = end.clone();
    let parts = Parts {
        allocator: Box::new(HierarchicalAllocator::new(runtime, id.as_u64_pair().0)),
        registrar: Box::new(registrar),
        contender: contender.clone(),
        detector,
        authorizer: None,
        // Nobody listens any more once the process ends for another reason.
        on_fatal: Box::new(move |fatal| drop(end.send(fatal))),
    };
    let pid = runtime.spawn("master", Master::new(config, info.clone(), parts, runtime))?;
    Ok(Running { info, pid, contender, ended, _end })
}

/// How a master stands for leadership, and how it learns who leads.
type Election = (Arc<dyn MasterContender>, Arc<dyn MasterDetector>);

fn election(
    flags: &RegistryFlags,
    runtime: &Runtime,
    info: &MasterInfo,
) -> Result<Election, StartError> {
    let Some(zk) = &flags.zk else {
        // Alone, it is the leader by appointment.
        let detector = StandaloneMasterDetector::new(Some(info.clone()));
        return Ok((Arc::new(StandaloneMasterContender::default()), Arc::new(detector)));
    };
    let group = Group::new(runtime, &meeting_place(zk)?, SESSION_TIMEOUT);
    let contender = ZooKeeperMasterContender::new(group.clone(), flags.zk_legacy_info);
    Ok((Arc::new(contender), Arc::new(ZooKeeperMasterDetector::new(runtime, group))))
}

/// Reads the flags of a master from its command line and its environment.
///
/// # Errors
/// What is wrong with them, with the usage behind it.
pub fn load(process: &Process) -> Result<Loaded<MasterFlags>, StartError> {
    Ok(daemon::load(&process.arguments, process.environment.clone())?)
}

/// Attaches the log to `/files`, where the web UI looks for it.
fn show_log(runtime: &Runtime, files: &Files, loaded: &Loaded<MasterFlags>) {
    let Some(log) = loaded.flags.daemon.logging.attached_log_file(&loaded.program) else { return };
    let attached = files.attach(log.clone(), "/master/log");
    runtime.run(async move {
        match attached.await {
            Ok(()) => info!("Successfully attached file '{}'", log.display()),
            Err(why) => error!("Failed to attach file '{}': {why}", log.display()),
        }
    });
}
