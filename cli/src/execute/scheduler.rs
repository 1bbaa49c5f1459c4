//! The scheduler of one command: takes the first offer that is large enough, declines all others,
//! and ends with the task. Called by the driver. What it prints is interface.
//!
//! Upstream: `CommandScheduler`.

use std::fmt::Arguments;
use std::io::{self, Write};

use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId};
use common::resources::Resources;
use common::task_state;
use proto::mesos::container_info::{DockerInfo, MesosInfo, Type as ContainerType};
use proto::mesos::environment::Variable;
use proto::mesos::image::{Docker, Type as ImageType};
use proto::mesos::{
    CommandInfo, ContainerInfo, Environment, Filters, Image, MasterInfo, Offer, TaskInfo,
    TaskStatus, command_info,
};
use sched::{Scheduler, SchedulerDriver};
use serde_json::Value;
use tracing::warn;

use crate::execute::flags::ExecuteFlags;

/// The role whose resources are everybody's.
const ANY_ROLE: &str = "*";

/// Why the task cannot be described.
#[derive(Debug, thiserror::Error)]
pub(super) enum TaskError {
    #[error("Failed to parse resources '{text}': {error}")]
    Resources { text: String, error: common::resources::ParseError },
    #[error("Unsupported containerizer: {0}")]
    Containerizer(String),
}

/// Runs one command.
pub(super) struct CommandScheduler {
    flags: ExecuteFlags,
    name: String,
    /// Where the package is.
    uri: Option<String>,
    launched: bool,
}

impl CommandScheduler {
    pub(super) fn new(flags: ExecuteFlags, name: String, uri: Option<String>) -> Self {
        Self { flags, name, uri, launched: false }
    }

    fn needs(&self) -> Result<Resources, TaskError> {
        let text = self.flags.resources.clone();
        Resources::parse(&text, ANY_ROLE).map_err(|error| TaskError::Resources { text, error })
    }

    fn task(&self, slave_id: &SlaveId, resources: &Resources) -> Result<TaskInfo, TaskError> {
        let mut task = TaskInfo {
            name: self.name.clone(),
            slave_id: slave_id.into(),
            resources: resources.to_messages(),
            command: Some(self.command()),
            container: self.container()?,
            ..TaskInfo::default()
        };
        task.task_id.value.clone_from(&self.name);
        Ok(task)
    }

    fn command(&self) -> CommandInfo {
        let uri = |value: &String| command_info::Uri {
            value: value.clone(),
            ..command_info::Uri::default()
        };
        CommandInfo {
            uris: self.uri.iter().map(uri).collect(),
            environment: self.flags.env.as_ref().map(|env| Environment {
                variables: env.iter().map(|(name, value)| variable(name, value)).collect(),
            }),
            shell: Some(self.flags.shell),
            value: self.flags.command.clone(),
            ..CommandInfo::default()
        }
    }

    fn container(&self) -> Result<Option<ContainerInfo>, TaskError> {
        let Some(name) = self.flags.docker_image.clone() else { return Ok(None) };
        let mut container = ContainerInfo::default();
        match &*self.flags.containerizer {
            "mesos" => {
                let docker = Some(Docker { name, ..Docker::default() });
                let mut image = Image { docker, ..Image::default() };
                image.set_type(ImageType::Docker);
                container.set_type(ContainerType::Mesos);
                container.mesos = Some(MesosInfo { image: Some(image) });
            }
            "docker" => {
                container.set_type(ContainerType::Docker);
                container.docker = Some(DockerInfo { image: name, ..DockerInfo::default() });
            }
            other => return Err(TaskError::Containerizer(other.to_owned())),
        }
        Ok(Some(container))
    }

    /// Launches the task on the first offer that is large enough, and declines the others.
    fn choose(&mut self, driver: &SchedulerDriver, offers: &[Offer]) -> Result<(), TaskError> {
        let needs = self.needs()?;
        for offer in offers {
            let offer_id = OfferId::from(&offer.id);
            let is_enough = Resources::from(&offer.resources[..]).contains(&needs);
            if self.launched || !is_enough {
                driver.decline_offer(&offer_id, Filters::default());
                continue;
            }
            let slave_id = SlaveId::from(&offer.slave_id);
            let task = self.task(&slave_id, &needs)?;
            driver.launch_tasks(&[offer_id], vec![task], Filters::default());
            say(format_args!("task {} submitted to slave {slave_id}", self.name));
            self.launched = true;
        }
        Ok(())
    }
}

/// A line on stdout, which may be gone: the task goes on all the same.
fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A text is the value itself; anything else is its JSON.
fn variable(name: &str, value: &Value) -> Variable {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Variable { name: name.to_owned(), value: Some(value), ..Variable::default() }
}

impl Scheduler for CommandScheduler {
    fn registered(&mut self, _: &SchedulerDriver, framework_id: FrameworkId, _: MasterInfo) {
        say(format_args!("Framework registered with {framework_id}"));
    }

    fn reregistered(&mut self, _: &SchedulerDriver, _: MasterInfo) {
        say(format_args!("Framework re-registered"));
    }

    fn disconnected(&mut self, _: &SchedulerDriver) {}

    fn resource_offers(&mut self, driver: &SchedulerDriver, offers: Vec<Offer>) {
        if let Err(error) = self.choose(driver, &offers) {
            let _ = writeln!(io::stderr(), "{error}");
            driver.abort();
        }
    }

    fn offer_rescinded(&mut self, _: &SchedulerDriver, _: OfferId) {}

    fn status_update(&mut self, driver: &SchedulerDriver, status: TaskStatus) {
        let task_id = &status.task_id.value;
        if *task_id != self.name {
            return warn!("Ignoring a status update for task {task_id}, which is not ours");
        }
        let state = status.state();
        say(format_args!("Received status update {} for task {task_id}", state.as_str_name()));
        if task_state::is_terminal(state) {
            driver.stop();
        }
    }

    fn framework_message(
        &mut self,
        _: &SchedulerDriver,
        _: ExecutorId,
        _: SlaveId,
        _: bytes::Bytes,
    ) {
    }

    fn slave_lost(&mut self, _: &SchedulerDriver, _: SlaveId) {}

    fn executor_lost(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, _: i32) {}

    fn error(&mut self, _: &SchedulerDriver, _: &str) {}
}
