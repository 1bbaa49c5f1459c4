//! Reads what is below `meta` back. Blocks on the disk; called once, when the slave starts.
//!
//! A slave may have ended between any two writes, and the host with it. So what is missing, or
//! empty, was not written yet, and is passed over with all that would have come after it. What is
//! there and cannot be read is an error: the first one ends it if `strict`, and else they are
//! collected. Of what only ever grows, the last record may be half there; it is cut off.
//!
//! Upstream: `state::recover` and the `recover` of each part.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use common::ids::{ContainerId, ExecutorId, FrameworkId, SlaveId, TaskId};
use libprocess::Upid;
use libprocess::os::describe;
use prost::Name;
use prost::bytes::Bytes;
use proto::mesos::Resource;
use proto::mesos::internal::StatusUpdateRecord;
use proto::mesos::internal::status_update_record::Type;
use stout::uuid::{self, UuidError};
use tracing::{info, warn};

use crate::checkpoint::record::{RecordError, Records};
use crate::checkpoint::recovered::{
    Forked, Recovered, RecoveredExecutor, RecoveredFramework, RecoveredRun, RecoveredSlave,
    RecoveredTask,
};
use crate::paths::{
    EXECUTOR_INFO, EXECUTORS, FORKED_PID, FORKED_STARTED, FRAMEWORK_INFO, FRAMEWORK_PID,
    FRAMEWORKS, HTTP_MARKER, LATEST, LIBPROCESS_PID, RUNS, SENTINEL, SLAVE_INFO, TASK_INFO,
    TASK_UPDATES, TASKS, WorkDir,
};
use crate::state::connection::Connection;

/// What is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The system does not let us.
    #[error("Failed to read '{}': {why}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A message, or what should be one.
    #[error("Failed to read '{}': {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RecordError,
    },
    /// A number, or what should be one.
    #[error("Failed to parse '{text}' of '{}'", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// What is in it.
        text: String,
    },
    /// A record of an update or an acknowledgement, without it.
    #[error("Failed to read '{}': a record is not complete", .0.display())]
    Update(PathBuf),
    /// An acknowledgement of something that is no update.
    #[error("Failed to read '{}': {source}", path.display())]
    Uuid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UuidError,
    },
}

type Read<T> = Result<T, ReadError>;

/// Reads what is below `meta`. `boot_id` is that of the host as it runs now.
///
/// # Errors
/// The first thing that cannot be read, if `strict`.
pub(crate) fn recover(meta: &WorkDir, boot_id: &str, strict: bool) -> Read<Recovered> {
    let mut reader = Reader { strict, errors: Vec::new() };
    let mut recovered = Recovered::default();
    if meta.0.is_dir() {
        recovered.resources = reader.resources(&meta.resources_info())?;
        recovered.slave = reader.latest_slave(meta, boot_id)?;
    }
    recovered.errors = reader.errors;
    Ok(recovered)
}

struct Reader {
    strict: bool,
    errors: Vec<ReadError>,
}

