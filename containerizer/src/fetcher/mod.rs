//! Brings the files of a command's URIs into its sandbox, by running mesos-fetcher. Called by the
//! containerizers. Never transfers or unpacks anything in this process.
//! Upstream: `Fetcher` and `FetcherProcess` in `fetcher.cpp`. The program is started directly,
//! where upstream asks a shell to start it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use common::ids::ContainerId;
use common::json::protobuf::Protobuf;
use futures_util::future::{self, Either};
use proto::mesos::CommandInfo;
use proto::mesos::fetcher::FetcherInfo;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::task::{JoinError, spawn_blocking};
use tracing::{error, warn};

use crate::config::Config;
use crate::launcher::killtree::{Family, killtree};
use crate::launcher::posix::adopt;
use crate::users::{self, UserError};

mod archive;
mod confine;
mod download;
mod plan;
pub mod uri;
pub mod worker;

const FETCHER: &str = "mesos-fetcher";
const OUTPUT_MODE: u32 = 0o644;

/// Why URIs could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A URI is malformed; nothing was started.
    #[error("Could not fetch: {0}")]
    Uri(#[from] uri::UriError),
    /// The user does not exist, or the sandbox could not be given to him.
    #[error(
        "Failed to chown directory: {} to user: {user} with error: {source}",
        sandbox.display()
    )]
    Chown {
        /// The sandbox.
        sandbox: PathBuf,
        /// The user.
        user: String,
        /// What went wrong.
        source: UserError,
    },
    /// The fetcher's output has nowhere to go.
    #[error("Failed to create '{name}' file: {source}")]
    Output {
        /// `stdout` or `stderr`.
        name: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The program is not in `--launcher_dir`.
    #[error("Could not fetch URIs: failed to find mesos-fetcher")]
    NoFetcher,
    /// The program could not be started.
    #[error("Failed to execute mesos-fetcher: {0}")]
    NotStarted(io::Error),
    /// The program's end was missed.
    #[error("No status available from mesos-fetcher")]
    NoStatus,
    /// The program failed or was killed; its log, in the sandbox's `stderr`, says why.
    #[error(
        "Failed to fetch all URIs for container '{container_id}' with exit status: {status}{}{why}",
        if why.is_empty() { "" } else { ": " }
    )]
    Failed {
        /// The container.
        container_id: ContainerId,
        /// The raw wait status.
        status: i32,
        /// The last line of that log, if there is one.
        why: String,
    },
    /// The runtime is shutting down.
    #[error("Could not fetch: {0}")]
    Shutdown(#[from] JoinError),
}

/// How much of the fetcher's last line frameworks are told.
const WHY_CHARACTERS_MAX: usize = 1024;

/// For whom and where to fetch.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// The container.
    pub container_id: ContainerId,
    /// The command whose URIs are fetched.
    pub command: CommandInfo,
    /// The sandbox; it exists.
    pub sandbox: PathBuf,
    /// Who will own the sandbox, unless the command names a user.
    pub user: Option<String>,
}

/// Runs one mesos-fetcher per container.
pub struct Fetcher {
    config: Arc<Config>,
}

impl Fetcher {
    /// A fetcher that runs nothing yet.
    pub fn new(config: Arc<Config>) -> Fetcher {
        Fetcher { config }
    }

    /// Fetches all URIs of a command; does nothing if there are none. Once `killed` is notified,
    /// the program and all that it started are killed, and this fails.
    pub async fn fetch(&self, request: FetchRequest, killed: &Notify) -> Result<(), FetchError> {
        if request.command.uris.is_empty() {
            return Ok(());
        }
        let fetched = self.run(request, killed).await;
        if let Err(why) = &fetched {
            error!("Failed to run mesos-fetcher: {why}");
        }
        fetched
    }

