//! A framework that is known subscribes again: from where it was, or from elsewhere.
//! Upstream: the second half of `Master::_subscribe`, `failoverFramework`,
//! `Framework::updateFrameworkInfo`.

use std::sync::Arc;

use common::ids::FrameworkId;
use libprocess::{Ctx, Upid};
use proto::mesos::FrameworkInfo;
use proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkReregisteredMessage, UpdateFrameworkMessage,
};
use proto::mesos::scheduler::call::Subscribe;
use tracing::{error, info, warn};

use crate::handlers::offer::Recall;
use crate::master::Master;
use crate::refusal::SubscribeRefusal;
use crate::state::Connection;

impl Master {
    /// A registered framework subscribes again.
    pub(super) fn resubscribe(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        id: &FrameworkId,
        subscribe: &Subscribe,
    ) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        if framework.pid() != Some(from) && !subscribe.force() {
            error!(
                "Disallowing subscription attempt of framework {framework} because it is not \
                 expected from {from}"
            );
            let message = SubscribeRefusal::FailedOver.to_string();
            return ctx.send(from, &FrameworkErrorMessage { message });
        }
        self.update_framework_info(ctx, id, &subscribe.framework_info);
        match subscribe.force() {
            true => self.fail_over(ctx, from, id),
            false => self.come_back(ctx, from, id),
        }
    }

    fn update_framework_info(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        source: &FrameworkInfo,
    ) {
        info!("Updating info for framework {id}");
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        framework.reregistered_time = ctx.now();
        merge(Arc::make_mut(&mut framework.info), source, id);
        self.allocator.update_framework(id, &framework.info);
    }

    /// A new scheduler takes the place of the old one, or the old one insists.
    fn fail_over(&mut self, ctx: &mut Ctx<Self>, from: &Upid, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Framework {framework} failed over");
        if framework.pid() != Some(from) && framework.connected {
            let message = SubscribeRefusal::FailedOver.to_string();
            self.tell_framework(ctx, framework, &FrameworkErrorMessage { message });
        }
        ctx.link(from);
        self.cluster.frameworks.reconnect(id, Connection::Pid(from.clone()));
        self.recall_offers_of(ctx, id, Recall::Silently);
        self.reactivate(id);
        if let Some(framework) = self.cluster.frameworks.get(id) {
            self.tell_registered(ctx, framework);
        }
        self.tell_slaves_of_scheduler(ctx, id);
    }

    /// The same scheduler lost sight of the master.
    fn come_back(&mut self, ctx: &mut Ctx<Self>, from: &Upid, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Allowing framework {framework} to subscribe with an already used id");
        // Its driver may have dropped its answers while it was away.
        self.recall_offers_of(ctx, id, Recall::Rescind);
        // The old link ended with the connection; upstream makes no new one, and never hears of
        // the scheduler's death.
        ctx.link(from);
        self.reactivate(id);
        let message = FrameworkReregisteredMessage {
            framework_id: id.into(),
            master_info: self.info.clone(),
        };
        if let Some(framework) = self.cluster.frameworks.get(id) {
            self.tell_framework(ctx, framework, &message);
        }
    }

    /// After its offers are taken back, so that the allocator knows its share.
    fn reactivate(&mut self, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        framework.connected = true;
        if !framework.active {
            framework.active = true;
            self.allocator.activate_framework(id);
        }
    }

    /// Tells every slave where a framework's scheduler is, for executors without tasks need it.
    pub(super) fn tell_slaves_of_scheduler(&self, ctx: &Ctx<Self>, id: &FrameworkId) {
        let pid = self.cluster.frameworks.get(id).and_then(|framework| framework.pid());
        let message = UpdateFrameworkMessage {
            framework_id: id.into(),
            pid: Some(pid.cloned().unwrap_or_default().to_string()),
        };
        self.tell_slaves(ctx, &message);
    }
}

/// What a framework may change about itself, from what it says now.
fn merge(info: &mut FrameworkInfo, source: &FrameworkInfo, id: &FrameworkId) {
    // COMPAT: `Framework::updateFrameworkInfo` prints the old value; held by
    // `fault_tolerance_test_update_framework_info_on_scheduler_failover`.
    let keep = |field: &str, old: &str| {
        warn!(
            "Can not update FrameworkInfo.{field} to '{old}' for framework {id}. Check MESOS-703"
        );
    };
    if source.user != info.user {
        keep("user", &info.user);
    }
    if source.checkpoint() != info.checkpoint() {
        keep("checkpoint", if info.checkpoint() { "true" } else { "false" });
    }
    if source.role() != info.role() {
        keep("role", info.role());
    }
    if source.principal() != info.principal() {
        keep("principal", info.principal());
    }
    info.name.clone_from(&source.name);
    info.failover_timeout = source.failover_timeout;
    info.hostname.clone_from(&source.hostname);
    info.webui_url.clone_from(&source.webui_url);
    info.capabilities.clone_from(&source.capabilities);
    info.labels.clone_from(&source.labels);
}
