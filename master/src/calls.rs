//! What a scheduler asks by `mesos.scheduler.Call`, to the handler of each kind of call.
//! Old messages end in the same handlers. Upstream: `Master::receive`.

use common::calls::scheduler::{FrameworkCall, SchedulerCall};
use common::ids::FrameworkId;
use libprocess::{Ctx, Upid};
use proto::mesos::scheduler::{Call, call};
use tracing::error;

use crate::master::Master;

impl Master {
    /// A call by message. What makes no sense is dropped, with no answer.
    pub(crate) fn receive(&mut self, ctx: &mut Ctx<Self>, from: Upid, call: Call) {
        let name = call::Type::try_from(call.r#type).map_or("UNKNOWN", |kind| kind.as_str_name());
        let id = call.framework_id.clone().unwrap_or_default().value;
        let drop = |why: &str| error!("Dropping {name} call from framework {id} at {from}: {why}");
        match SchedulerCall::try_from(call) {
            Err(invalid) => drop(&invalid.to_string()),
            Ok(SchedulerCall::Subscribe(subscribe)) => self.subscribe(ctx, from, *subscribe),
            Ok(SchedulerCall::Framework(framework_id, call)) => {
                match self.cluster.frameworks.get(&framework_id) {
                    None => drop("Framework cannot be found"),
                    Some(framework) if framework.pid() != Some(&from) => {
                        drop("Call is not from registered framework");
                    }
                    Some(_) => self.call(ctx, framework_id, call),
                }
            }
        }
    }

    /// A call of a registered framework.
    pub(crate) fn call(&mut self, ctx: &mut Ctx<Self>, id: FrameworkId, call: FrameworkCall) {
        match call {
            FrameworkCall::Teardown => self.teardown(ctx, &id),
            FrameworkCall::Accept(accept) => self.accept(ctx, &id, accept),
            FrameworkCall::Decline(decline) => self.decline(ctx, &id, decline),
            FrameworkCall::Revive => self.revive(&id),
            FrameworkCall::Suppress => self.suppress(&id),
            FrameworkCall::Kill(kill) => self.kill(ctx, &id, &kill),
            FrameworkCall::Shutdown(shutdown) => self.shutdown(ctx, &id, shutdown),
            FrameworkCall::Acknowledge(acknowledge) => self.acknowledge(ctx, &id, acknowledge),
            FrameworkCall::Reconcile(reconcile) => self.reconcile(ctx, &id, reconcile),
            FrameworkCall::Message(message) => self.message(ctx, &id, message),
            FrameworkCall::Request(request) => self.request(&id, request),
        }
    }
}