    async fn run(&self, request: FetchRequest, killed: &Notify) -> Result<(), FetchError> {
        let FetchRequest { container_id, command, sandbox, user } = request;
        let user = command.user.clone().or(user);
        let home = Some(self.config.frameworks_home.as_str()).filter(|home| !home.is_empty());
        let order = plan::plan(&command, &sandbox.to_string_lossy(), user.as_deref(), home)?;
        let (stdout, stderr) = {
            let sandbox = sandbox.clone();
            spawn_blocking(move || prepare(&sandbox, user.as_deref())).await??
        };
        let program = self.config.launcher_dir.join(FETCHER);
        let program = program.canonicalize().map_err(|why| {
            error!(
                "Failed to determine the canonical path for the mesos-fetcher '{}': {why}",
                program.display()
            );
            FetchError::NoFetcher
        })?;
        let child = Command::new(&program)
            .env_clear()
            .envs(self.environment(&order))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(FetchError::NotStarted)?;
        let (leader, exit) = adopt(child).map_err(FetchError::NotStarted)?;
        let status = match future::select(exit.clone(), Box::pin(killed.notified())).await {
            Either::Left((status, _)) => status,
            Either::Right(_) => {
                let family = Family { leader, marker: None };
                if let Err(why) = spawn_blocking(move || killtree(&family)).await? {
                    error!("Failed to kill the fetcher of container '{container_id}': {why}");
                }
                exit.await
            }
        };
        match status {
            Some(0) => Ok(()),
            Some(status) => {
                let log = relay_log(&container_id, &program, sandbox.join("stderr")).await?;
                // Who was killed has not said why.
                let last = log.lines().next_back().filter(|_| nix::libc::WIFEXITED(status));
                let why = last.unwrap_or_default();
                let why = why.chars().take(WHY_CHARACTERS_MAX).collect();
                Err(FetchError::Failed { container_id, status, why })
            }
            None => Err(FetchError::NoStatus),
        }
    }

    fn environment(&self, order: &FetcherInfo) -> BTreeMap<String, String> {
        let mut environment = self.config.environment.clone();
        environment.remove("LIBPROCESS_PORT");
        environment.remove("LIBPROCESS_ADVERTISE_PORT");
        let order = stout::json::to_string(&Protobuf(order));
        environment.insert("MESOS_FETCHER_INFO".into(), order);
        if !self.config.hadoop_home.is_empty() {
            environment.insert("HADOOP_HOME".into(), self.config.hadoop_home.clone());
        }
        environment
    }
}

/// Empties the sandbox's output files for the fetcher, and gives the sandbox to the user.
fn prepare(sandbox: &Path, user: Option<&str>) -> Result<(File, File), FetchError> {
    let chown_failed = |user: &str| {
        let (sandbox, user) = (sandbox.to_owned(), user.to_owned());
        move |source| FetchError::Chown { sandbox, user, source }
    };
    if let Some(user) = user {
        users::find(user).map_err(chown_failed(user))?;
    }
    let open = |name| {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(OUTPUT_MODE)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(sandbox.join(name))
            .map_err(|source| FetchError::Output { name, source })
    };
    let outputs = (open("stdout")?, open("stderr")?);
    if let Some(user) = user {
        users::chown(user, sandbox).map_err(chown_failed(user))?;
    }
    Ok(outputs)
}

/// Repeats what the fetcher said, for operators who only have our log, and gives it.
async fn relay_log(
    container_id: &ContainerId,
    program: &Path,
    stderr: PathBuf,
) -> Result<String, JoinError> {
    let text = spawn_blocking(move || std::fs::read(stderr)).await?;
    let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
    match &text {
        Ok(text) => warn!(
            "Begin fetcher log (stderr in sandbox) for container {container_id} from running \
             command: {}\n{text}\nEnd fetcher log for container {container_id}",
            program.display()
        ),
        Err(why) => error!(
            "Fetcher log (stderr in sandbox) for container {container_id} not readable: {why}"
        ),
    }
    Ok(text.unwrap_or_default())
}
