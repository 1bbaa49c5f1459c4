//! Runs one command on a cluster: what `mesos-execute` is. Read `flags` for what may be typed,
//! `scheduler` for what is done with offers; here is what stands between the two.
//! Called by the program's `main`. What it prints and its exit code are interface.
//!
//! Upstream: `src/cli/execute.cpp`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

pub mod flags;
mod scheduler;

use std::process::ExitCode;

use coordination::election::{Mechanism, MechanismError};
use nix::unistd::{Uid, User};
use proto::mesos::FrameworkInfo;
use sched::{Leader, NewError, Options, SchedulerDriver, Status};
use stout::flags::BoxedError;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{LoadError, Loader, program_name};

use crate::execute::flags::ExecuteFlags;
use crate::execute::scheduler::CommandScheduler;
use crate::hdfs::{Hdfs, HdfsError};
use crate::local::Cluster;

/// The master that stands for a cluster in this process.
const LOCAL: &str = "local";

/// What is wrong with what was typed; printed above the usage.
#[derive(Debug, thiserror::Error)]
enum Misuse {
    #[error(transparent)]
    Flags(#[from] LoadError),
    #[error("Missing required option --{0}")]
    Missing(&'static str),
    #[error("Could not parse --master={0}")]
    Master(String),
    #[error(transparent)]
    Detector(MechanismError),
}

/// Why nothing was run; printed by itself.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("No username for uid {0}")]
    NoUser(Uid),
    #[error("Failed to get username: {0}")]
    User(nix::errno::Errno),
    #[error("Failed to create HDFS client: {0}")]
    NoHdfs(HdfsError),
    #[error("Failed to check if file exists: {0}")]
    Exists(HdfsError),
    #[error("Failed to remove existing file: {0}")]
    Remove(HdfsError),
    #[error("File already exists (see --overwrite)")]
    AlreadyExists,
    #[error("Failed to copy package: {0}")]
    Copy(HdfsError),
    #[error("Failed to launch a local cluster: {0}")]
    Local(BoxedError),
    #[error(transparent)]
    Driver(#[from] NewError),
}

/// What was typed, complete.
struct Plan {
    flags: ExecuteFlags,
    name: String,
    master: Master,
}

/// Where to run it.
enum Master {
    /// In a cluster of our own.
    Local,
    Detected(Mechanism),
}

/// Does what the arguments say; the first one is the program. `variables` is the environment, of
/// which only the driver takes notice. `launch` starts the cluster that `--master=local` means.
pub fn run<E: Into<BoxedError>>(
    arguments: &[String],
    variables: &[(String, String)],
    launch: impl FnOnce(&[(String, String)]) -> Result<Cluster, E>,
) -> ExitCode {
    let plan = match plan(arguments) {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            println!("{}", usage::<ExecuteFlags>(program_name(arguments)));
            return ExitCode::SUCCESS;
        }
        Err(misuse) => {
            let program = program_name(arguments);
            eprintln!("{}", usage_behind::<ExecuteFlags>(&misuse.to_string(), program));
            return ExitCode::FAILURE;
        }
    };
    match execute(plan, variables, |variables| launch(variables).map_err(Into::into)) {
        Ok(Status::DriverStopped) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Nothing, if help is wanted.
fn plan(arguments: &[String]) -> Result<Option<Plan>, Misuse> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loaded = Loader::new(&read).load::<ExecuteFlags>(arguments)?;
    if loaded.help {
        return Ok(None);
    }
    let flags = loaded.flags;
    let master = flags.master.clone().ok_or(Misuse::Missing("master"))?;
    let master = match (&*master, Mechanism::parse(&master)) {
        (LOCAL, _) => Master::Local,
        (_, Ok(mechanism)) => Master::Detected(mechanism),
        (_, Err(MechanismError::Unparsable(_))) => return Err(Misuse::Master(master)),
        (_, Err(error)) => return Err(Misuse::Detector(error)),
    };
    let name = flags.name.clone().ok_or(Misuse::Missing("name"))?;
    if flags.shell && flags.command.is_none() {
        return Err(Misuse::Missing("command"));
    }
    Ok(Some(Plan { flags, name, master }))
}

fn execute(
    plan: Plan,
    variables: &[(String, String)],
    launch: impl FnOnce(&[(String, String)]) -> Result<Cluster, BoxedError>,
) -> Result<Status, Failure> {
    let Plan { flags, name, master } = plan;
    let user = user_name()?;
    let uri = flags.package.as_ref().map(|package| upload(&flags, &user, package)).transpose()?;
    let framework =
        FrameworkInfo { user, checkpoint: Some(flags.checkpoint), ..FrameworkInfo::default() };
    // The cluster lives until the framework has ended.
    let (leader, _cluster) = match master {
        Master::Detected(mechanism) => (Leader::By(mechanism), None),
        Master::Local => {
            let cluster = launch(variables).map_err(Failure::Local)?;
            (Leader::At(cluster.master.clone()), Some(cluster))
        }
    };
    let options = Options::new(framework, leader);
    let scheduler = CommandScheduler::new(flags, name, uri);
    let driver = SchedulerDriver::new(scheduler, options, variables)?;
    Ok(driver.run())
}

fn user_name() -> Result<String, Failure> {
    let uid = Uid::current();
    let user = User::from_uid(uid).map_err(Failure::User)?.ok_or(Failure::NoUser(uid))?;
    Ok(user.name)
}

/// Puts the package where slaves can fetch it from; gives its URI.
fn upload(flags: &ExecuteFlags, user: &str, package: &str) -> Result<String, Failure> {
    let hdfs = Hdfs::new(&flags.hadoop).map_err(Failure::NoHdfs)?;
    let path = format!("/{user}/{}", package.trim_start_matches('/'));
    match hdfs.exists(&path).map_err(Failure::Exists)? {
        true if flags.overwrite => hdfs.rm(&path).map_err(Failure::Remove)?,
        true => return Err(Failure::AlreadyExists),
        false => {}
    }
    hdfs.copy_from_local(package, &path).map_err(Failure::Copy)?;
    Ok(format!("hdfs://{}{path}", flags.hdfs))
}
