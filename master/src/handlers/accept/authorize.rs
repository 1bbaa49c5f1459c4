//! May the framework do all that? Asks the authorizer, and goes on when it has answered.
//! Upstream: `Master::authorizeTask`, `authorizeReserveResources`, `authorizeUnreserveResources`,
//! `authorizeCreateVolume`, `authorizeDestroyVolume`.

use std::collections::BTreeSet;

use common::resources::print_messages;
use futures_util::future::join_all;
use libprocess::Ctx;
use proto::mesos;
use proto::mesos::TaskInfo;
use proto::mesos::offer::{Operation, operation};
use tracing::info;

use super::call::{Accepted, Step};
use crate::authorizer::{Action, Request, Verdict};
use crate::master::Master;
use crate::state::Framework;

impl Master {
    /// Calls `next` with a verdict for each request: later, or at once if there is nobody to ask.
    /// Putting it off then, as upstream does, would keep every task of a burst decoded.
    pub(crate) fn when_authorized(
        &mut self,
        ctx: &mut Ctx<Self>,
        requests: Vec<Request>,
        next: impl FnOnce(&mut Self, &mut Ctx<Self>, Vec<Verdict>) + Send + 'static,
    ) {
        let Some(authorizer) = &self.authorizer else {
            let verdicts = vec![Verdict::Allowed; requests.len()];
            return next(self, ctx, verdicts);
        };
        let answers = requests.into_iter().map(|request| authorizer.authorize(request));
        ctx.then(join_all(answers), next);
    }

    pub(super) fn authorize_accept(&mut self, ctx: &mut Ctx<Self>, accepted: Accepted) {
        let Some(framework) = self.cluster.frameworks.get(&accepted.framework_id) else { return };
        let requests = accepted.steps.iter().map(|step| match step {
            Step::Launch(task, _) => run_task(framework, task),
            Step::Operate(operation) => operate(framework, operation),
        });
        let requests: Vec<Request> = requests.collect();
        if self.authorizer.is_some() {
            requests.iter().zip(&accepted.steps).for_each(|(request, step)| log(request, step));
        }
        self.when_authorized(ctx, requests, |master, ctx, verdicts| {
            master.on_accept_authorized(ctx, accepted, verdicts);
        });
    }
}

/// The user that a task is going to run as: its command's, its executor's or its framework's.
pub(super) fn user_of<'a>(framework: &'a Framework, task: &'a TaskInfo) -> &'a str {
    let command = task.command.as_ref();
    let executor = || task.executor.as_ref().and_then(|executor| executor.command.as_ref());
    command
        .and_then(|command| command.user.as_deref())
        .or_else(|| executor().and_then(|command| command.user.as_deref()))
        .unwrap_or(&framework.info.user)
}

fn run_task(framework: &Framework, task: &TaskInfo) -> Request {
    let user = user_of(framework, task).to_owned();
    Request { principal: framework.info.principal.clone(), action: Action::RunTask { user } }
}

fn operate(framework: &Framework, operation: &Operation) -> Request {
    let action = match operation.r#type() {
        operation::Type::Unreserve => {
            let unreserve = operation.unreserve.as_ref();
            let resources = unreserve.map_or(&[][..], |unreserve| &unreserve.resources);
            let reservations = resources.iter().filter_map(|r| r.reservation.as_ref());
            let principals = reservations.filter_map(|reservation| reservation.principal.clone());
            Action::UnreserveResources { reserver_principals: principals.collect() }
        }
        operation::Type::Create => {
            let create = operation.create.as_ref();
            Action::CreateVolumes { roles: roles(create.map_or(&[], |create| &create.volumes)) }
        }
        operation::Type::Destroy => {
            let destroy = operation.destroy.as_ref();
            let volumes = destroy.map_or(&[][..], |destroy| &destroy.volumes);
            let disks = volumes.iter().filter_map(|volume| volume.disk.as_ref());
            let persistences = disks.filter_map(|disk| disk.persistence.as_ref());
            let principals = persistences.map(|p| p.principal().to_owned());
            Action::DestroyVolumes { creator_principals: principals.collect() }
        }
        operation::Type::Reserve | operation::Type::Launch => {
            let reserve = operation.reserve.as_ref();
            let resources = reserve.map_or(&[][..], |reserve| &reserve.resources);
            Action::ReserveResources { roles: roles(resources) }
        }
    };
    Request { principal: framework.info.principal.clone(), action }
}

fn roles(resources: &[mesos::Resource]) -> BTreeSet<String> {
    resources.iter().map(|resource| resource.role().to_owned()).collect()
}

fn log(request: &Request, step: &Step) {
    let principal = request.principal.as_deref().unwrap_or("ANY");
    let what = match step {
        Step::Launch(task, _) => {
            let Action::RunTask { user } = &request.action else { return };
            let principal = request.principal.as_deref().unwrap_or_default();
            return info!(
                "Authorizing framework principal '{principal}' to launch task {} as user '{user}'",
                task.task_id.value
            );
        }
        Step::Operate(operation) => match (&operation.reserve, &operation.unreserve) {
            (Some(reserve), _) => {
                format!("reserve resources '{}'", print_messages(&reserve.resources))
            }
            (_, Some(unreserve)) => {
                format!("unreserve resources '{}'", print_messages(&unreserve.resources))
            }
            _ => match &operation.destroy {
                Some(destroy) => format!("destroy volumes '{}'", print_messages(&destroy.volumes)),
                None => "create volumes".to_owned(),
            },
        },
    };
    info!("Authorizing principal '{principal}' to {what}");
}