impl Reader {
    /// Passes over what cannot be read, unless that is the end.
    fn tolerate<T>(&mut self, outcome: Read<T>) -> Read<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.strict => Err(error),
            Err(error) => {
                warn!("{error}");
                self.errors.push(error);
                Ok(None)
            }
        }
    }

    fn resources(&mut self, path: &Path) -> Read<Vec<Resource>> {
        let Some(content) = content(path)? else {
            info!("No checkpointed resources found at '{}'", path.display());
            return Ok(Vec::new());
        };
        let mut resources = Vec::new();
        let records = grown(path, content, |resource| {
            resources.push(resource);
            Ok(())
        });
        self.tolerate(records)?;
        Ok(resources)
    }

    fn latest_slave(&mut self, meta: &WorkDir, boot_id: &str) -> Read<Option<RecoveredSlave>> {
        if let Some(found) = text(&meta.boot_id())?
            && found != boot_id
        {
            info!("Slave host rebooted");
            return Ok(None);
        }
        let Some(id) = target(&meta.latest_slave())? else {
            info!("Failed to find the latest slave from '{}'", meta.0.display());
            return Ok(None);
        };
        self.slave(&meta.slaves().join(&id), SlaveId::from(id))
    }

    fn slave(&mut self, directory: &Path, id: SlaveId) -> Read<Option<RecoveredSlave>> {
        let Some(info) = self.message(directory.join(SLAVE_INFO))? else { return Ok(None) };
        let mut slave = RecoveredSlave { id, info, frameworks: Default::default() };
        for name in names(&directory.join(FRAMEWORKS))? {
            let directory = directory.join(FRAMEWORKS).join(&name);
            if let Some(framework) = self.framework(&directory)? {
                slave.frameworks.insert(FrameworkId::from(name), framework);
            }
        }
        Ok(Some(slave))
    }

    fn framework(&mut self, directory: &Path) -> Read<Option<RecoveredFramework>> {
        let Some(info) = self.message(directory.join(FRAMEWORK_INFO))? else { return Ok(None) };
        let mut framework = RecoveredFramework { info, pid: None, executors: Default::default() };
        // The pid comes after the framework, and before its first executor.
        let Some(pid) = expected(&directory.join(FRAMEWORK_PID), text)? else {
            return Ok(Some(framework));
        };
        framework.pid = pid.parse().ok().filter(|pid: &Upid| !pid.is_empty());
        for name in names(&directory.join(EXECUTORS))? {
            let executor = self.executor(&directory.join(EXECUTORS).join(&name))?;
            framework.executors.insert(ExecutorId::from(name), executor);
        }
        Ok(Some(framework))
    }

    fn executor(&mut self, directory: &Path) -> Read<RecoveredExecutor> {
        let runs = directory.join(RUNS);
        let mut executor = RecoveredExecutor::default();
        for name in names(&runs)? {
            if name == LATEST {
                executor.latest = target(&runs.join(LATEST))?.map(ContainerId::from);
                continue;
            }
            let run = self.run(&runs.join(&name))?;
            executor.runs.insert(ContainerId::from(name), run);
        }
        if executor.latest.is_none() {
            warn!("Failed to find the latest run of executor '{}'", directory.display());
            return Ok(executor);
        }
        executor.info = self.message(directory.join(EXECUTOR_INFO))?;
        Ok(executor)
    }

    fn run(&mut self, directory: &Path) -> Read<RecoveredRun> {
        let mut run =
            RecoveredRun { completed: directory.join(SENTINEL).exists(), ..Default::default() };
        for name in names(&directory.join(TASKS))? {
            let task = self.task(directory.join(TASKS).join(&name))?;
            run.tasks.insert(TaskId::from(name), task);
        }
        let Some(pid) = expected(&directory.join(FORKED_PID), number)? else { return Ok(run) };
        run.forked = Some(Forked { pid, started: number(&directory.join(FORKED_STARTED))? });
        let pid = text(&directory.join(LIBPROCESS_PID))?;
        run.connection = match pid.and_then(|pid| pid.parse().ok()) {
            Some(pid) => Connection::Pid(pid),
            None if directory.join(HTTP_MARKER).exists() => Connection::Awaited,
            None => Connection::Unknown,
        };
        if run.connection == Connection::Unknown {
            let missing = directory.display();
            warn!("Failed to find executor libprocess pid/http marker file in '{missing}'");
        }
        Ok(run)
    }

    fn task(&mut self, directory: PathBuf) -> Read<RecoveredTask> {
        let path = directory.join(TASK_UPDATES);
        let info = self.message(directory.join(TASK_INFO))?;
        let mut task = RecoveredTask { info, directory, ..RecoveredTask::default() };
        if task.info.is_none() {
            return Ok(task);
        }
        let Some(content) = expected(&path, content)? else { return Ok(task) };
        let records = grown(&path, content, |record| add(&mut task, record, &path));
        self.tolerate(records)?;
        Ok(task)
    }

    /// The one message of a file; `None` if it was not written yet, or cannot be read.
    fn message<M: Name + Default>(&mut self, path: PathBuf) -> Read<Option<M>> {
        let read = |path: &Path| {
            let Some(content) = content(path)? else { return Ok(None) };
            let message = Records::new(content).next();
            message.map_err(|source| ReadError::Record { path: path.to_owned(), source })
        };
        Ok(self.tolerate(expected(&path, read))?.flatten())
    }
}

fn add(task: &mut RecoveredTask, record: StatusUpdateRecord, path: &Path) -> Read<()> {
    let incomplete = || ReadError::Update(path.to_owned());
    match record.r#type() {
        Type::Update => task.updates.push(record.update.ok_or_else(incomplete)?),
        Type::Ack => {
            let uuid = uuid::from_bytes(&record.uuid.ok_or_else(incomplete)?);
            let uuid = uuid.map_err(|source| ReadError::Uuid { path: path.to_owned(), source })?;
            task.acknowledged.insert(uuid);
        }
    }
    Ok(())
}

/// Gives the messages of a file that has grown one by one, and cuts off the last one if it is not
/// whole.
fn grown<M: Name + Default>(
    path: &Path,
    content: Bytes,
    mut take: impl FnMut(M) -> Read<()>,
) -> Read<()> {
    let length = content.len();
    let mut records = Records::new(content);
    loop {
        match records.next() {
            Ok(Some(message)) => take(message)?,
            Ok(None) => break,
            Err(RecordError::Truncated { .. } | RecordError::TruncatedLength) => break,
            Err(source) => return Err(ReadError::Record { path: path.to_owned(), source }),
        }
    }
    if records.taken() == length {
        return Ok(());
    }
    warn!("Truncating '{}' from {length} to {} bytes", path.display(), records.taken());
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(records.taken() as u64)?;
        file.sync_all()
    });
    cut.map_err(|error| unreadable(path, &error))
}

/// Reads what should be there, and says so if it is not.
fn expected<T>(path: &Path, read: impl Fn(&Path) -> Read<Option<T>>) -> Read<Option<T>> {
    let found = read(path)?;
    if found.is_none() {
        warn!("Failed to find '{}', or found it empty", path.display());
    }
    Ok(found)
}

/// The content of a file; `None` if there is none, or nothing in it.
fn content(path: &Path) -> Read<Option<Bytes>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(Bytes::from(content)).filter(|content| !content.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn text(path: &Path) -> Read<Option<String>> {
    Ok(content(path)?.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

fn number<N: std::str::FromStr>(path: &Path) -> Read<Option<N>> {
    let Some(text) = text(path)? else { return Ok(None) };
    let number = text.trim().parse();
    number.map(Some).map_err(|_| ReadError::Number { path: path.to_owned(), text })
}

/// The last name of what a link leads to: links are absolute, and a directory may have been moved.
fn target(link: &Path) -> Read<Option<String>> {
    match fs::read_link(link) {
        Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(link, &error)),
    }
}

/// The names in a directory, in order; none if there is no such directory.
fn names(directory: &Path) -> Read<BTreeSet<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(unreadable(directory, &error)),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(|error| unreadable(directory, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> ReadError {
    ReadError::Io { path: path.to_owned(), why: describe(error) }
}

#[cfg(test)]
mod tests;
