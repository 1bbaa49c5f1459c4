//! What the registry is kept in: memory, or the replicated log in the work directory. Called by
//! `daemon` before anything of the master runs.
//! Upstream: the part of `master/main.cpp` that makes `Storage`, `Log` and `State`.

use coordination::group::{Group, GroupError};
use coordination::log::{self, AutoInitialize, Log, Network};
use coordination::store::State;
use coordination::store::in_memory::InMemoryStorage;
use coordination::store::log::{LogStorage, ReplicatedLog};
use coordination::zookeeper::Url;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libprocess::Runtime;

use super::StartError;
use crate::config::{RegistryKind, registry_kind};
use crate::flags::RegistryFlags;

/// The folder of the log in the work directory.
const FOLDER: &str = "replicated_log";

/// The node below the masters' own where the replicas of the log meet.
const REPLICAS: &str = "log_replicas";

/// Patches between whole registries: none, since 0.20 does not read them.
const DIFFS_BETWEEN_SNAPSHOTS: usize = 0;

/// What is to be awaited besides: the loss of the other masters' replicas.
pub(super) type Expelled = BoxFuture<'static, GroupError>;

/// Opens what the registry is kept in.
pub(super) fn open(
    runtime: &Runtime,
    flags: &RegistryFlags,
) -> Result<(State, Option<Expelled>), StartError> {
    let work_dir = match registry_kind(flags)? {
        RegistryKind::InMemory => return Ok((State::new(InMemoryStorage::default()), None)),
        RegistryKind::ReplicatedLog { work_dir } => work_dir,
    };
    let failed = |error| StartError::WorkDir { path: work_dir.clone(), error };
    std::fs::create_dir_all(&work_dir).map_err(failed)?;
    // Alone, it is its own majority.
    let (mut network, mut quorum) = (Network::Alone, 1);
    if let Some(zk) = &flags.zk {
        let url = zk.parse::<Url>()?.below(REPLICAS);
        network = Network::Group(Group::new(runtime, &url, flags.zk_session_timeout));
        let wanted = flags.quorum.unwrap_or(1);
        quorum = usize::try_from(wanted).unwrap_or(usize::MAX);
    }
    let config = log::Config {
        quorum,
        path: work_dir.join(FOLDER),
        network,
        auto_initialize: match flags.log_auto_initialize {
            true => AutoInitialize::Yes,
            false => AutoInitialize::No,
        },
    };
    let log = Log::start(runtime, config)?;
    let expelled = flags.zk.is_some().then(|| log.expelled().boxed());
    let storage = LogStorage::new(runtime, ReplicatedLog::new(log), DIFFS_BETWEEN_SNAPSHOTS);
    Ok((State::new(storage), expelled))
}
