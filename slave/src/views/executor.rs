//! An executor and its tasks. Upstream: `model(const Executor&)`, `model(const TaskInfo&)`.

use common::json::Form;
use proto::mesos::TaskInfo;
use stout::json::{Slot, ToJson};

use crate::state::executor::Executor;

pub(crate) struct ExecutorView<'a>(pub(crate) &'a Executor);

impl ToJson for ExecutorView<'_> {
    fn to_json(&self, slot: Slot<'_>) {
        let ExecutorView(executor) = self;
        slot.sorted_object(|object| {
            object.field("id", executor.id().as_str());
            object.field("name", executor.info.name());
            object.field("source", executor.info.source());
            object.field("container", executor.run.container_id.as_str());
            object.field("directory", executor.directory.display().to_string());
            object.field("resources", Form::Sorted.show(executor.resources()));
            Form::Sorted.list(object, "tasks", executor.launched.values());
            object.array("queued_tasks", |array| {
                executor.queued.values().for_each(|task| array.element(QueuedTask(task)));
            });
            let ended = executor.completed.iter().chain(executor.terminated.values());
            Form::Sorted.list(object, "completed_tasks", ended);
        });
    }
}

/// A task that its executor has not got yet.
struct QueuedTask<'a>(&'a TaskInfo);

impl ToJson for QueuedTask<'_> {
    fn to_json(&self, slot: Slot<'_>) {
        let QueuedTask(task) = self;
        slot.sorted_object(|object| {
            object.field("id", &task.task_id.value);
            object.field("name", &task.name);
            object.field("slave_id", &task.slave_id.value);
            let resources = common::resources::Resources::from(&task.resources);
            object.field("resources", Form::Sorted.show(&resources));
            if let Some(command) = &task.command {
                object.field("command", Form::Sorted.show(command));
            }
            if let Some(executor) = &task.executor {
                object.field("executor_id", &executor.executor_id.value);
            }
            Form::Sorted.optional_protobuf(object, "discovery", &task.discovery);
        });
    }
}
