//! From an ACCEPT call, or the old message, to what it amounts to once it is authorized.
//! Owns no state but what waits for authorization. Upstream: `Master::launchTasks`, `accept`, the
//! frame of `_accept`.

use std::sync::Arc;

use common::ids::{FrameworkId, OfferId, SlaveId, TaskId, print_list};
use common::resources::Resources;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::LaunchTasksMessage;
use proto::mesos::offer::{Operation, operation};
use proto::mesos::scheduler::call::{Accept, Decline};
use proto::mesos::task_status::Reason;
use proto::mesos::{Filters, TaskInfo, TaskState};
use tracing::{info, warn};

use crate::authorizer::Verdict;
use crate::master::Master;
use crate::refusal::TaskRefusal;
use crate::state::Framework;
use crate::validation;
use crate::validation::offer::OfferRefusal;

/// Offers that were used, and for what. The references of its ids may be gone by the time that it
/// is authorized.
pub(super) struct Accepted {
    pub(super) framework_id: FrameworkId,
    pub(super) slave_id: SlaveId,
    /// What is left of the offers.
    pub(super) remaining: Resources,
    pub(super) steps: Vec<Step>,
    filters: Filters,
}

/// One thing to do with offers. They are authorized together and done in order.
pub(super) enum Step {
    Launch(Arc<TaskInfo>, Claim),
    Operate(Operation),
}

/// Whether a task's name was free when its launch was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It was, and the task is pending until it is launched, refused or killed.
    Pending,
    /// Another task of that name was pending.
    Duplicate,
}

impl Master {
    /// The old form of [`Master::accept`], or of a decline if it has no tasks.
    pub(crate) fn launch_tasks(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: LaunchTasksMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        let (offer_ids, filters) = (message.offer_ids, Some(message.filters));
        let offers = || print_list(offer_ids.iter().map(|id| &id.value));
        let Some(framework) = self.cluster.frameworks.get(&id) else {
            return warn!(
                "Ignoring launch tasks message for offers {} of framework {id} because the \
                 framework cannot be found",
                offers()
            );
        };
        if framework.pid() != Some(&from) {
            return warn!(
                "Ignoring launch tasks message for offers {} from '{from}' because it is not from \
                 the registered framework {framework}",
                offers()
            );
        }
        if message.tasks.is_empty() {
            return self.decline(ctx, &id, Decline { offer_ids, filters });
        }
        let mut launch = Operation {
            launch: Some(operation::Launch { task_infos: message.tasks }),
            ..Operation::default()
        };
        launch.set_type(operation::Type::Launch);
        let accept = Accept { offer_ids, filters, operations: vec![launch] };
        self.accept(ctx, &id, accept);
    }

    /// A framework uses offers.
    pub(crate) fn accept(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId, accept: Accept) {
        self.count_launches(&accept.operations);
        let offer_ids: Vec<OfferId> = accept.offer_ids.iter().map(OfferId::from).collect();
        let slave_id = match validation::offer::validate(&self.cluster, id, &offer_ids) {
            Ok(slave_id) => slave_id,
            Err(refusal) => return self.refuse_accept(ctx, id, (accept, offer_ids), &refusal),
        };
        let mut remaining = Resources::new();
        for offer_id in &offer_ids {
            remaining += self.take_offer(ctx, offer_id).map(|o| o.resources).unwrap_or_default();
        }
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        let Some(slave) = self.cluster.slaves.get(&slave_id) else { return };
        info!(
            "Processing ACCEPT call for offers: {} on slave {slave} for framework {framework}",
            print_list(&offer_ids)
        );
        let accepted = Accepted {
            framework_id: id.clone(),
            slave_id,
            remaining,
            steps: steps(framework, accept.operations),
            filters: accept.filters.unwrap_or_default(),
        };
        self.authorize_accept(ctx, accepted);
    }

    fn count_launches(&self, operations: &[Operation]) {
        for operation in operations.iter().filter(|o| o.r#type() == operation::Type::Launch) {
            match operation.launch.as_ref().is_some_and(|launch| !launch.task_infos.is_empty()) {
                true => self.metrics.messages_launch_tasks.increment(),
                false => self.metrics.messages_decline_offers.increment(),
            }
        }
    }

