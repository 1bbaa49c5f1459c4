//! May this task be launched with what is left of the offers? Asked after authorization, in
//! upstream's order. Commands, health checks and containers are the slave's affair.
//! Upstream: `validation::task`.

use common::ids::{ExecutorId, FrameworkId, InvalidId, SlaveId, TaskId};
use common::json::protobuf::print_text;
use common::resources::Resources;
use common::same::Same;
use proto::mesos::{ExecutorInfo, TaskInfo};

use super::resources::{
    DuplicatePersistenceId, ResourcesError, validate, validate_unique_persistence_ids,
};
use crate::constants::{MIN_CPUS, MIN_MEM};
use crate::state::{Framework, Slave};

const DASHES: &str = "------------------------------------------------------------";

/// Why a task cannot be launched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The id, or the executor's, would name another directory.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The framework has one of that name.
    #[error("Task has duplicate ID: {0}")]
    DuplicateId(TaskId),
    /// The offers are of another slave.
    #[error("Task uses invalid slave {actual} while slave {expected} is expected")]
    Slave {
        /// Where the task should run.
        actual: SlaveId,
        /// Whose the offers are.
        expected: SlaveId,
    },
    /// Nothing to run, or two things.
    #[error("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")]
    CommandOrExecutor,
    /// Another framework's executor.
    #[error("ExecutorInfo has an invalid FrameworkID (Actual: {actual} vs Expected: {expected})")]
    ExecutorFramework {
        /// As the task says.
        actual: FrameworkId,
        /// Whose task it is.
        expected: FrameworkId,
    },
    /// Another executor of that name runs there.
    #[error(
        "Task has invalid ExecutorInfo (existing ExecutorInfo with same ExecutorID is not \
         compatible).\n{DASHES}\nExisting ExecutorInfo:\n{existing}\n{DASHES}\n\
         Task's ExecutorInfo:\n{wanted}\n{DASHES}\n"
    )]
    IncompatibleExecutor {
        /// The one that runs, printed.
        existing: String,
        /// The one that the task wants, printed.
        wanted: String,
    },
    /// The task's resources are wrong.
    #[error("Task uses invalid resources: {0}")]
    Resources(ResourcesError),
    /// The executor's resources are wrong.
    #[error("Executor uses invalid resources: {0}")]
    ExecutorResources(ResourcesError),
    /// Kept and revocable amounts of one name.
    #[error("Task (and its executor, if exists) uses both revocable and non-revocable {0}")]
    MixedRevocability(String),
    /// Two volumes of one id.
    #[error(transparent)]
    Persistence(#[from] DuplicatePersistenceId),
    /// Nothing.
    #[error("Task uses no resources")]
    NoResources,
    /// Too much.
    #[error("Task uses more resources {wanted} than available {available}")]
    TooMuch {
        /// What the task, and its executor if it is new, want.
        wanted: String,
        /// What is left.
        available: String,
    },
}

/// Whether a task may be launched; its executor has a framework id.
pub fn validate_task(
    task: &TaskInfo,
    framework: &Framework,
    slave: &Slave,
    available: &Resources,
) -> Result<(), TaskError> {
    let task_id = TaskId::from(&task.task_id);
    task_id.validate()?;
    if framework.tasks.contains_key(&task_id) || slave.task(&framework.id, &task_id).is_some() {
        return Err(TaskError::DuplicateId(task_id));
    }
    if slave.id != task.slave_id {
        let (actual, expected) = ((&task.slave_id).into(), slave.id.clone());
        return Err(TaskError::Slave { actual, expected });
    }
    validate_executor(task, framework, slave)?;
    validate_resources(task)?;
    validate_usage(task, framework, slave, available)
}

fn validate_executor(
    task: &TaskInfo,
    framework: &Framework,
    slave: &Slave,
) -> Result<(), TaskError> {
    if task.executor.is_some() == task.command.is_some() {
        return Err(TaskError::CommandOrExecutor);
    }
    let Some(executor) = &task.executor else { return Ok(()) };
    let actual = executor.framework_id.as_ref().map(FrameworkId::from);
    if actual.as_ref() != Some(&framework.id) {
        return Err(TaskError::ExecutorFramework {
            actual: actual.unwrap_or_else(|| "".into()),
            expected: framework.id.clone(),
        });
    }
    let executor_id = ExecutorId::from(&executor.executor_id);
    executor_id.validate()?;
    match slave.executor(&framework.id, &executor_id) {
        Some(existing) if !existing.info.is_same(executor) => {
            Err(TaskError::IncompatibleExecutor {
                existing: print_text(&*existing.info),
                wanted: print_text(executor),
            })
        }
        _ => Ok(()),
    }
}

fn validate_resources(task: &TaskInfo) -> Result<(), TaskError> {
    validate(&task.resources).map_err(TaskError::Resources)?;
    let mut total = Resources::from(&task.resources);
    if let Some(executor) = &task.executor {
        validate(&executor.resources).map_err(TaskError::ExecutorResources)?;
        total += Resources::from(&executor.resources);
    }
    for name in total.names() {
        let named = total.named(name);
        let revocable = named.iter().filter(|resource| resource.is_revocable()).count();
        if revocable != 0 && revocable != named.len() {
            return Err(TaskError::MixedRevocability(name.to_owned()));
        }
    }
    validate_unique_persistence_ids(&total)?;
    Ok(())
}

fn validate_usage(
    task: &TaskInfo,
    framework: &Framework,
    slave: &Slave,
    available: &Resources,
) -> Result<(), TaskError> {
    let mut wanted = Resources::from(&task.resources);
    if wanted.is_empty() {
        return Err(TaskError::NoResources);
    }
    if let Some(executor) = &task.executor {
        let executor_id = ExecutorId::from(&executor.executor_id);
        if slave.executor(&framework.id, &executor_id).is_none() {
            wanted += Resources::from(&executor.resources);
        }
    }
    if !available.contains(&wanted) {
        let (wanted, available) = (wanted.to_string(), available.to_string());
        return Err(TaskError::TooMuch { wanted, available });
    }
    Ok(())
}

/// What upstream warns about when an executor asks for less than it needs.
pub fn executor_warnings(task: &TaskInfo, executor: &ExecutorInfo) -> Vec<String> {
    let resources = Resources::from(&executor.resources);
    let mut warnings = Vec::new();
    let mut warn = |less_of_what: String, minimum: String| {
        warnings.push(format!(
            "Executor {} for task {} uses less {less_of_what} than the minimum required \
             ({minimum}). Please update your executor, as this will be mandatory in future \
             releases.",
            executor.executor_id.value, task.task_id.value
        ));
    };
    let cpus = resources.cpus();
    if cpus.is_none_or(|cpus| cpus < MIN_CPUS) {
        let actual = cpus.map_or_else(|| "None".to_owned(), |cpus| cpus.to_string());
        warn(format!("CPUs ({actual})"), MIN_CPUS.to_string());
    }
    let mem = resources.mem();
    if mem.is_none_or(|mem| mem < MIN_MEM) {
        let actual = mem.map_or_else(|| "None".to_owned(), |mem| mem.megabytes().to_string());
        warn(format!("memory ({actual})"), MIN_MEM.to_string());
    }
    warnings
}
