//! A work directory, orders to launch, isolators that do as they are told, and pipes on which
//! containers report.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use common::ids::ContainerId;
use common::resources::Resources;
use containerizer::config::{Clock, Config};
use containerizer::isolators::{Isolation, Isolator, IsolatorError};
use containerizer::mesos::MesosContainerizer;
use containerizer::{Containerizer, LaunchSpec};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use nix::sys::stat::Mode;
use parking_lot::Mutex;
use proto::mesos::slave::{ContainerConfig, ContainerLaunchInfo, ContainerLimitation};
use proto::mesos::{CommandInfo, ExecutorId, ExecutorInfo, FrameworkId};
use tempfile::TempDir;

/// Where a test's containers live.
pub(crate) struct Host {
    directory: TempDir,
}

impl Host {
    pub(crate) fn new() -> Host {
        Host { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Settings with the programs under test and a small environment.
    pub(crate) fn config(&self) -> Config {
        let program = Path::new(env!("CARGO_BIN_EXE_mesos-containerizer"));
        Config {
            launcher_dir: program.parent().unwrap().to_owned(),
            work_dir: self.path().to_owned(),
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            clock: Clock(Arc::new(SystemTime::now)),
            ..Config::default()
        }
    }

    pub(crate) fn containerizer(&self) -> MesosContainerizer {
        MesosContainerizer::new(self.config()).unwrap()
    }

    /// A containerizer with the launcher that it would have, and with these isolators.
    pub(crate) fn with_isolators(&self, isolators: Vec<Arc<dyn Isolator>>) -> MesosContainerizer {
        MesosContainerizer::with(self.config(), containerizer::launcher::posix(), isolators)
    }

    /// A sandbox of its own for each name.
    pub(crate) fn sandbox(&self, name: &str) -> PathBuf {
        let sandbox = self.path().join(name);
        fs::create_dir_all(&sandbox).unwrap();
        sandbox
    }

    /// An order to run `command` in container `name`.
    pub(crate) fn spec(&self, name: &str, command: CommandInfo) -> LaunchSpec {
        LaunchSpec {
            container_id: name.into(),
            task_info: None,
            executor_info: ExecutorInfo {
                executor_id: ExecutorId { value: "executor".into() },
                framework_id: Some(FrameworkId { value: "framework".into() }),
                command: Some(command),
                ..ExecutorInfo::default()
            },
            directory: self.sandbox(name),
            user: None,
            slave_id: "slave".into(),
            slave_pid: "slave(1)@127.0.0.1:5051".into(),
            cause: None,
            checkpoint: None,
        }
    }

    /// A pipe in the container's sandbox, on which the container reports.
    pub(crate) fn reports(&self, name: &str) -> Reports {
        let path = self.sandbox(name).join("reports");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO).unwrap();
        Reports(path)
    }

    pub(crate) fn read(&self, name: &str, file: &str) -> String {
        fs::read_to_string(self.path().join(name).join(file)).unwrap()
    }
}

/// A named pipe that a container writes lines to.
pub(crate) struct Reports(PathBuf);

impl Reports {
    /// Waits for so many lines.
    pub(crate) async fn lines(&self, count: usize) -> Vec<String> {
        let path = self.0.clone();
        let read = move || {
            let pipe = BufReader::new(fs::File::open(path).unwrap());
            pipe.lines().take(count).map(Result::unwrap).collect::<Vec<_>>()
        };
        let lines = tokio::task::spawn_blocking(read).await.unwrap();
        assert_eq!(lines.len(), count, "the container ended early: {lines:?}");
        lines
    }

    /// Waits for so many process numbers.
    pub(crate) async fn pids(&self, count: usize) -> Vec<i32> {
        self.lines(count).await.iter().map(|line| line.trim().parse().unwrap()).collect()
    }
}

/// A command for the shell.
pub(crate) fn shell(command: &str) -> CommandInfo {
    CommandInfo { value: Some(command.into()), ..CommandInfo::default() }
}

/// Whether a process runs: a zombie does not.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Waits for the end of a container and says what its message was.
pub(crate) async fn message_of_end(containerizer: &MesosContainerizer, id: &str) -> String {
    let termination = containerizer.wait(&id.into()).await.unwrap();
    termination.message.unwrap()
}

/// An isolator that keeps a record and does what a test wants.
#[derive(Default)]
pub(crate) struct TestIsolator {
    pub(crate) calls: Mutex<Vec<String>>,
    /// What `prepare` gives.
    pub(crate) preparation: ContainerLaunchInfo,
    /// What `prepare` waits for.
    pub(crate) prepared: Mutex<Option<BoxFuture<'static, ()>>>,
    /// What `isolate` waits for.
    pub(crate) isolated: Mutex<Option<BoxFuture<'static, ()>>>,
    /// What `watch` gives.
    pub(crate) limit: Mutex<Option<BoxFuture<'static, ContainerLimitation>>>,
    /// Whether `cleanup` fails.
    pub(crate) fails_to_clean_up: bool,
}

impl TestIsolator {
    fn note(&self, call: &str) {
        self.calls.lock().push(call.to_owned());
    }
}

fn after<T: Send + 'static>(
    gate: Option<BoxFuture<'static, ()>>,
    value: Result<T, IsolatorError>,
) -> Isolation<T> {
    gate.unwrap_or_else(|| future::ready(()).boxed()).map(|()| value).boxed()
}

impl Isolator for TestIsolator {
    fn prepare(&self, _: &ContainerId, _: &ContainerConfig) -> Isolation<ContainerLaunchInfo> {
        self.note("prepare");
        after(self.prepared.lock().take(), Ok(self.preparation.clone()))
    }

    fn isolate(&self, _: &ContainerId, _: i32) -> Isolation<()> {
        self.note("isolate");
        after(self.isolated.lock().take(), Ok(()))
    }

    fn watch(&self, _: &ContainerId) -> BoxFuture<'static, ContainerLimitation> {
        self.limit.lock().take().unwrap_or_else(|| future::pending().boxed())
    }

    fn update(&self, _: &ContainerId, resources: &Resources) -> Isolation<()> {
        self.note(&format!("update {resources}"));
        after(None, Ok(()))
    }

    fn cleanup(&self, id: &ContainerId) -> Isolation<()> {
        self.note("cleanup");
        after(
            None,
            match self.fails_to_clean_up {
                true => Err(IsolatorError::UnknownContainer(id.clone())),
                false => Ok(()),
            },
        )
    }
}
