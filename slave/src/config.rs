//! What the flags mean: everything checked, in upstream's order and words, and what they leave out
//! detected. Called once at start-up; blocks on the disk and the name service.
//! Upstream: the first half of `Slave::initialize`, `Containerizer::resources`.

mod containers;
mod detect;

pub use containers::container_config;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::attributes::{self, Attributes};
use common::credentials::{InvalidCredentials, parse_credential};
use common::resources;
use coordination::daemon::Build;
use libprocess::os::describe;
use libprocess::{Address, logging};
use proto::mesos::{Credential, SlaveInfo};
use stout::flags::parse::{Loaded, Shown};
use tracing::info;

use crate::constants::{DEFAULT_AUTHENTICATEE, REGISTER_RETRY_INTERVAL_MAX};
use crate::flags::Flags;
use crate::paths::WorkDir;

/// What a slave starts with.
#[derive(Clone, Debug)]
pub(crate) enum Recover {
    /// It goes on with what an earlier run has left.
    Reconnect,
    /// It ends what an earlier run has left, and then itself.
    Cleanup,
}

/// What the operator wants, made usable.
#[derive(Clone)]
pub struct Config {
    pub(crate) shown: Shown,
    pub(crate) build: Build,
    pub(crate) logging: logging::Config,
    pub(crate) log_file: Option<PathBuf>,
    /// Who we are, if the master asks for a proof.
    pub(crate) credential: Option<Credential>,
    pub(crate) info: SlaveInfo,
    pub(crate) work_dir: WorkDir,
    pub(crate) launcher_dir: PathBuf,
    pub(crate) sandbox_directory: String,
    pub(crate) containerizers: String,
    pub(crate) switch_user: bool,
    pub(crate) recover: Recover,
    /// Whether what cannot be recovered is the end.
    pub(crate) strict: bool,
    pub(crate) registration_backoff_factor: Duration,
    pub(crate) authentication_backoff_factor: Duration,
    pub(crate) executor_registration_timeout: Duration,
    pub(crate) executor_shutdown_grace_period: Duration,
    pub(crate) gc_delay: Duration,
    pub(crate) gc_disk_headroom: f64,
    pub(crate) disk_watch_interval: Duration,
    pub(crate) oversubscribed_resources_interval: Duration,
}

/// Why a slave cannot start with its flags; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--registration_backoff_factor` is longer than any wait may be.
    #[error(
        "Invalid value '{}' for --registration_backoff_factor: Must be less than {}",
        stout::duration::display(*.0),
        stout::duration::display(REGISTER_RETRY_INTERVAL_MAX)
    )]
    Backoff(Duration),
    /// `--authenticatee` names none that is built in.
    #[error("Could not create authenticatee module '{0}': Module '{0}' unknown")]
    Authenticatee(String),
    /// `--credential` leads to no file that can be read.
    #[error(
        "Failed to read credential file '{path}': Failed to open file '{path}': {} \
         (see --credential flag)",
        describe(source),
        path = path.display()
    )]
    CredentialFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `--credential` leads to a file that holds something else.
    #[error("{0} (see --credential flag)")]
    Credential(InvalidCredentials),
    /// `--gc_disk_headroom` is no share.
    #[error("Invalid value '{0}' for --gc_disk_headroom. Must be between 0.0 and 1.0.")]
    Headroom(f64),
    /// `--work_dir` is not there and cannot be made.
    #[error("Failed to create slave work directory '{}': {source}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `--resources` cannot be understood.
    #[error("Failed to determine slave resources: {0}")]
    Resources(resources::ParseError),
    /// `--resources` names a disk that cannot be used.
    #[error(transparent)]
    Disk(#[from] detect::DiskError),
    /// `--attributes` cannot be understood.
    #[error(transparent)]
    Attributes(#[from] attributes::ParseError),
    /// Our own address has no name.
    #[error("Failed to get hostname: {0}")]
    Hostname(std::io::Error),
    /// `--recover` is none of the two.
    #[error(
        "Unknown option for 'recover' flag {0}. Please run the slave with '--help' to see the \
         valid options"
    )]
    Recover(String),
}

