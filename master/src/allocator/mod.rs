//! Who decides which framework is offered what: the trait that the master speaks to, and what it
//! hears back. The master calls it from its handlers; implementations answer later, from threads
//! of their own, through [`OfferSink`] and [`InverseOfferSink`].
//! An allocator never sends to a framework or a slave. All calls but two return at once and are
//! served in the order of the calls; none of them blocks.
//! Upstream: `mesos::master::allocator::Allocator`.

mod actor;

mod hierarchical;

mod maintenance;
mod quota;
mod shares;
mod sorter;

mod filters;
mod inventory;
mod quantities;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use common::ids::{FrameworkId, SlaveId};
use common::resources::{ApplyError, Resources};
use proto::mesos::master::InverseOfferStatus;
use proto::mesos::offer::Operation;
use proto::mesos::quota::QuotaInfo;
use proto::mesos::{Filters, FrameworkInfo, Request, SlaveInfo, Unavailability, WeightInfo};

pub use actor::HierarchicalAllocator;

/// Takes what a framework is offered: resources by slave, all of one allocation. Upstream:
/// `offerCallback`.
pub type OfferSink = Box<dyn Fn(FrameworkId, BTreeMap<SlaveId, Resources>) + Send>;

/// Takes what a framework is asked to give back, by slave. Upstream: `inverseOfferCallback`.
pub type InverseOfferSink =
    Box<dyn Fn(FrameworkId, BTreeMap<SlaveId, UnavailableResources>) + Send>;

/// What an allocator answers later.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How the frameworks answered inverse offers: by slave, then framework.
pub type InverseOfferStatuses = BTreeMap<SlaveId, BTreeMap<FrameworkId, InverseOfferStatus>>;

/// Resources that will not be there for a while. Upstream: `UnavailableResources`.
#[derive(Clone, Debug, PartialEq)]
pub struct UnavailableResources {
    /// Which; empty when the whole slave is meant.
    pub resources: Resources,
    /// When and how long.
    pub unavailability: Unavailability,
}

/// What an allocator is started with.
pub struct Options {
    /// How often everything is allocated anew. `--allocation_interval`.
    pub allocation_interval: Duration,
    /// By role; a role that is not listed weighs 1. `--weights`.
    pub weights: BTreeMap<String, f64>,
    /// Where offers go.
    pub offers: OfferSink,
    /// Where inverse offers go.
    pub inverse_offers: InverseOfferSink,
}

/// Why an operator's operation was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAvailableError {
    /// The slave was removed meanwhile.
    #[error("Slave {0} is unknown")]
    UnknownSlave(SlaveId),
    /// What is free does not hold what the operation needs.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The allocator ended before it could answer.
    #[error("the allocator is gone")]
    Gone,
}

/// Decides which framework is offered what. What is offered counts as used until it comes back
/// by [`Allocator::recover_resources`].
pub trait Allocator: Send {
    /// Begins to allocate. Called once, before everything else.
    fn initialize(&mut self, options: Options);

    /// Tells what a master that has just been elected recovered: how many slaves to expect, and
    /// the quotas by role. Called before the first slave is added.
    fn recover(&self, expected_slaves: usize, quotas: BTreeMap<String, QuotaInfo>);

    /// A framework takes part from now on, and uses so much already, by slave.
    fn add_framework(
        &self,
        id: &FrameworkId,
        info: &FrameworkInfo,
        used: BTreeMap<SlaveId, Resources>,
    );

    /// A framework is gone. What it held no longer counts against its role; it is free once it
    /// has been recovered.
    fn remove_framework(&self, id: &FrameworkId);

    /// A framework wants offers again.
    fn activate_framework(&self, id: &FrameworkId);

    /// A framework gets no offers until it is activated; what it holds it keeps.
    fn deactivate_framework(&self, id: &FrameworkId);

    /// A framework's capabilities may have changed.
    fn update_framework(&self, id: &FrameworkId, info: &FrameworkInfo);

    /// A slave takes part from now on.
    fn add_slave(&self, id: &SlaveId, slave: NewSlave<'_>);

    /// A slave is gone with all its resources; nothing of it has to be recovered any more.
    fn remove_slave(&self, id: &SlaveId);

    /// A slave's revocable resources are these from now on, whether allocated or not.
    fn update_slave(&self, id: &SlaveId, oversubscribed: Resources);

    /// A slave's resources are offered again.
    fn activate_slave(&self, id: &SlaveId);

    /// A slave's resources are not offered until it is activated.
    fn deactivate_slave(&self, id: &SlaveId);

    /// Only slaves on these hosts are offered from now on; all if `None`.
    fn update_whitelist(&self, hosts: Option<BTreeSet<String>>);

    /// A framework says what it would like.
    fn request_resources(&self, id: &FrameworkId, requests: Vec<Request>);

    /// A framework reserves, unreserves, creates or destroys among what it was offered of a slave;
    /// the master has checked that it can.
    fn update_allocation(
        &self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        operations: Vec<Operation>,
    );

    /// An operator does the same among what nobody was offered of a slave.
    fn update_available(
        &self,
        slave_id: &SlaveId,
        operations: Vec<Operation>,
    ) -> Answer<Result<(), UpdateAvailableError>>;

    /// A slave will not be there for a while; `None` if it will stay.
    fn update_unavailability(&self, id: &SlaveId, unavailability: Option<Unavailability>);

    /// An inverse offer was answered, or revoked if `status` is `None`.
    fn update_inverse_offer(&self, update: InverseOfferUpdate);

    /// How all inverse offers stand.
    fn inverse_offer_statuses(&self) -> Answer<InverseOfferStatuses>;

    /// Resources of a framework on a slave are free. With filters the framework refuses them for
    /// a while. Neither framework nor slave needs to be known any more.
    fn recover_resources(
        &self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        resources: Resources,
        filters: Option<Filters>,
    );

    /// A framework wants no offers until it revives.
    fn suppress_offers(&self, id: &FrameworkId);

    /// A framework takes back all that it refused, and its suppression.
    fn revive_offers(&self, id: &FrameworkId);

    /// A role is guaranteed so much.
    fn set_quota(&self, role: &str, quota: QuotaInfo);

    /// A role is guaranteed nothing any more.
    fn remove_quota(&self, role: &str);

    /// Roles weigh so much from now on.
    fn update_weights(&self, weights: Vec<WeightInfo>);
}

/// A slave that takes part in allocation from now on.
pub struct NewSlave<'a> {
    /// What the slave says of itself; its resources are those of its flags.
    pub info: &'a SlaveInfo,
    /// When the slave's machine will be down, if that is planned.
    pub unavailability: Option<Unavailability>,
    /// All that the slave has, reservations and volumes applied.
    pub total: Resources,
    /// What is used of it, by framework; the frameworks need not be known.
    pub used: BTreeMap<FrameworkId, Resources>,
}

/// What became of an inverse offer.
pub struct InverseOfferUpdate {
    /// The slave that it was about.
    pub slave_id: SlaveId,
    /// The framework that was asked.
    pub framework_id: FrameworkId,
    /// What it was about, if the offer is still known.
    pub unavailable: Option<UnavailableResources>,
    /// The framework's answer; `None` if the offer was revoked or ran out.
    pub status: Option<InverseOfferStatus>,
    /// How long the framework does not want to be asked again.
    pub filters: Option<Filters>,
}
