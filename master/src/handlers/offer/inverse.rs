//! What the allocator asks frameworks to give back. Nothing schedules maintenance yet, so that
//! it never asks. Upstream: `Master::inverseOffer`.

use std::collections::BTreeMap;

use common::ids::{FrameworkId, SlaveId};
use libprocess::Ctx;
use libprocess::vlog;

use crate::allocator::{InverseOfferUpdate, UnavailableResources};
use crate::master::Master;

impl Master {
    /// The allocator wants resources back. Each wish is answered, else it would never come again.
    pub(crate) fn inverse_offer(
        &mut self,
        _: &mut Ctx<Self>,
        id: FrameworkId,
        resources: BTreeMap<SlaveId, UnavailableResources>,
    ) {
        vlog!(1, "Returning {} inverse offers to framework {id}", resources.len());
        for (slave_id, unavailable) in resources {
            self.allocator.update_inverse_offer(InverseOfferUpdate {
                slave_id,
                framework_id: id.clone(),
                unavailable: Some(unavailable),
                status: None,
                filters: None,
            });
        }
    }
}