impl Config {
    /// Checks the flags of a slave at `address`, and fills in what they leave out.
    ///
    /// # Errors
    /// The first thing that is wrong, in upstream's order.
    pub fn new(
        loaded: &Loaded<Flags>,
        build: Build,
        address: Address,
    ) -> Result<Config, ConfigError> {
        let flags = &loaded.flags;
        let credential = check_back_off_and_credential(flags)?;
        if !(0.0..=1.0).contains(&flags.gc_disk_headroom) {
            return Err(ConfigError::Headroom(flags.gc_disk_headroom));
        }
        let work_dir = work_dir(&flags.work_dir)?;
        let info = slave_info(flags, &work_dir, address)?;
        let recover = match flags.recover.as_str() {
            "reconnect" => Recover::Reconnect,
            "cleanup" => Recover::Cleanup,
            other => return Err(ConfigError::Recover(other.to_owned())),
        };
        Ok(Config {
            shown: loaded.shown.clone(),
            build,
            log_file: flags.daemon.logging.attached_log_file(&loaded.program),
            logging: flags.daemon.logging.clone(),
            credential,
            info,
            work_dir: WorkDir(work_dir),
            launcher_dir: absolute(&flags.launcher_dir),
            sandbox_directory: flags.docker.sandbox_directory.clone(),
            containerizers: flags.containers.containerizers.clone(),
            switch_user: flags.switch_user,
            recover,
            strict: flags.strict,
            registration_backoff_factor: flags.registration_backoff_factor,
            authentication_backoff_factor: flags.authentication_backoff_factor,
            executor_registration_timeout: flags.executor_registration_timeout,
            executor_shutdown_grace_period: flags.executor_shutdown_grace_period,
            gc_delay: flags.gc_delay,
            gc_disk_headroom: flags.gc_disk_headroom,
            disk_watch_interval: flags.disk_watch_interval,
            oversubscribed_resources_interval: flags.oversubscribed_resources_interval,
        })
    }

    /// How old a directory may become when so much of the disk is used. Upstream: `Slave::age`.
    pub(crate) fn directory_age_max(&self, usage: f64) -> Duration {
        self.gc_delay.mul_f64((1.0 - self.gc_disk_headroom - usage).max(0.0))
    }
}

fn check_back_off_and_credential(flags: &Flags) -> Result<Option<Credential>, ConfigError> {
    if flags.registration_backoff_factor > REGISTER_RETRY_INTERVAL_MAX {
        return Err(ConfigError::Backoff(flags.registration_backoff_factor));
    }
    let Some(path) = &flags.credential else { return Ok(None) };
    let text = path.to_string_lossy();
    let path = PathBuf::from(text.strip_prefix("file://").unwrap_or(&text));
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ConfigError::CredentialFile { path, source })?;
    let credential = parse_credential(&text).map_err(ConfigError::Credential)?;
    if flags.authenticatee != DEFAULT_AUTHENTICATEE {
        return Err(ConfigError::Authenticatee(flags.authenticatee.clone()));
    }
    info!("Slave using credential for: {}", credential.principal);
    Ok(Some(credential))
}

/// The work directory, made if need be.
fn work_dir(path: &Path) -> Result<PathBuf, ConfigError> {
    let path = absolute(path);
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(ConfigError::WorkDir { path, source }),
    }
}

/// The same path, good in any other directory. It stays what it is if we do not know where we are.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What masters are told of a slave before it has an id.
fn slave_info(flags: &Flags, work_dir: &Path, address: Address) -> Result<SlaveInfo, ConfigError> {
    let text = flags.resources.as_deref().unwrap_or_default();
    let resources = detect::resources(text, &flags.default_role, work_dir);
    let resources = resources.map_err(ConfigError::Resources)?;
    detect::check_disks(&resources)?;
    let attributes = flags.attributes.as_deref().unwrap_or_default().parse::<Attributes>()?;
    let hostname = flags.daemon.published_name(address.ip).map_err(ConfigError::Hostname)?;
    Ok(SlaveInfo {
        hostname,
        port: Some(address.port.into()),
        resources: resources.to_messages(),
        attributes: attributes.to_messages(),
        id: None,
        checkpoint: Some(true),
    })
}

#[cfg(test)]
mod tests;
