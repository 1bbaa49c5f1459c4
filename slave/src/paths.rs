//! The work directory, drawn as a tree. Asked by the handlers and by `checkpoint` for paths; the
//! only place that knows the tree. Ids are checked before they come here (`refusal::InvalidTask`),
//! so that none leads out of it; here they are only joined.
//!
//! ```text
//! <work_dir>
//! ├── slaves
//! │   └── <slave id>
//! │       └── frameworks
//! │           └── <framework id>
//! │               └── executors
//! │                   └── <executor id>
//! │                       └── runs
//! │                           ├── latest -> <container id>
//! │                           └── <container id>          the sandbox
//! ├── volumes
//! │   └── roles
//! │       └── <role>
//! │           └── <persistence id>                        a persistent volume; never removed
//! └── meta                                                what the next run of a slave recovers
//!     ├── boot_id
//!     ├── resources
//!     │   └── resources.info
//!     └── slaves
//!         ├── latest -> <slave id>
//!         └── <slave id>
//!             ├── slave.info
//!             └── frameworks
//!                 └── <framework id>
//!                     ├── framework.info
//!                     ├── framework.pid
//!                     └── executors
//!                         └── <executor id>
//!                             ├── executor.info
//!                             └── runs
//!                                 ├── latest -> <container id>
//!                                 └── <container id>
//!                                     ├── executor.sentinel   it has ended, all is acknowledged
//!                                     ├── http.marker         it speaks HTTP
//!                                     ├── pids
//!                                     │   ├── forked.pid
//!                                     │   ├── forked.started  see `FORKED_STARTED`
//!                                     │   └── libprocess.pid
//!                                     └── tasks
//!                                         └── <task id>
//!                                             ├── task.info
//!                                             └── task.updates
//! ```
//!
//! Upstream: `slave/paths.{hpp,cpp}`.

use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Component, Path, PathBuf};

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use proto::mesos::Resource;
use proto::mesos::resource::disk_info::source::Type;

use crate::state::executor::Run;

pub(crate) const LATEST: &str = "latest";
pub(crate) const SLAVES: &str = "slaves";
pub(crate) const FRAMEWORKS: &str = "frameworks";
pub(crate) const EXECUTORS: &str = "executors";
pub(crate) const RUNS: &str = "runs";
pub(crate) const TASKS: &str = "tasks";
pub(crate) const SLAVE_INFO: &str = "slave.info";
pub(crate) const FRAMEWORK_INFO: &str = "framework.info";
pub(crate) const FRAMEWORK_PID: &str = "framework.pid";
pub(crate) const EXECUTOR_INFO: &str = "executor.info";
pub(crate) const SENTINEL: &str = "executor.sentinel";
pub(crate) const HTTP_MARKER: &str = "http.marker";
pub(crate) const FORKED_PID: &str = "pids/forked.pid";
/// When the process of `forked.pid` started, in ticks since the host did, as `/proc` says it: a
/// later process of that number is another one. Upstream does not have it and does not mind it.
pub(crate) const FORKED_STARTED: &str = "pids/forked.started";
pub(crate) const LIBPROCESS_PID: &str = "pids/libprocess.pid";
pub(crate) const TASK_INFO: &str = "task.info";
pub(crate) const TASK_UPDATES: &str = "task.updates";

/// Where a slave keeps its things. The same tree of slaves, frameworks and executors is there
/// twice: once for sandboxes, and once below `meta` for what is recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkDir(pub(crate) PathBuf);

impl WorkDir {
    /// What the next run of a slave recovers.
    pub(crate) fn meta(&self) -> WorkDir {
        WorkDir(self.0.join("meta"))
    }

    /// Below `meta`: which boot of the host wrote what is here.
    pub(crate) fn boot_id(&self) -> PathBuf {
        self.0.join("boot_id")
    }

    /// Below `meta`: reservations and volumes.
    pub(crate) fn resources_info(&self) -> PathBuf {
        self.0.join("resources/resources.info")
    }

    pub(crate) fn slaves(&self) -> PathBuf {
        self.0.join(SLAVES)
    }

    /// Below `meta`: the link to the slave that is recovered.
    pub(crate) fn latest_slave(&self) -> PathBuf {
        self.slaves().join(LATEST)
    }

    pub(crate) fn slave(&self, slave_id: &SlaveId) -> PathBuf {
        self.slaves().join(slave_id.as_str())
    }

    pub(crate) fn framework(&self, slave_id: &SlaveId, framework_id: &FrameworkId) -> PathBuf {
        self.slave(slave_id).join(FRAMEWORKS).join(framework_id.as_str())
    }

