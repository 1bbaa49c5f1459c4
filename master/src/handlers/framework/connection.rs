//! Peers that fall silent, and frameworks that want no offers.
//! Upstream: `Master::exited`, `_exited`, `disconnect`, `deactivate`, `deactivateFramework`,
//! `frameworkFailoverTimeout`.

use std::time::Duration;

use common::ids::FrameworkId;
use libprocess::clock::Time;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::DeactivateFrameworkMessage;
use stout::duration::{display_nanos, nanos_from_secs};
use tracing::{info, warn};

use crate::handlers::offer::Recall;
use crate::master::Master;
use crate::state::Framework;

impl Master {
    /// A link ended: a scheduler or a slave is gone, or cannot be reached.
    pub(crate) fn peer_exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        if let Some(framework) = self.cluster.frameworks.at(&pid) {
            let id = framework.id.clone();
            self.framework_exited(ctx, &id);
        } else if let Some(slave) = self.cluster.slaves.at(&pid) {
            let id = slave.id.clone();
            self.slave_exited(ctx, &id);
        }
    }

    fn framework_exited(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        info!("Framework {framework} disconnected");
        info!("Disconnecting framework {framework}");
        framework.connected = false;
        self.deactivate(ctx, id);
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let nanos = failover_timeout_nanos(framework);
        info!("Giving framework {framework} {} to failover", display_nanos(nanos));
        let timeout = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        let (id, since) = (id.clone(), framework.reregistered_time);
        Self::later(ctx, timeout, move |master, ctx| {
            master.on_framework_failover_timeout(ctx, &id, since);
        });
    }

    /// Removed, unless it is back, or was back meanwhile.
    fn on_framework_failover_timeout(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        since: Time,
    ) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        if framework.connected || framework.reregistered_time != since {
            return;
        }
        info!("Framework failover timeout, removing framework {framework}");
        self.remove_framework(ctx, id);
    }

    /// A framework wants no offers until it subscribes again.
    pub(crate) fn deactivate_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: DeactivateFrameworkMessage,
    ) {
        self.metrics.messages_deactivate_framework.increment();
        let id = FrameworkId::from(message.framework_id);
        if self.is_from_framework(&from, &id, "deactivate framework message for") {
            self.deactivate(ctx, &id);
        }
    }

    fn deactivate(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        info!("Deactivating framework {framework}");
        framework.active = false;
        self.allocator.deactivate_framework(id);
        self.recall_offers_of(ctx, id, Recall::Rescind);
    }

    /// Whether a message is from the framework that it names; says so if not.
    pub(crate) fn is_from_framework(&self, from: &Upid, id: &FrameworkId, what: &str) -> bool {
        let Some(framework) = self.cluster.frameworks.get(id) else {
            warn!("Ignoring {what} framework {id} because the framework cannot be found");
            return false;
        };
        if framework.pid() != Some(from) {
            warn!("Ignoring {what} framework {framework} because it is not expected from {from}");
            return false;
        }
        true
    }
}

/// How long a framework may be away; zero if it says what nobody can wait for.
fn failover_timeout_nanos(framework: &Framework) -> i64 {
    nanos_from_secs(framework.info.failover_timeout()).unwrap_or_else(|error| {
        warn!(
            "Using the default value for 'failover_timeout' because the input value is invalid: \
             {error}"
        );
        0
    })
}
