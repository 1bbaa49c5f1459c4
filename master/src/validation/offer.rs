//! May these offers be used together? Upstream: `validation::offer`.

use std::collections::BTreeSet;

use common::ids::{FrameworkId, OfferId, SlaveId};

use crate::state::Cluster;

/// Why offers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefusal {
    /// None is named.
    #[error("No offers specified")]
    NoOffers,
    /// One is named twice.
    #[error("Duplicate offer {0} in offer list")]
    Duplicate(OfferId),
    /// One was answered or taken back, or never was.
    #[error("Offer {0} is no longer valid")]
    Unknown(OfferId),
    /// One is another framework's.
    #[error(
        "Offer {offer_id} has invalid framework {actual} while framework {expected} is expected"
    )]
    Framework {
        /// The offer.
        offer_id: OfferId,
        /// Whose it is.
        actual: FrameworkId,
        /// Who wants to use it.
        expected: FrameworkId,
    },
    /// They are of several slaves.
    #[error(
        "Aggregated offers must belong to one single slave. Offer {offer_id} uses slave {slave_id} \
         and slave {first}"
    )]
    MixedSlaves {
        /// The offer that does not fit.
        offer_id: OfferId,
        /// Its slave.
        slave_id: SlaveId,
        /// The slave of the offers before.
        first: SlaveId,
    },
}

/// Whether a framework may use the offers, and on which slave.
pub fn validate(
    cluster: &Cluster,
    framework_id: &FrameworkId,
    offer_ids: &[OfferId],
) -> Result<SlaveId, OfferRefusal> {
    let mut seen = BTreeSet::new();
    if let Some(duplicate) = offer_ids.iter().find(|id| !seen.insert(*id)) {
        return Err(OfferRefusal::Duplicate(duplicate.clone()));
    }
    for id in offer_ids {
        let offer = cluster.offer(id).ok_or_else(|| OfferRefusal::Unknown(id.clone()))?;
        if offer.framework_id != *framework_id {
            return Err(OfferRefusal::Framework {
                offer_id: id.clone(),
                actual: offer.framework_id.clone(),
                expected: framework_id.clone(),
            });
        }
    }
    let mut slaves = offer_ids.iter().filter_map(|id| cluster.offer(id));
    let first = slaves.next().ok_or(OfferRefusal::NoOffers)?.slave_id.clone();
    match slaves.find(|offer| offer.slave_id != first) {
        None => Ok(first),
        Some(offer) => Err(OfferRefusal::MixedSlaves {
            offer_id: offer.id.clone(),
            slave_id: offer.slave_id.clone(),
            first,
        }),
    }
}
