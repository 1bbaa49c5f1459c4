//! The body of the mesos-fetcher program: fetches item after item, then gives the sandbox to the
//! user. Runs in a process of its own, with the slave's privileges. Blocking.
//! Upstream: `main`, `fetch` and `fetchBypassingCache` in `launcher/fetcher.cpp`.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::json::protobuf;
use proto::mesos::command_info::Uri;
use proto::mesos::fetcher::FetcherInfo;
use proto::mesos::fetcher::fetcher_info::Item;
use proto::mesos::fetcher::fetcher_info::item::Action;
use tracing::{info, warn};

use super::archive::{self, ArchiveError, Extraction};
use super::confine::{self, ConfineError};
use super::download::{DownloadError, Surroundings, download};
use super::uri::{self, UriError};
use crate::users::{self, UserError};

const EXECUTABLE_MODE: u32 = 0o755;

/// Why the fetcher ends with exit code 1; printed as its last words.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is no order.
    #[error("Missing MESOS_FETCHER_INFO environment variable")]
    NoOrder,
    /// The order is no JSON object.
    #[error("Failed to parse MESOS_FETCHER_INFO: {0}")]
    NotJson(#[from] stout::json::ParseError),
    /// The order is no `FetcherInfo`.
    #[error("Failed to parse FetcherInfo: {0}")]
    NotAnOrder(#[from] protobuf::ParseError),
    /// The order does not say where to fetch to.
    #[error("Missing sandbox directory")]
    NoSandbox,
    /// One URI could not be fetched; those after it were not tried.
    #[error("Failed to fetch '{uri}': {source}")]
    Item {
        /// The URI as ordered.
        uri: String,
        /// What went wrong.
        source: ItemError,
    },
    /// The sandbox could not be given to the user.
    #[error("Failed to chown {sandbox}: {source}")]
    Chown {
        /// The sandbox.
        sandbox: String,
        /// What went wrong.
        source: UserError,
    },
}

/// Why one URI could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// The URI, or its output file, names no file of the sandbox.
    #[error("Failed to determine the basename of the URI '{uri}' with error: {source}")]
    Name {
        /// The URI.
        uri: String,
        /// What is wrong with it.
        source: UriError,
    },
    /// The item wants the cache.
    #[error("Fetching through the cache is not supported")]
    Cache,
    /// The file cannot be put where it belongs.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// The content could not be had.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The file could not be made executable.
    #[error("Failed to chmod executable '{}': {source}", path.display())]
    Chmod {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The archive could not be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Carries out an order: the JSON of a `FetcherInfo`. `hadoop_home` is where the Hadoop client is
/// looked for; without it, on `PATH`.
pub fn run(order: Option<&str>, hadoop_home: Option<PathBuf>) -> Result<(), WorkerError> {
    let order = order.ok_or(WorkerError::NoOrder)?;
    info!("Fetcher Info: {order}");
    let order = serde_json::Value::Object(stout::json::parse_object(order)?);
    let order: FetcherInfo = protobuf::parse(&order)?;
    if order.sandbox_directory.is_empty() {
        return Err(WorkerError::NoSandbox);
    }
    let surroundings = Surroundings { frameworks_home: order.frameworks_home, hadoop_home };
    let sandbox = Path::new(&order.sandbox_directory);
    for item in &order.items {
        let uri = &item.uri.value;
        info!("Fetching URI '{uri}'");
        let fetched = fetch(item, sandbox, &surroundings)
            .map_err(|source| WorkerError::Item { uri: uri.clone(), source })?;
        info!("Fetched '{uri}' to '{}'", fetched.display());
    }
    let Some(user) = &order.user else { return Ok(()) };
    users::chown(user, sandbox)
        .map_err(|source| WorkerError::Chown { sandbox: order.sandbox_directory.clone(), source })
}

fn fetch(item: &Item, sandbox: &Path, surroundings: &Surroundings) -> Result<PathBuf, ItemError> {
    if item.action() != Action::BypassCache {
        return Err(ItemError::Cache);
    }
    info!("Fetching directly into the sandbox directory");
    let Uri { value, output_file, .. } = &item.uri;
    let name = uri::destination(value, output_file.as_deref())
        .map_err(|source| ItemError::Name { uri: value.clone(), source })?;
    let path = confine::place(sandbox, name)?;
    download(value, &path, surroundings)?;
    if item.uri.executable() {
        let executable = Permissions::from_mode(EXECUTABLE_MODE);
        return match fs::set_permissions(&path, executable) {
            Ok(()) => Ok(path),
            Err(source) => Err(ItemError::Chmod { path, source }),
        };
    }
    if item.uri.extract() && archive::extract(&path, sandbox)? == Extraction::NotAnArchive {
        warn!(
            "Copying instead of extracting resource from URI with 'extract' flag, because it does \
             not seem to be an archive: {value}"
        );
    }
    Ok(path)
}
