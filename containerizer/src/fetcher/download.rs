//! Getting one URI's bytes into a file. Called by `worker`, in the mesos-fetcher process. Blocking.
//! Upstream: `download` in `launcher/fetcher.cpp`, `net::download`, `HDFS::copyToLocal`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use tracing::info;

use super::uri::{self, UriError};

const REDIRECTS_MAX: u32 = 50;
const HTTP_OK: u16 = 200;

/// Where things are that a URI does not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// What relative paths are relative to.
    pub(super) frameworks_home: Option<String>,
    /// The directory below which `bin/hadoop` lies; without it, `PATH` is searched.
    pub(super) hadoop_home: Option<PathBuf>,
}

/// Why a URI could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The URI cannot name a file.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A file of this host could not be copied.
    #[error("Failed to copy '{}' to '{}': {source}", from.display(), to.display())]
    Copy {
        /// The file.
        from: PathBuf,
        /// The copy.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The transfer failed.
    #[error("Error downloading resource: {0}")]
    Transfer(Box<ureq::Error>),
    /// The content could not be received or written.
    #[error("Error downloading resource to '{}': {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server does not give it.
    #[error("Error downloading resource, received HTTP return code {0}")]
    Refused(u16),
    /// There is no hadoop client, or it does not work.
    #[error("Failed to create HDFS client: '{} version' failed: {why}", client.display())]
    NoHadoop {
        /// The client.
        client: PathBuf,
        /// What happened instead.
        why: HadoopFailure,
    },
    /// The hadoop client could not fetch it.
    #[error("HDFS copyToLocal failed: {0}")]
    Hadoop(HadoopFailure),
}

/// What became of a run of the hadoop client.
#[derive(Debug, thiserror::Error)]
pub enum HadoopFailure {
    /// It could not be started.
    #[error("{0}")]
    NotStarted(#[from] io::Error),
    /// It ended in failure.
    #[error(
        "Unexpected result from the subprocess: {status}, stdout='{stdout}', stderr='{stderr}'"
    )]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        stdout: String,
        /// What it complained of.
        stderr: String,
    },
}

/// Fetches `uri` into the new file `to`.
pub(super) fn download(
    uri: &str,
    to: &Path,
    surroundings: &Surroundings,
) -> Result<(), DownloadError> {
    let uri = uri.trim_start();
    info!("Fetching URI '{uri}'");
    uri::basename(uri)?;
    if let Some(from) = uri::local_path(uri, surroundings.frameworks_home.as_deref())? {
        return copy(&from, to);
    }
    if uri::is_http(uri) {
        return get(uri, to);
    }
    copy_to_local(uri, to, surroundings.hadoop_home.as_deref())
}

/// Copies a file with its permissions, as `cp` does.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), DownloadError> {
    info!("Copying resource from '{}' to '{}'", from.display(), to.display());
    match fs::copy(from, to) {
        Ok(_) => Ok(()),
        Err(source) => {
            Err(DownloadError::Copy { from: from.to_owned(), to: to.to_owned(), source })
        }
    }
}

fn get(uri: &str, to: &Path) -> Result<(), DownloadError> {
    info!("Downloading resource from '{uri}' to '{}'", to.display());
    let tls =
        ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build();
    let client: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(REDIRECTS_MAX)
        .tls_config(tls)
        .build()
        .into();
    let transfer = |error| DownloadError::Transfer(Box::new(error));
    let response = client.get(uri).call().map_err(transfer)?;
    let status = response.status().as_u16();
    if status != HTTP_OK {
        return Err(DownloadError::Refused(status));
    }
    let write = |source| DownloadError::Write { path: to.to_owned(), source };
    let mut file = File::create_new(to).map_err(write)?;
    io::copy(&mut response.into_body().into_reader(), &mut file).map_err(write)?;
    Ok(())
}

fn copy_to_local(uri: &str, to: &Path, home: Option<&Path>) -> Result<(), DownloadError> {
    let client = home.map_or_else(|| "hadoop".into(), |home| home.join("bin").join("hadoop"));
    let mut version = Command::new(&client);
    if let Err(why) = run(version.arg("version")) {
        return Err(DownloadError::NoHadoop { client, why });
    }
    info!("Downloading resource with Hadoop client from '{uri}' to '{}'", to.display());
    let mut copy = Command::new(&client);
    run(copy.args(["fs", "-copyToLocal", uri]).arg(to)).map_err(DownloadError::Hadoop)
}

fn run(command: &mut Command) -> Result<(), HadoopFailure> {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output()?;
    if status.success() {
        return Ok(());
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Err(HadoopFailure::Failed { status, stdout: text(stdout), stderr: text(stderr) })
}
