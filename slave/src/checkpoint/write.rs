//! The steps that put each thing on the disk. Called by the handlers and by the manager of status
//! updates, which hand them to `disk`. Pure: nothing is written here.
//!
//! A file that is written anew is written beside its place and then named, so that whoever looks
//! finds the old one, the new one or none, and never a part. What belongs to tasks needs to outlive
//! the slave and not the host: `boot_id`, on the disk before anything else, says when it is out of
//! date. So names are waited for only where that would not help.
//!
//! Upstream: `state::checkpoint`, `paths::createSlaveDirectory`.

use std::path::{Path, PathBuf};

use libprocess::Upid;
use prost::Message;
use prost::bytes::{Bytes, BytesMut};
use proto::mesos::internal::status_update_record::Type;
use proto::mesos::internal::{StatusUpdate, StatusUpdateRecord, Task};
use proto::mesos::{ExecutorInfo, FrameworkInfo, Resource, SlaveInfo};
use stout::Uuid;

use crate::checkpoint::record;
use crate::paths::{
    EXECUTOR_INFO, FORKED_PID, FORKED_STARTED, FRAMEWORK_INFO, FRAMEWORK_PID, HTTP_MARKER, LATEST,
    LIBPROCESS_PID, SENTINEL, SLAVE_INFO, TASK_INFO, TASK_UPDATES, WorkDir,
};
use crate::storage::Step;

/// Which boot of the host the rest belongs to.
pub(crate) fn boot_id(meta: &WorkDir, boot_id: &str) -> Vec<Step> {
    let mut steps = file(meta.boot_id(), Bytes::copy_from_slice(boot_id.as_bytes()));
    steps.push(Step::SyncDirectory(meta.0.clone()));
    steps
}

/// Reservations and volumes, which outlive the boot.
pub(crate) fn resources(meta: &WorkDir, resources: &[Resource]) -> Vec<Step> {
    let mut content = BytesMut::new();
    resources.iter().for_each(|resource| record::put(&mut content, resource));
    let path = meta.resources_info();
    let mut steps = file(path.clone(), content.freeze());
    steps.extend(path.parent().map(|folder| Step::SyncDirectory(folder.to_owned())));
    steps.push(Step::SyncDirectory(meta.0.clone()));
    steps
}

/// A persistent volume, which may be there already.
pub(crate) fn volume(path: PathBuf) -> Vec<Step> {
    vec![Step::MakeDirectory(path)]
}

/// The slave, which becomes the one to be recovered.
pub(crate) fn slave(meta: &WorkDir, directory: &Path, info: &SlaveInfo) -> Vec<Step> {
    let mut steps = message(directory.join(SLAVE_INFO), info);
    steps.extend(latest(directory, meta.latest_slave()));
    steps
}

/// No slave is to be recovered.
pub(crate) fn no_slave(meta: &WorkDir) -> Vec<Step> {
    vec![Step::Remove(meta.latest_slave())]
}

/// A framework; its directory is that below `meta`, as below.
pub(crate) fn framework(directory: &Path, info: &FrameworkInfo, pid: Option<&Upid>) -> Vec<Step> {
    let mut steps = message(directory.join(FRAMEWORK_INFO), info);
    steps.extend(framework_pid(directory, pid));
    steps
}

/// Where a framework's scheduler is.
pub(crate) fn framework_pid(directory: &Path, pid: Option<&Upid>) -> Vec<Step> {
    let pid = pid.cloned().unwrap_or_else(Upid::empty);
    text(directory.join(FRAMEWORK_PID), pid.to_string())
}

/// An executor and the run that is about to begin.
pub(crate) fn executor(directory: &Path, run: &Path, info: &ExecutorInfo) -> Vec<Step> {
    let mut steps = message(directory.join(EXECUTOR_INFO), info);
    steps.push(Step::MakeDirectory(run.to_owned()));
    steps.extend(latest(run, run.with_file_name(LATEST)));
    steps
}

/// The first process of a run. Its start comes first: a number without it might be anybody's.
pub(crate) fn forked_pid(run: &Path, pid: i32, started: u64) -> Vec<Step> {
    let mut steps = text(run.join(FORKED_STARTED), started.to_string());
    steps.extend(text(run.join(FORKED_PID), pid.to_string()));
    steps
}

/// Where the executor of a run is.
pub(crate) fn libprocess_pid(run: &Path, pid: &Upid) -> Vec<Step> {
    text(run.join(LIBPROCESS_PID), pid.to_string())
}

/// The executor of a run speaks HTTP.
pub(crate) fn http_marker(run: &Path) -> Vec<Step> {
    vec![Step::Append { path: run.join(HTTP_MARKER), content: Bytes::new() }]
}

/// The run has ended, and all that it did is acknowledged.
pub(crate) fn sentinel(run: &Path) -> Vec<Step> {
    vec![Step::Append { path: run.join(SENTINEL), content: Bytes::new() }]
}

/// A task that its executor is about to get.
pub(crate) fn task(directory: &Path, task: &Task) -> Vec<Step> {
    message(directory.join(TASK_INFO), task)
}

/// An update of a task.
pub(crate) fn update(task: &Path, update: &StatusUpdate) -> Vec<Step> {
    let update = StatusUpdate { latest_state: None, ..update.clone() };
    let kind = Type::Update.into();
    record(task, &StatusUpdateRecord { r#type: kind, update: Some(update), uuid: None })
}

/// The acknowledgement of an update of a task.
pub(crate) fn acknowledgement(task: &Path, uuid: Uuid) -> Vec<Step> {
    let uuid = Some(Bytes::copy_from_slice(uuid.as_bytes()));
    record(task, &StatusUpdateRecord { r#type: Type::Ack.into(), update: None, uuid })
}

fn record(task: &Path, record: &StatusUpdateRecord) -> Vec<Step> {
    let append = Step::Append { path: task.join(TASK_UPDATES), content: framed(record) };
    vec![Step::MakeDirectory(task.to_owned()), append]
}

fn message<M: Message>(path: PathBuf, message: &M) -> Vec<Step> {
    file(path, framed(message))
}

fn text(path: PathBuf, text: String) -> Vec<Step> {
    file(path, text.into())
}

fn framed<M: Message>(message: &M) -> Bytes {
    let mut content = BytesMut::new();
    record::put(&mut content, message);
    content.freeze()
}

/// A whole file.
fn file(path: PathBuf, content: Bytes) -> Vec<Step> {
    let beside = path.with_added_extension("new");
    let folder = path.parent().map(|folder| Step::MakeDirectory(folder.to_owned()));
    let write = Step::Write { path: beside.clone(), content };
    folder.into_iter().chain([write, Step::Rename { from: beside, to: path }]).collect()
}

/// A link to a directory, which is made within that directory: beside `link`, a second name would
/// be taken for another run.
fn latest(directory: &Path, link: PathBuf) -> [Step; 2] {
    let beside = directory.join(LATEST);
    [
        Step::Link { path: beside.clone(), target: directory.to_owned() },
        Step::Rename { from: beside, to: link },
    ]
}