    pub(crate) fn executor(
        &self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> PathBuf {
        self.framework(slave_id, framework_id).join(EXECUTORS).join(executor_id.as_str())
    }

    /// The sandbox; below `meta`, what is known of it.
    pub(crate) fn run(&self, slave_id: &SlaveId, run: &Run) -> PathBuf {
        let executor = self.executor(slave_id, &run.framework_id, &run.executor_id);
        executor.join(RUNS).join(run.container_id.as_str())
    }

    /// Where a persistent volume is; `None` if the resource is none. A disk of its own may have
    /// the same tree, or be the volume.
    ///
    /// # Errors
    /// If its role or id would lead elsewhere.
    pub(crate) fn persistent_volume(&self, volume: &Resource) -> Result<Option<PathBuf>, NotAName> {
        let disk = volume.disk.as_ref();
        let Some((disk, persistence)) =
            disk.and_then(|disk| Some((disk, disk.persistence.as_ref()?)))
        else {
            return Ok(None);
        };
        let source = disk.source.as_ref();
        let root = match source.map(|source| (source.r#type(), source)) {
            None => Some(self.0.clone()),
            Some((Type::Path, source)) => {
                source.path.as_ref().and_then(|path| path.root.as_ref()).map(PathBuf::from)
            }
            Some((Type::Mount, source)) => {
                let root = source.mount.as_ref().and_then(|mount| mount.root.as_ref());
                return Ok(root.map(PathBuf::from));
            }
            Some((Type::Unknown | Type::Block | Type::Raw, _)) => None,
        };
        let Some(root) = root else { return Ok(None) };
        let (role, id) = (name(volume.role())?, name(&persistence.id)?);
        Ok(Some(root.join("volumes/roles").join(role).join(id)))
    }
}

/// A text that would lead elsewhere than to a directory of its own.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a directory")]
pub(crate) struct NotAName(String);

fn name(text: &str) -> Result<&str, NotAName> {
    let is_name = Path::new(text).components().eq([Component::Normal(text.as_ref())]);
    if is_name { Ok(text) } else { Err(NotAName(text.to_owned())) }
}

/// Makes a sandbox and lets the link `latest` beside it lead to it. Blocks on the disk.
/// Upstream: `paths::createExecutorDirectory`.
pub(crate) fn create_sandbox(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o777).create(directory)?;
    let latest = directory.with_file_name(LATEST);
    match std::fs::remove_file(&latest) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(directory, &latest),
    }
}

#[cfg(test)]
mod tests {
    use proto::mesos::resource::DiskInfo;

    use super::*;

    fn run() -> Run {
        Run { framework_id: "f".into(), executor_id: "e".into(), container_id: "c".into() }
    }

    #[test]
    fn paths_test_executor() {
        let work_dir = WorkDir("/w".into());
        let (slave, framework, executor) = ("s".into(), "f".into(), "e".into());
        let check = |path: PathBuf, expected: &str| assert_eq!(path, Path::new(expected));
        check(work_dir.framework(&slave, &framework), "/w/slaves/s/frameworks/f");
        check(
            work_dir.executor(&slave, &framework, &executor),
            "/w/slaves/s/frameworks/f/executors/e",
        );
        check(work_dir.run(&slave, &run()), "/w/slaves/s/frameworks/f/executors/e/runs/c");
        check(work_dir.meta().latest_slave(), "/w/meta/slaves/latest");
        check(
            work_dir.meta().run(&slave, &run()),
            "/w/meta/slaves/s/frameworks/f/executors/e/runs/c",
        );
    }

    #[test]
    fn paths_test_persistent_volume() {
        use proto::mesos::resource::disk_info::source::{Mount, Path};
        use proto::mesos::resource::disk_info::{Persistence, Source};
        let work_dir = WorkDir("/w".into());
        let path = |role: &str, id: &str, source: Option<Source>| {
            let persistence = Some(Persistence { id: id.to_owned(), ..Default::default() });
            let disk = Some(DiskInfo { persistence, source, ..DiskInfo::default() });
            let role = Some(role.to_owned());
            work_dir.persistent_volume(&Resource { disk, role, ..Resource::default() }).ok()
        };
        let check = |path: Option<Option<PathBuf>>, expected: &str| {
            assert_eq!(path, Some(Some(expected.into())));
        };
        let root = Some("/mnt".to_owned());
        let path_source =
            Source { path: Some(Path { root: root.clone() }), ..source_of(Type::Path) };
        let mount = Source { mount: Some(Mount { root }), ..source_of(Type::Mount) };
        check(path("r", "id", None), "/w/volumes/roles/r/id");
        check(path("r", "id", Some(path_source)), "/mnt/volumes/roles/r/id");
        check(path("r", "id", Some(mount)), "/mnt");
        assert_eq!(path("r", "id", Some(source_of(Type::Path))), Some(None));
        for (role, id) in [("..", "id"), ("a/b", "id"), ("r", ".."), ("r", "../../x"), ("r", "")] {
            assert_eq!(path(role, id, None), None, "{role} {id}");
        }
        assert_eq!(work_dir.persistent_volume(&Resource::default()), Ok(None));
    }

    fn source_of(kind: Type) -> proto::mesos::resource::disk_info::Source {
        proto::mesos::resource::disk_info::Source { r#type: kind.into(), ..Default::default() }
    }

    #[test]
    fn paths_test_create_executor_directory() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir(folder.path().to_owned());
        for container in ["one", "two"] {
            let run = Run { container_id: container.into(), ..run() };
            let directory = work_dir.run(&"s".into(), &run);
            create_sandbox(&directory).unwrap();
            assert!(directory.is_dir());
            let latest = directory.with_file_name("latest");
            assert_eq!(std::fs::read_link(latest).unwrap(), directory);
        }
    }
}
