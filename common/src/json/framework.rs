//! What frameworks bring, as both daemons print it: executors, commands, labels.
//! Upstream: `model` and `json` of ExecutorInfo, CommandInfo and Labels in `common/http.cpp`.

use proto::mesos::command_info::Uri;
use proto::mesos::environment::Variable;
use proto::mesos::{CommandInfo, ExecutorInfo, Label, Labels};
use stout::json::{Object, Slot, ToJson};

use super::shown::Shown;
use crate::resources::Resources;

impl ToJson for Shown<'_, ExecutorInfo> {
    fn to_json(&self, slot: Slot<'_>) {
        self.form.object(slot, |object| self.write_fields(object));
    }
}

impl Shown<'_, ExecutorInfo> {
    /// The fields alone, for those who add some.
    pub fn write_fields(&self, object: &mut Object<'_>) {
        let executor = self.value;
        let framework_id = executor.framework_id.as_ref().map_or("", |id| id.value.as_str());
        let no_command = CommandInfo::default();
        let command = executor.command.as_ref().unwrap_or(&no_command);
        object.field("executor_id", &executor.executor_id.value);
        object.field("name", executor.name());
        object.field("framework_id", framework_id);
        object.field("command", self.form.show(command));
        object.field("resources", self.form.show(&Resources::from(&executor.resources)));
    }
}

impl ToJson for Shown<'_, CommandInfo> {
    fn to_json(&self, slot: Slot<'_>) {
        let command = self.value;
        self.form.object(slot, |object| {
            if let Some(shell) = command.shell {
                object.field("shell", shell);
            }
            if let Some(value) = &command.value {
                object.field("value", value);
            }
            object.field("argv", &command.arguments);
            if let Some(environment) = &command.environment {
                object.object("environment", |object| {
                    self.form.list(object, "variables", &environment.variables);
                });
            }
            self.form.list(object, "uris", &command.uris);
        });
    }
}

impl ToJson for Shown<'_, Variable> {
    fn to_json(&self, slot: Slot<'_>) {
        self.form.object(slot, |object| {
            object.field("name", &self.value.name);
            object.field("value", self.value.value());
        });
    }
}

impl ToJson for Shown<'_, Uri> {
    fn to_json(&self, slot: Slot<'_>) {
        self.form.object(slot, |object| {
            object.field("value", &self.value.value);
            object.field("executable", self.value.executable());
        });
    }
}

impl ToJson for Shown<'_, Labels> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.array(|array| {
            for label in &self.value.labels {
                array.element(self.form.show(label));
            }
        });
    }
}

impl ToJson for Shown<'_, Label> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.object(|object| {
            object.field("key", &self.value.key);
            if let Some(value) = &self.value.value {
                object.field("value", value);
            }
        });
    }
}
