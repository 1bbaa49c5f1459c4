//! Frameworks that do not want what they were offered, or anything, or something else.
//! Upstream: `Master::decline`, `revive`, `reviveOffers`, `suppress`, `request`,
//! `resourceRequest`.

use common::ids::{FrameworkId, OfferId, print_list};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{ResourceRequestMessage, ReviveOffersMessage};
use proto::mesos::scheduler::call::{Decline, Request};
use tracing::{info, warn};

use crate::master::Master;

impl Master {
    /// A framework gives offers back, and does not want the like for a while.
    pub(crate) fn decline(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId, decline: Decline) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let offer_ids: Vec<OfferId> = decline.offer_ids.iter().map(OfferId::from).collect();
        info!(
            "Processing DECLINE call for offers: {} for framework {framework}",
            print_list(&offer_ids)
        );
        self.metrics.messages_decline_offers.increment();
        for offer_id in &offer_ids {
            // Another framework's offer is no offer of this one; upstream takes it all the same.
            let offer = self.cluster.offer(offer_id).filter(|offer| offer.framework_id == *id);
            if offer.is_none() {
                warn!("Ignoring decline of offer {offer_id} since it is no longer valid");
            } else if let Some(offer) = self.take_offer(ctx, offer_id) {
                let filters = Some(decline.filters.unwrap_or_default());
                self.allocator.recover_resources(id, &offer.slave_id, offer.resources, filters);
            }
        }
    }

    /// The old form of [`Master::revive`].
    pub(crate) fn revive_offers(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: ReviveOffersMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        if self.is_from_framework(&from, &id, "revive offers message for") {
            self.revive(&id);
        }
    }

    /// A framework wants again what it declined.
    pub(crate) fn revive(&mut self, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Processing REVIVE call for framework {framework}");
        self.metrics.messages_revive_offers.increment();
        self.allocator.revive_offers(id);
    }

    /// A framework wants no offers for now.
    pub(crate) fn suppress(&mut self, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Processing SUPPRESS call for framework {framework}");
        self.metrics.messages_suppress_offers.increment();
        self.allocator.suppress_offers(id);
    }

    /// The old form of [`Master::request`].
    pub(crate) fn resource_request(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: ResourceRequestMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        if self.is_from_framework(&from, &id, "resource request message from") {
            self.request(&id, Request { requests: message.requests });
        }
    }

    /// A framework tells what it would like.
    pub(crate) fn request(&mut self, id: &FrameworkId, request: Request) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Processing REQUEST call for framework {framework}");
        self.metrics.messages_resource_request.increment();
        self.allocator.request_resources(id, request.requests);
    }
}
