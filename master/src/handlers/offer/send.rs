//! What the allocator hands out, as offers. Upstream: `Master::offer`.

use std::collections::BTreeMap;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use libprocess::Ctx;
use proto::mesos::internal::ResourceOffersMessage;
use proto::mesos::{self, Address, Url};
use tracing::{info, warn};

use crate::master::Master;
use crate::state::{Framework, Offer, Slave};

impl Master {
    /// The allocator gives a framework resources. Much may have changed since it decided.
    pub(crate) fn offer(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: FrameworkId,
        resources: BTreeMap<SlaveId, Resources>,
    ) {
        if self.doubts(ctx) {
            return;
        }
        if !self.cluster.frameworks.get(&id).is_some_and(|framework| framework.active) {
            warn!(
                "Master returning resources offered to framework {id} because the framework has \
                 terminated or is inactive"
            );
            for (slave_id, resources) in resources {
                self.allocator.recover_resources(&id, &slave_id, resources, None);
            }
            return;
        }
        let mut message = ResourceOffersMessage::default();
        for (slave_id, resources) in resources {
            if let Some((offer, pid)) = self.make_offer(ctx, &id, &slave_id, resources) {
                message.offers.push(offer);
                message.pids.push(pid);
            }
        }
        let Some(framework) = self.cluster.frameworks.get(&id) else { return };
        if !message.offers.is_empty() {
            info!("Sending {} offers to framework {framework}", message.offers.len());
            self.tell_framework(ctx, framework, &message);
        }
    }

    /// Books an offer of one slave; gives it with the slave's pid as they are sent.
    fn make_offer(
        &mut self,
        ctx: &Ctx<Self>,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        resources: Resources,
    ) -> Option<(mesos::Offer, String)> {
        let framework = self.cluster.frameworks.get(framework_id)?;
        let slave = self.cluster.slaves.get(slave_id);
        let Some(slave) = slave.filter(|slave| slave.active) else {
            match slave {
                None => warn!(
                    "Master returning resources offered to framework {framework} because slave \
                     {slave_id} is not valid"
                ),
                Some(slave) => warn!(
                    "Master returning resources offered because slave {slave} is {}",
                    if slave.connected { "deactivated" } else { "disconnected" }
                ),
            }
            self.allocator.recover_resources(framework_id, slave_id, resources, None);
            return None;
        };
        let id = self.ids.next_offer();
        let offer = Offer {
            id: id.clone(),
            framework_id: framework_id.clone(),
            slave_id: slave_id.clone(),
            resources,
        };
        let mut sent = message(&offer, framework, slave);
        sent.unavailability = self.cluster.machines.unavailability(&slave.machine());
        let sent = (sent, slave.pid.to_string());
        self.cluster.add_offer(offer);
        if let Some(timeout) = self.config.offer_timeout {
            let timed_out = id.clone();
            let timer =
                Self::later(ctx, timeout, |master, ctx| master.on_offer_timeout(ctx, timed_out));
            self.offer_timers.insert(id, timer);
        }
        Some(sent)
    }
}

fn message(offer: &Offer, framework: &Framework, slave: &Slave) -> mesos::Offer {
    let executors = slave.executors.get(&framework.id);
    let address = Address {
        hostname: Some(slave.info.hostname.clone()),
        ip: Some(slave.pid.address.ip.to_string()),
        port: slave.pid.address.port.into(),
    };
    mesos::Offer {
        id: (&offer.id).into(),
        framework_id: (&offer.framework_id).into(),
        slave_id: (&offer.slave_id).into(),
        hostname: slave.info.hostname.clone(),
        url: Some(Url {
            scheme: "http".to_owned(),
            address,
            path: Some(format!("/{}", slave.pid.id)),
            ..Url::default()
        }),
        // COMPAT: `Master::offer` keeps ephemeral ports to itself (MESOS-1654); held by
        // `master_test_ignore_ephemeral_ports_resource`.
        resources: offer
            .resources
            .iter()
            .filter(|resource| resource.name() != "ephemeral_ports")
            .map(mesos::Resource::from)
            .collect(),
        attributes: slave.info.attributes.clone(),
        executor_ids: executors.into_iter().flat_map(|e| e.keys()).map(Into::into).collect(),
        ..mesos::Offer::default()
    }
}
