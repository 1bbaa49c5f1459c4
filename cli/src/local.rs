//! A whole cluster inside of one process: a master and slaves, for `mesos-local` and for those who
//! give `local` as their master.
//! Called by programs that drive a scheduler. The cluster ends with the value that stands for it.
//! Master and slaves take their flags from `MESOS_*` variables; executors print where this
//! process prints.
//!
//! Upstream: `local::launch`, `local::shutdown`, `local/main.cpp`.

mod program;

pub use program::run;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use containerizer::config::ContainerOutput;
use coordination::election::MasterDetector;
use coordination::election::standalone::StandaloneMasterDetector;
use libprocess::Runtime;
use libprocess::embed::block_on;
use libprocess::files::Files;
use libprocess::runtime::AlreadyRunning;
use master::daemon as master_daemon;
use master::fatal::Fatal;
use slave::daemon as slave_daemon;
use stout::Uuid;
use stout::number::numify;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

/// What the parts of the cluster are called where a program's name is wanted.
const PROGRAM: &str = "mesos-local";

/// A cluster in this process; dropped, it ends with all that it runs.
pub struct Cluster {
    /// Where its master is: `host:port`.
    pub master: String,
    runtime: Runtime,
    ended: UnboundedReceiver<Fatal>,
    /// Where it works, unless it was told where.
    _folder: Option<TempDir>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        block_on(self.runtime.shutdown());
    }
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// `MESOS_NUM_SLAVES` is no number.
    #[error("Failed to load flag 'num_slaves': Failed to load value '{0}': not a number")]
    NumSlaves(String),
    /// A `LIBPROCESS_*` variable is wrong.
    #[error(transparent)]
    Environment(#[from] libprocess::runtime::config::ConfigError),
    /// The port cannot be had.
    #[error(transparent)]
    Runtime(#[from] libprocess::runtime::config::StartError),
    /// No folder to work in can be made.
    #[error("Failed to create a directory to work in: {0}")]
    Folder(std::io::Error),
    /// Something of the cluster runs already in its runtime.
    #[error(transparent)]
    AlreadyRunning(#[from] AlreadyRunning),
    /// There is no master to be had with these variables.
    #[error("Failed to start a local cluster: {0}")]
    Master(#[from] master_daemon::StartError),
    /// There is no slave to be had with these variables.
    #[error("Failed to start a local cluster: {0}")]
    Slave(#[from] slave_daemon::StartError),
}

/// Starts a cluster as the `MESOS_*` and `LIBPROCESS_*` variables say: one slave unless
/// `MESOS_NUM_SLAVES` asks for more, and on the loopback interface unless `LIBPROCESS_IP` names
/// another address.
///
/// # Errors
/// What stood in the way, for the operator.
pub fn launch(variables: &[(String, String)]) -> Result<Cluster, LaunchError> {
    let variables: BTreeMap<String, String> = variables.iter().cloned().collect();
    let count = variable(&variables, "NUM_SLAVES")
        .map(|text| numify::<usize>(text).map_err(|_| LaunchError::NumSlaves(text.to_owned())));
    launch_slaves(variables.clone(), count.transpose()?.unwrap_or(1))
}

/// The value of a `MESOS_` variable, whatever the case of its name.
fn variable<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let wanted = format!("MESOS_{name}");
    let found = variables.iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted));
    found.map(|(_, value)| value.as_str())
}

fn launch_slaves(
    mut variables: BTreeMap<String, String>,
    count: usize,
) -> Result<Cluster, LaunchError> {
    let mut config = libprocess::Config::from_environment(|name| variables.get(name).cloned())?;
    config.ip.get_or_insert(Ipv4Addr::LOCALHOST);
    config.schema = Some(proto::initialized::schema);
    config.delegate = Some("master".to_owned());
    let folder = match variable(&variables, "WORK_DIR") {
        Some(_) => None,
        None => {
            let folder = tempfile::tempdir().map_err(LaunchError::Folder)?;
            let path = folder.path().display().to_string();
            variables.insert("MESOS_WORK_DIR".to_owned(), path);
            Some(folder)
        }
    };
    let runtime = Runtime::start(config)?;
    let files = Files::start(&runtime)?;
    let process = master_daemon::Process {
        arguments: vec![PROGRAM.to_owned()],
        environment: variables.clone(),
        id: Uuid::new_v4(),
    };
    let master = master_daemon::spawn(&master_daemon::load(&process)?, process.id, &runtime)?;
    let detector: Arc<dyn MasterDetector> =
        Arc::new(StandaloneMasterDetector::new(Some(master.info.clone())));
    let cluster = Cluster {
        master: runtime.address().to_string(),
        ended: master.ended,
        _folder: folder,
        runtime,
    };
    for number in 0..count {
        start_slave(&cluster.runtime, &variables, number, (files.clone(), detector.clone()))?;
    }
    Ok(cluster)
}

/// Starts the slave `number`, in a work directory of its own.
fn start_slave(
    runtime: &Runtime,
    variables: &BTreeMap<String, String>,
    number: usize,
    (files, detector): (Files, Arc<dyn MasterDetector>),
) -> Result<(), LaunchError> {
    let process = slave_daemon::Process {
        arguments: vec![PROGRAM.to_owned()],
        environment: variables.clone(),
        executable: std::env::current_exe().unwrap_or_else(|_| PathBuf::from(PROGRAM)),
        seed: slave_daemon::seed(),
    };
    let mut loaded = slave_daemon::load(&process)?;
    loaded.flags.work_dir = loaded.flags.work_dir.join(number.to_string());
    let place = slave_daemon::Place {
        runtime,
        files,
        detector,
        environment: process.environment,
        output: ContainerOutput::Inherited,
        seed: process.seed,
    };
    slave_daemon::spawn(&loaded, place)?;
    Ok(())
}

impl Cluster {
    /// Waits until the master has to end, and gives why.
    pub fn wait(&mut self) -> Option<Fatal> {
        block_on(self.ended.recv())
    }
}
