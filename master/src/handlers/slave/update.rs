//! A slave has more, or less, than it has: revocable resources.
//! Upstream: `Master::updateSlave`.

use common::ids::{OfferId, SlaveId};
use common::resources::Resources;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::UpdateSlaveMessage;
use tracing::{info, warn};

use crate::handlers::offer::Recall;
use crate::master::Master;
use crate::refusal::SlaveRefusal;

impl Master {
    /// A slave tells how much it would hand out as revocable.
    pub(crate) fn update_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: UpdateSlaveMessage,
    ) {
        self.metrics.messages_update_slave.increment();
        let id = SlaveId::from(&message.slave_id);
        let resources = Resources::from(&message.oversubscribed_resources);
        if self.cluster.slaves.is_removed(&id) {
            warn!(
                "Ignoring update of slave with total oversubscribed resources {resources} on \
                 removed slave {id} ; asking slave to shutdown"
            );
            return self.refuse_slave(ctx, &from, &SlaveRefusal::UpdateSlave);
        }
        let Some(slave) = self.cluster.slaves.get_mut(&id) else {
            return warn!(
                "Ignoring update of slave with total oversubscribed resources {resources} on \
                 unknown slave {id}"
            );
        };
        if slave.pid != from {
            return warn!(
                "Ignoring update of slave with total oversubscribed resources {resources} from \
                 {from} because it is not the slave {slave}"
            );
        }
        info!("Received update of slave {slave} with total oversubscribed resources {resources}");
        // The allocator takes nothing else, and upstream's ends on it.
        let oversubscribed = resources.revocable();
        slave.total = slave.total.non_revocable() + &oversubscribed;
        self.recall_revocable_offers(ctx, &id);
        self.allocator.update_slave(&id, oversubscribed);
    }

    fn recall_revocable_offers(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let offers = slave.offers.iter().filter_map(|offer_id| self.cluster.offer(offer_id));
        let revocable = offers.filter(|offer| !offer.resources.revocable().is_empty());
        let recalled: Vec<OfferId> = revocable
            .inspect(|offer| {
                info!(
                    "Removing offer {} with revocable resources {} on slave {slave}",
                    offer.id, offer.resources
                );
            })
            .map(|offer| offer.id.clone())
            .collect();
        self.recall_offers(ctx, recalled, Recall::Rescind);
    }
}
