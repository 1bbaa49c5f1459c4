//! Makes the ids of what a master admits. Unique because a master's own id is.
//! Upstream: `Master::newFrameworkId`, `newSlaveId`, `newOfferId`.

use common::ids::{FrameworkId, OfferId, SlaveId};

/// Counts from 0 in each master.
#[derive(Clone, Debug)]
pub struct Ids {
    master_id: String,
    frameworks: u64,
    slaves: u64,
    offers: u64,
}

impl Ids {
    /// For the master of this id.
    pub fn new(master_id: &str) -> Ids {
        Ids { master_id: master_id.to_owned(), frameworks: 0, slaves: 0, offers: 0 }
    }

    /// `<master id>-0000`.
    pub fn next_framework(&mut self) -> FrameworkId {
        let number = take(&mut self.frameworks);
        format!("{}-{number:04}", self.master_id).into()
    }

    /// `<master id>-S0`.
    pub fn next_slave(&mut self) -> SlaveId {
        let number = take(&mut self.slaves);
        format!("{}-S{number}", self.master_id).into()
    }

    /// `<master id>-O0`, for offers and inverse offers alike.
    pub fn next_offer(&mut self) -> OfferId {
        let number = take(&mut self.offers);
        format!("{}-O{number}", self.master_id).into()
    }
}

fn take(counter: &mut u64) -> u64 {
    let number = *counter;
    *counter += 1;
    number
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn ids_count_from_zero_for_each_kind() {
        let mut ids = Ids::new("m");
        assert_eq!(ids.next_framework().as_str(), "m-0000");
        assert_eq!(ids.next_framework().as_str(), "m-0001");
        assert_eq!(ids.next_slave().as_str(), "m-S0");
        assert_eq!(ids.next_offer().as_str(), "m-O0");
        assert_eq!(ids.next_slave().as_str(), "m-S1");
    }
}
