//! Tests of the allocator as the master meets it: the actor on a runtime whose clock stands still.

mod events;
mod hierarchical_allocator;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use proto::mesos::framework_info::{Capability, capability};
use proto::mesos::offer::{Operation, operation};
use proto::mesos::quota::QuotaInfo;
use proto::mesos::resource::{DiskInfo, ReservationInfo, disk_info};
use proto::mesos::{self, Filters, FrameworkInfo, SlaveInfo, Volume, volume};

use crate::allocator::{Allocator, HierarchicalAllocator, NewSlave, Options, UnavailableResources};

type Offers = BTreeMap<SlaveId, Resources>;
type InverseOffers = BTreeMap<SlaveId, UnavailableResources>;

const INTERVAL: Duration = Duration::from_secs(1);

/// An allocator and what it offers.
struct Cluster {
    runtime: Runtime,
    allocator: HierarchicalAllocator,
    interval: Duration,
    offers: Receiver<(FrameworkId, Offers)>,
    inverse_offers: Receiver<(FrameworkId, InverseOffers)>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        wait(self.runtime.shutdown());
    }
}

fn cluster() -> Cluster {
    cluster_with_interval(INTERVAL)
}

fn cluster_with_interval(interval: Duration) -> Cluster {
    let runtime = runtime();
    runtime.clock().pause();
    let mut allocator = HierarchicalAllocator::new(&runtime, 7);
    let (offer, offers) = channel();
    let (ask, inverse_offers) = channel();
    allocator.initialize(Options {
        allocation_interval: interval,
        weights: BTreeMap::new(),
        offers: Box::new(move |id, slaves| offer.send((id, slaves)).expect("the test listens")),
        inverse_offers: Box::new(move |id, slaves| ask.send((id, slaves)).expect("as above")),
    });
    Cluster { runtime, allocator, interval, offers, inverse_offers }
}

impl Cluster {
    fn settle(&self) {
        wait(self.runtime.settle());
    }

    fn advance(&self, duration: Duration) {
        self.settle();
        self.runtime.clock().advance(duration);
        self.settle();
    }

    /// Lets the next batch allocation happen.
    fn next_batch(&self) {
        self.advance(self.interval);
    }

    fn add_framework(&self, id: &str, role: &str) -> FrameworkId {
        self.add_framework_with(id, role, &[])
    }

    fn add_revocable_framework(&self, id: &str, role: &str) -> FrameworkId {
        self.add_framework_with(id, role, &[capability::Type::RevocableResources])
    }

    fn add_framework_with(
        &self,
        id: &str,
        role: &str,
        capabilities: &[capability::Type],
    ) -> FrameworkId {
        let id = FrameworkId::from(id);
        let capabilities =
            capabilities.iter().map(|kind| Capability { r#type: Some((*kind).into()) }).collect();
        let role = Some(role.to_owned());
        let info = FrameworkInfo { role, capabilities, ..FrameworkInfo::default() };
        self.allocator.add_framework(&id, &info, BTreeMap::new());
        id
    }

    fn add_slave(&self, id: &str, total: &str) -> SlaveId {
        self.add_used_slave(id, total, [])
    }

    /// A slave on a host of its own name, of which frameworks use something.
    fn add_used_slave<const N: usize>(
        &self,
        id: &str,
        total: &str,
        used: [(&FrameworkId, &str); N],
    ) -> SlaveId {
        let slave_id = SlaveId::from(id);
        let info = SlaveInfo { hostname: id.to_owned(), ..SlaveInfo::default() };
        let used = used.map(|(framework_id, text)| (framework_id.clone(), resources(text)));
        let slave = NewSlave {
            info: &info,
            unavailability: None,
            total: resources(total),
            used: used.into(),
        };
        self.allocator.add_slave(&slave_id, slave);
        slave_id
    }

    fn set_quota(&self, role: &str, guarantee: &str) {
        self.allocator.set_quota(role, quota(guarantee));
    }

    /// All of an offer comes back.
    fn recover(&self, framework_id: &FrameworkId, offers: &Offers) {
        for (slave_id, resources) in offers {
            self.allocator.recover_resources(framework_id, slave_id, resources.clone(), None);
        }
    }

    /// All of an offer comes back, and is not wanted for some seconds.
    fn decline(&self, framework_id: &FrameworkId, offers: &Offers, seconds: f64) {
        for (slave_id, resources) in offers {
            let filters = Some(Filters { refuse_seconds: Some(seconds) });
            self.allocator.recover_resources(framework_id, slave_id, resources.clone(), filters);
        }
    }

    /// The next offer, which there must be.
    #[track_caller]
    fn offer(&self) -> (FrameworkId, Offers) {
        self.settle();
        self.offers.try_recv().expect("an offer")
    }

    /// The next offer is made to a framework and adds up to what is expected.
    #[track_caller]
    fn check_offer(&self, framework_id: &FrameworkId, expected: &str) -> Offers {
        self.check_offer_of(framework_id, &resources(expected))
    }

    #[track_caller]
    fn check_offer_of(&self, framework_id: &FrameworkId, expected: &Resources) -> Offers {
        let (id, offers) = self.offer();
        assert_eq!((id, sum(&offers)), (framework_id.clone(), expected.clone()));
        offers
    }

    #[track_caller]
    fn check_no_offer(&self) {
        self.settle();
        if let Ok(offer) = self.offers.try_recv() {
            panic!("unexpected offer {offer:?}");
        }
    }
}

fn resources(text: &str) -> Resources {
    text.parse().expect("resources")
}

fn sum(offers: &Offers) -> Resources {
    offers.values().fold(Resources::new(), |sum, resources| sum + resources)
}

fn revocable(text: &str) -> Resources {
    let mut messages = resources(text).to_messages();
    messages.iter_mut().for_each(|message| message.revocable = Some(Default::default()));
    Resources::from(&messages)
}

fn quota(guarantee: &str) -> QuotaInfo {
    let guarantee = resources(guarantee).to_messages();
    QuotaInfo { guarantee, ..QuotaInfo::default() }
}

fn reserve(text: &str, role: &str) -> Operation {
    let reservation = ReservationInfo { principal: Some("ops".to_owned()), ..Default::default() };
    let resources = resources(text).flatten_to_reservation(role, &reservation).to_messages();
    Operation {
        r#type: operation::Type::Reserve.into(),
        reserve: Some(operation::Reserve { resources }),
        ..Operation::default()
    }
}

fn create_volume(megabytes: u32) -> Operation {
    let mut volumes = resources(&format!("disk:{megabytes}")).to_messages();
    let persistence = disk_info::Persistence { id: "ID".to_owned(), ..Default::default() };
    let volume = Volume {
        container_path: "data".to_owned(),
        mode: volume::Mode::Rw.into(),
        ..Volume::default()
    };
    volumes[0].disk = Some(DiskInfo {
        persistence: Some(persistence),
        volume: Some(volume),
        ..DiskInfo::default()
    });
    Operation {
        r#type: operation::Type::Create.into(),
        create: Some(operation::Create { volumes }),
        ..Operation::default()
    }
}

fn unavailability(start_secs: i64) -> mesos::Unavailability {
    let start = mesos::TimeInfo { nanoseconds: start_secs * 1_000_000_000 };
    mesos::Unavailability { start, duration: None }
}
