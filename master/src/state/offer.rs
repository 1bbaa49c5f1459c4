//! An outstanding offer: resources of one slave that a framework may use until it answers.
//! Upstream: `Offer` as `Master::offers` holds it.

use common::ids::{FrameworkId, OfferId, SlaveId};
use common::resources::Resources;

/// An offer that was sent and neither answered nor taken back.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its name.
    pub id: OfferId,
    /// Who may use it.
    pub framework_id: FrameworkId,
    /// Whose resources they are.
    pub slave_id: SlaveId,
    /// What may be used.
    pub resources: Resources,
}
