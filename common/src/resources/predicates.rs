//! Questions about one resource. Used as filters of `Resources`.
//! Upstream: `Resources::isReserved` and its neighbours, `needCheckpointing`.

use proto::mesos::resource::disk_info::source;

use super::resource::Resource;
use crate::roles::DEFAULT_ROLE;

impl Resource {
    /// Zero, no range or no item.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Of role `*` without a dynamic reservation.
    pub fn is_unreserved(&self) -> bool {
        self.role == *DEFAULT_ROLE && self.reservation.is_none()
    }

    /// Reserved statically or dynamically, for any role.
    pub fn is_reserved(&self) -> bool {
        !self.is_unreserved()
    }

    /// Reserved for the given role; never true of `*`.
    pub fn is_reserved_for(&self, role: &str) -> bool {
        self.is_reserved() && self.role == *role
    }

    /// Reserved by a framework or an operator at run time.
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservation.is_some()
    }

    /// A disk whose data outlives tasks.
    pub fn is_persistent_volume(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.persistence.is_some())
    }

    /// May be taken away at any time.
    pub fn is_revocable(&self) -> bool {
        self.is_revocable
    }

    /// What a slave must remember over a restart.
    pub fn needs_checkpointing(&self) -> bool {
        self.is_dynamically_reserved() || self.is_persistent_volume()
    }

    /// Usable as a whole only: a persistent volume or a disk mounted exclusively.
    pub fn is_exclusive(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| {
            disk.persistence.is_some()
                || disk.source.as_ref().is_some_and(|s| s.r#type() == source::Type::Mount)
        })
    }
}
