//! The work directory, drawn as a tree. Asked by the handlers for paths; the only place that knows
//! the tree. Ids are checked before they come here (`refusal::InvalidTask`), so that none leads out
//! of it; here they are only joined.
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
//! └── meta                                                what an earlier run has left
//!     └── slaves
//!         └── latest
//! ```
//!
//! Upstream: `slave/paths.{hpp,cpp}`.

use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use common::ids::{ExecutorId, FrameworkId, SlaveId};

use crate::state::executor::Run;

const LATEST: &str = "latest";

/// Where a slave keeps its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkDir(pub(crate) PathBuf);

impl WorkDir {
    /// What the next run of a slave would recover.
    pub(crate) fn meta(&self) -> PathBuf {
        self.0.join("meta")
    }

    /// The link to the slave that would be recovered.
    pub(crate) fn latest_slave(&self) -> PathBuf {
        self.meta().join("slaves").join(LATEST)
    }

    pub(crate) fn framework(&self, slave_id: &SlaveId, framework_id: &FrameworkId) -> PathBuf {
        let slave = self.0.join("slaves").join(slave_id.as_str());
        slave.join("frameworks").join(framework_id.as_str())
    }

    pub(crate) fn executor(
        &self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> PathBuf {
        self.framework(slave_id, framework_id).join("executors").join(executor_id.as_str())
    }

    /// The sandbox.
    pub(crate) fn run(&self, slave_id: &SlaveId, run: &Run) -> PathBuf {
        let executor = self.executor(slave_id, &run.framework_id, &run.executor_id);
        executor.join("runs").join(run.container_id.as_str())
    }
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
        check(work_dir.latest_slave(), "/w/meta/slaves/latest");
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
