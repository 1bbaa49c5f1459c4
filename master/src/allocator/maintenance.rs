//! Slaves that will not be there for a while, and who has been asked to leave them.
//! Called by the core only. Asks a framework once: not again before it has answered, nor while it
//! refuses to be asked. Upstream: `Slave::Maintenance`, `deallocate`.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::FrameworkId;
use proto::mesos::Unavailability;
use proto::mesos::master::InverseOfferStatus;
use proto::mesos::master::inverse_offer_status::Status;

use crate::allocator::filters::Refusers;
use crate::allocator::shares::FrameworkKey;

/// A planned absence of a slave.
pub(super) struct Maintenance {
    unavailability: Unavailability,
    /// By framework, whether it still takes part or not.
    statuses: BTreeMap<FrameworkId, InverseOfferStatus>,
    outstanding: BTreeSet<FrameworkKey>,
    pub(super) refusers: Refusers,
}

impl Maintenance {
    pub(super) fn new(unavailability: Unavailability) -> Maintenance {
        Maintenance {
            unavailability,
            statuses: BTreeMap::new(),
            outstanding: BTreeSet::new(),
            refusers: Refusers::default(),
        }
    }

    /// How the frameworks answered.
    pub(super) fn statuses(&self) -> &BTreeMap<FrameworkId, InverseOfferStatus> {
        &self.statuses
    }

    /// Asks a framework, unless it has been asked or refuses to be: then `None`.
    pub(super) fn ask(&mut self, framework: FrameworkKey) -> Option<Unavailability> {
        if self.refusers.contains(framework) || !self.outstanding.insert(framework) {
            return None;
        }
        Some(self.unavailability)
    }

    /// A framework has answered, or was not waited for any longer: then without a status.
    pub(super) fn close(&mut self, framework: FrameworkKey, status: Option<InverseOfferStatus>) {
        if !self.outstanding.remove(&framework) {
            return;
        }
        if let Some(status) = status.filter(|status| status.status() != Status::Unknown) {
            self.statuses.insert((&status.framework_id).into(), status);
        }
    }

    /// A framework is gone; how it answered is remembered.
    pub(super) fn forget(&mut self, framework: FrameworkKey) {
        self.outstanding.remove(&framework);
        self.refusers.forget(framework);
    }
}
