//! The executor that a slave makes for a task that is a mere command.
//! Called when the task is launched. Pure.
//! Upstream: `Slave::getExecutorInfo`.

use common::resources::Resources;
use proto::mesos::{
    CommandInfo, ContainerInfo, ExecutorInfo, FrameworkInfo, TaskInfo, container_info,
};

use crate::config::Config;
use crate::constants::{DEFAULT_EXECUTOR_CPUS, DEFAULT_EXECUTOR_MEM};
use crate::state::executor::ExecutorKind;

/// The program of the executor, without its folder.
const PROGRAM: &str = "mesos-executor";

/// A command longer than this is shortened in the executor's name.
const COMMAND_CHARS_MAX: usize = 15;

/// What is left of it then.
const COMMAND_CHARS_SHOWN: usize = 12;

/// The executor for a command task. It gets the resources that it needs for itself on top of the
/// task's.
pub(crate) fn executor_info(
    config: &Config,
    framework: &FrameworkInfo,
    task: &TaskInfo,
) -> ExecutorInfo {
    let no_command = CommandInfo::default();
    let command = task.command.as_ref().unwrap_or(&no_command);
    let has_image = task.container.as_ref().is_some_and(has_image);
    let task_id = &task.task_id.value;
    ExecutorInfo {
        executor_id: common::ids::ExecutorId::from(task_id.as_str()).into(),
        framework_id: framework.id.clone(),
        command: Some(CommandInfo {
            uris: command.uris.clone(),
            environment: command.environment.clone(),
            // The executor itself changes to the image, and needs root for it.
            user: if has_image { Some("root".to_owned()) } else { command.user.clone() },
            ..invocation(config, framework, command, has_image)
        }),
        container: task.container.clone().map(without_image),
        resources: resources().to_messages(),
        name: Some(format!("{} {}", name(task_id), summary(command))),
        source: Some(task_id.clone()),
        ..ExecutorInfo::default()
    }
}

/// Whether we made an executor that an earlier run of the slave has left. Its name and source are
/// looked at, since its program may have moved.
pub(crate) fn kind_of(info: &ExecutorInfo) -> ExecutorKind {
    let id = &info.executor_id.value;
    let is_ours = info.source.as_ref() == Some(id) && info.name().starts_with(&name(id));
    if is_ours { ExecutorKind::Command } else { ExecutorKind::Custom }
}

fn name(task_id: &str) -> String {
    format!("Command Executor (Task: {task_id})")
}

/// How the program is started.
fn invocation(
    config: &Config,
    framework: &FrameworkInfo,
    task: &CommandInfo,
    has_image: bool,
) -> CommandInfo {
    let path = match config.launcher_dir.join(PROGRAM).canonicalize() {
        Ok(path) => path,
        Err(error) => return complaint(&error),
    };
    let value = Some(path.display().to_string());
    if !has_image {
        return CommandInfo { shell: Some(true), value, ..CommandInfo::default() };
    }
    let mut arguments =
        vec![PROGRAM.to_owned(), format!("--sandbox_directory={}", config.sandbox_directory)];
    if config.switch_user {
        let user = task.user.as_ref().unwrap_or(&framework.user);
        arguments.push(format!("--user={user}"));
    }
    CommandInfo { shell: Some(false), value, arguments, ..CommandInfo::default() }
}

/// A command that says in the task's output why there is no executor.
fn complaint(error: &std::io::Error) -> CommandInfo {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        kind => kind.to_string(),
    };
    let value = Some(format!("echo '{why}'; exit 1"));
    CommandInfo { shell: Some(true), value, ..CommandInfo::default() }
}

fn has_image(container: &ContainerInfo) -> bool {
    container.r#type() == container_info::Type::Mesos
        && container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some())
}

fn without_image(mut container: ContainerInfo) -> ContainerInfo {
    if container.r#type() == container_info::Type::Mesos
        && let Some(mesos) = &mut container.mesos
    {
        mesos.image = None;
    }
    container
}

/// `(Command: sh -c 'sleep 10')`, `(Command: [/bin/echo, h...])`.
fn summary(command: &CommandInfo) -> String {
    let shortened = |text: &str, end: &str| match text.len() > COMMAND_CHARS_MAX {
        true => {
            let shown: String = text.chars().take(COMMAND_CHARS_SHOWN).collect();
            format!("{shown}...{end}")
        }
        false => format!("{text}{end}"),
    };
    match (command.shell(), &command.value) {
        (true, None) => "(Command: NO COMMAND)".to_owned(),
        (true, Some(value)) => format!("(Command: sh -c '{}", shortened(value, "')")),
        (false, None) => "(Command: NO EXECUTABLE)".to_owned(),
        (false, Some(value)) => {
            // COMPAT: a comma follows the value, arguments or not (`Slave::getExecutorInfo`); held
            // by `command_executor::tests::names_show_the_beginning_of_the_command`.
            let arguments = command.arguments.join(", ");
            format!("(Command: [{}", shortened(&format!("{value}, {arguments}"), "])"))
        }
    }
}

fn resources() -> Resources {
    let text = format!("cpus:{DEFAULT_EXECUTOR_CPUS};mem:{DEFAULT_EXECUTOR_MEM}");
    text.parse().expect("two scalars are resources")
}

#[cfg(test)]
mod tests;