    /// Gives the framework's offers among those named back, and loses the tasks.
    fn refuse_accept(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        (accept, offer_ids): (Accept, Vec<OfferId>),
        refusal: &OfferRefusal,
    ) {
        for offer_id in &offer_ids {
            match self.cluster.offer(offer_id) {
                // Another framework's offer stays with it; upstream takes it from there.
                Some(offer) if offer.framework_id != *id => {}
                Some(_) => {
                    let Some(offer) = self.take_offer(ctx, offer_id) else { continue };
                    self.allocator.recover_resources(id, &offer.slave_id, offer.resources, None);
                }
                None => {
                    warn!("Ignoring accept of offer {offer_id} since it is no longer valid");
                }
            }
        }
        warn!("ACCEPT call used invalid offers '{}': {refusal}", print_list(&offer_ids));
        for task in accept.operations.iter().filter_map(|o| o.launch.as_ref()) {
            for task in &task.task_infos {
                let refusal = TaskRefusal::InvalidOffers(refusal.clone());
                let outcome = (TaskState::TaskLost, Reason::InvalidOffers);
                self.refuse_task(ctx, id, task, (outcome, refusal));
            }
        }
    }

    /// All answers are in. The framework and the slave may be gone, tasks may have been killed.
    pub(super) fn on_accept_authorized(
        &mut self,
        ctx: &mut Ctx<Self>,
        mut accepted: Accepted,
        verdicts: Vec<Verdict>,
    ) {
        let (id, slave_id) = (accepted.framework_id.clone(), accepted.slave_id.clone());
        if self.cluster.frameworks.get(&id).is_none() {
            warn!("Ignoring ACCEPT call for framework {id} because the framework cannot be found");
            let remaining = accepted.remaining;
            return self.allocator.recover_resources(&id, &slave_id, remaining, None);
        }
        let lost = match self.cluster.slaves.get(&slave_id) {
            None => Some((Reason::SlaveRemoved, TaskRefusal::SlaveRemoved)),
            Some(slave) if !slave.connected => {
                Some((Reason::SlaveDisconnected, TaskRefusal::SlaveDisconnected))
            }
            Some(_) => None,
        };
        if let Some((reason, refusal)) = lost {
            return self.lose_accepted(ctx, accepted, (reason, refusal));
        }
        for (step, verdict) in std::mem::take(&mut accepted.steps).into_iter().zip(verdicts) {
            match step {
                Step::Launch(task, claim) => {
                    self.launch(ctx, &mut accepted, (task, claim), verdict);
                }
                Step::Operate(operation) => {
                    self.operate(ctx, &mut accepted, &operation, verdict);
                }
            }
        }
        if !accepted.remaining.is_empty() {
            let (remaining, filters) = (accepted.remaining, Some(accepted.filters));
            self.allocator.recover_resources(&id, &slave_id, remaining, filters);
        }
    }

    /// The slave is gone, or away.
    fn lose_accepted(
        &mut self,
        ctx: &mut Ctx<Self>,
        accepted: Accepted,
        (reason, refusal): (Reason, TaskRefusal),
    ) {
        let Accepted { framework_id: id, slave_id, remaining, steps, .. } = accepted;
        for step in steps {
            let Step::Launch(task, claim) = step else { continue };
            if self.is_still_wanted(&id, &task, claim) {
                let outcome = (TaskState::TaskLost, reason);
                self.refuse_task(ctx, &id, &task, (outcome, refusal.clone()));
            }
        }
        self.allocator.recover_resources(&id, &slave_id, remaining, None);
    }

    /// Ends a task's time as a pending one; false if it was killed meanwhile, and its framework
    /// was told so.
    pub(super) fn is_still_wanted(
        &mut self,
        id: &FrameworkId,
        task: &TaskInfo,
        claim: Claim,
    ) -> bool {
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return false };
        let task_id = TaskId::from(&task.task_id);
        claim == Claim::Duplicate || framework.pending_tasks.remove(&task_id).is_some()
    }
}

/// Operations with their tasks one by one; each task is pending from now on.
fn steps(framework: &mut Framework, operations: Vec<Operation>) -> Vec<Step> {
    let mut steps = Vec::new();
    for operation in operations {
        if operation.r#type() != operation::Type::Launch {
            steps.push(Step::Operate(operation));
            continue;
        }
        for task in operation.launch.into_iter().flat_map(|launch| launch.task_infos) {
            let (task_id, task) = (TaskId::from(&task.task_id), Arc::new(task));
            let claim = match framework.pending_tasks.contains_key(&task_id) {
                true => Claim::Duplicate,
                false => Claim::Pending,
            };
            if claim == Claim::Pending {
                framework.pending_tasks.insert(task_id, task.clone());
            }
            steps.push(Step::Launch(task, claim));
        }
    }
    steps
}
