//! Offers that are taken back: because they ran out, or their slave or framework did.
//! Upstream: `Master::removeOffer`, `offerTimeout`.

use common::ids::{FrameworkId, OfferId};
use libprocess::Ctx;
use proto::mesos::internal::RescindResourceOfferMessage;

use crate::master::Master;
use crate::state::Offer;

/// Whether a framework is told that its offer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// It is.
    Rescind,
    /// It is not: it cannot use the offer anyway.
    Silently,
}

impl Master {
    /// An offer is answered: it is no longer outstanding.
    pub(crate) fn take_offer(&mut self, ctx: &Ctx<Self>, id: &OfferId) -> Option<Offer> {
        if let Some(timer) = self.offer_timers.remove(id) {
            ctx.cancel(timer);
        }
        self.cluster.take_offer(id)
    }

    /// Gives the resources of offers back to the allocator, to be offered again at once.
    pub(crate) fn recall_offers(&mut self, ctx: &Ctx<Self>, ids: Vec<OfferId>, recall: Recall) {
        for id in ids {
            let Some(offer) = self.take_offer(ctx, &id) else { continue };
            let Offer { framework_id, slave_id, resources, .. } = offer;
            self.allocator.recover_resources(&framework_id, &slave_id, resources, None);
            let framework = self.cluster.frameworks.get(&framework_id);
            if let (Recall::Rescind, Some(framework)) = (recall, framework) {
                let message = RescindResourceOfferMessage { offer_id: id.into() };
                self.tell_framework(ctx, framework, &message);
            }
        }
    }

    /// The same for all offers of a framework.
    pub(crate) fn recall_offers_of(&mut self, ctx: &Ctx<Self>, id: &FrameworkId, recall: Recall) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let offers = framework.offers.iter().cloned().collect();
        self.recall_offers(ctx, offers, recall);
    }

    /// `--offer_timeout` has passed.
    pub(super) fn on_offer_timeout(&mut self, ctx: &mut Ctx<Self>, id: OfferId) {
        self.recall_offers(ctx, vec![id], Recall::Rescind);
    }
}
