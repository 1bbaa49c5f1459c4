//! One task of an accepted offer: launched, or refused with an update that says why.
//! Upstream: the LAUNCH part of `Master::_accept`, `addTask`.

use std::sync::Arc;

use common::ids::{FrameworkId, SlaveId, TaskId};
use common::resources::Resources;
use common::status::NewUpdate;
use libprocess::Ctx;
use proto::mesos::internal::RunTaskMessage;
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{TaskInfo, TaskState};
use tracing::{info, warn};

use super::authorize::user_of;
use super::call::{Accepted, Claim};
use crate::authorizer::Verdict;
use crate::handlers::task::NOBODY;
use crate::master::Master;
use crate::refusal::TaskRefusal;
use crate::state::Task;
use crate::validation::task::{TaskError, executor_warnings, validate_task};

impl Master {
    /// Launches a task with what is left of the offers.
    pub(super) fn launch(
        &mut self,
        ctx: &mut Ctx<Self>,
        accepted: &mut Accepted,
        (task, claim): (Arc<TaskInfo>, Claim),
        verdict: Verdict,
    ) {
        let id = accepted.framework_id.clone();
        if !self.is_still_wanted(&id, &task, claim) {
            return;
        }
        let mut task = Arc::unwrap_or_clone(task);
        if let Some(executor) = &mut task.executor {
            executor.framework_id.get_or_insert_with(|| (&id).into());
        }
        let checked = self.check_authorized(&id, &task, verdict);
        let checked = checked.and_then(|()| self.check_task(accepted, &task, claim));
        if let Err(refusal) = checked {
            let reason = match &refusal {
                TaskRefusal::Invalid(_) => Reason::TaskInvalid,
                _ => Reason::TaskUnauthorized,
            };
            let outcome = (TaskState::TaskError, reason);
            return self.refuse_task(ctx, &id, &task, (outcome, refusal));
        }
        accepted.remaining -= &self.add_task(&accepted.slave_id, &id, &task);
        let Some(slave) = self.cluster.slaves.get(&accepted.slave_id) else { return };
        let Some(framework) = self.cluster.frameworks.get(&id) else { return };
        info!(
            "Launching task {} of framework {framework} with resources {} on slave {slave}",
            task.task_id.value,
            Resources::from(&task.resources)
        );
        let message = RunTaskMessage {
            framework_id: None,
            framework: (*framework.info).clone(),
            pid: Some(framework.pid().cloned().unwrap_or_default().to_string()),
            task,
        };
        ctx.send(&slave.pid, &message);
    }

    fn check_authorized(
        &self,
        id: &FrameworkId,
        task: &TaskInfo,
        verdict: Verdict,
    ) -> Result<(), TaskRefusal> {
        match (verdict, self.cluster.frameworks.get(id)) {
            (Verdict::Failed(why), _) => Err(TaskRefusal::AuthorizationFailed(why)),
            (Verdict::Denied, Some(framework)) => {
                Err(TaskRefusal::Unauthorized(user_of(framework, task).to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_task(
        &self,
        accepted: &Accepted,
        task: &TaskInfo,
        claim: Claim,
    ) -> Result<(), TaskRefusal> {
        if claim == Claim::Duplicate {
            return Err(TaskError::DuplicateId(TaskId::from(&task.task_id)).into());
        }
        let framework = self.cluster.frameworks.get(&accepted.framework_id);
        let slave = self.cluster.slaves.get(&accepted.slave_id);
        let (Some(framework), Some(slave)) = (framework, slave) else {
            return Err(TaskRefusal::SlaveRemoved);
        };
        validate_task(task, framework, slave, &accepted.remaining)?;
        if let Some(executor) = &task.executor {
            executor_warnings(task, executor).iter().for_each(|warning| warn!("{warning}"));
        }
        Ok(())
    }

    /// Books a task, and its executor if it is new; gives what both use.
    fn add_task(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        info: &TaskInfo,
    ) -> Resources {
        let task = Task::launched(info, framework_id);
        let mut used = task.resources.clone();
        if let Some(executor) = &info.executor {
            let resources = Resources::from(&executor.resources);
            if self.cluster.add_executor(slave_id, framework_id, executor.clone()) {
                used += resources;
            }
        }
        let hostname = self.cluster.slaves.get(slave_id).map(|slave| slave.info.hostname.as_str());
        info!(
            "Adding task {} with resources {} on slave {slave_id} ({})",
            task.key.task_id,
            task.resources,
            hostname.unwrap_or_default()
        );
        let added = self.cluster.add_task(task);
        debug_assert!(added, "validation refuses duplicates");
        used
    }

    /// Tells a framework that a task was not launched, and why.
    pub(super) fn refuse_task(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        task: &TaskInfo,
        ((state, reason), refusal): ((TaskState, Reason), TaskRefusal),
    ) {
        let (task_id, now) = (TaskId::from(&task.task_id), ctx.now().secs());
        let update = NewUpdate::new(id, &task_id, state, Source::Master, now)
            .slave(&SlaveId::from(&task.slave_id))
            .message(refusal.to_string())
            .reason(reason)
            .build();
        self.metrics.task_terminated(&update.status);
        self.forward(ctx, update, NOBODY);
    }
}
