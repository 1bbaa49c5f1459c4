//! Tasks and their parts in a line.
//! Called by cluster tests.

use common::resources::Resources;
use proto::mesos::{CommandInfo, ExecutorInfo, Offer, Resource, TaskInfo};

/// Resources from their text, such as `cpus:1;mem:64`.
pub fn resources(text: &str) -> Vec<Resource> {
    text.parse::<Resources>().expect("well-formed resources").to_messages()
}

/// A task that runs `command` in a shell, on the slave of `offer`.
pub fn command_task(id: &str, offer: &Offer, command: &str) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: id.into_id(),
        slave_id: offer.slave_id.clone(),
        resources: resources("cpus:0.1;mem:32"),
        command: Some(shell(command)),
        ..TaskInfo::default()
    }
}

/// A command for a shell.
pub fn shell(command: &str) -> CommandInfo {
    CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }
}

/// A task for the executor `executor`, which runs `command` in a shell.
pub fn executor_task(id: &str, offer: &Offer, executor: &str, command: &str) -> TaskInfo {
    TaskInfo {
        command: None,
        executor: Some(ExecutorInfo {
            executor_id: executor.into_id(),
            command: Some(shell(command)),
            resources: resources("cpus:0.1;mem:32"),
            ..ExecutorInfo::default()
        }),
        ..command_task(id, offer, "")
    }
}

/// A text as one of the id messages.
pub trait IntoId<T> {
    /// The id.
    fn into_id(self) -> T;
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl IntoId<proto::mesos::$id> for &str {
            fn into_id(self) -> proto::mesos::$id {
                proto::mesos::$id { value: self.to_owned() }
            }
        }
    )*};
}

ids!(TaskId, ExecutorId, FrameworkId, SlaveId, OfferId);
