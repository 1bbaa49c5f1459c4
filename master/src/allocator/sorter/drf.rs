//! Clients in the order of their dominant shares: who has least of what he has most of is served
//! first. Called by the allocator for roles and, in each role, for frameworks.
//! Shares are brought up to date only when the order is asked for, and the order of last time is
//! where sorting starts: most often little has moved. Upstream: `DRFSorter`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use slab::Slab;

use crate::allocator::quantities::{Name, Sums, to_double};

/// Names a client of one sorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::allocator) struct ClientKey(usize);

struct Client<T> {
    who: T,
    weight: f64,
    held: Sums<Name>,
    /// `held` once more: shares are computed far more often than it changes.
    held_doubles: Vec<(Name, f64)>,
    /// How often the client was given something since it was added or activated.
    allocations: u64,
    /// How many clients have a name that is less.
    names_before: usize,
}

impl<T> Client<T> {
    fn change(&mut self, change: impl FnOnce(&mut Sums<Name>)) {
        change(&mut self.held);
        self.held_doubles.clear();
        self.held_doubles.extend(self.held.iter().map(|(name, held)| (name, to_double(held))));
    }

    /// The greatest part that the client holds of any total, by its weight. Both lists are in the
    /// order of their names.
    fn share(&self, totals: &[(Name, f64)]) -> f64 {
        let mut totals = totals.iter().peekable();
        let mut greatest = 0.0;
        for &(name, held) in &self.held_doubles {
            while totals.next_if(|(other, _)| *other < name).is_some() {}
            if let Some((_, total)) = totals.next_if(|(other, _)| *other == name) {
                greatest = f64::max(greatest, held / total);
            }
        }
        greatest / self.weight
    }
}

/// A client's place in the order: by share, then by who came off worse so far, then by name.
#[derive(Clone, Copy)]
struct Place {
    share: f64,
    allocations: u64,
    names_before: usize,
    key: ClientKey,
}

impl Place {
    fn cmp(&self, other: &Place) -> Ordering {
        self.share
            .total_cmp(&other.share)
            .then_with(|| self.allocations.cmp(&other.allocations))
            .then_with(|| self.names_before.cmp(&other.names_before))
    }
}

/// The clients and what they hold of a total. `T` is what the owner calls a client.
/// Upstream: `DRFSorter`.
pub(in crate::allocator) struct DrfSorter<T> {
    total: Sums<Name>,
    clients: Slab<Client<T>>,
    by_name: BTreeMap<String, ClientKey>,
    /// The active ones, first come first served.
    order: Vec<Place>,
    /// Something has changed since the order was made.
    is_stale: bool,
}

impl<T> Default for DrfSorter<T> {
    fn default() -> DrfSorter<T> {
        DrfSorter {
            total: Sums::default(),
            clients: Slab::new(),
            by_name: BTreeMap::new(),
            order: Vec::new(),
            is_stale: false,
        }
    }
}

impl<T: Copy> DrfSorter<T> {
    /// Takes in an active client that holds nothing. Of clients with equal claims the one whose
    /// name is less comes first.
    pub(in crate::allocator) fn add(&mut self, who: T, name: &str, weight: f64) -> ClientKey {
        let key = ClientKey(self.clients.insert(Client {
            who,
            weight,
            held: Sums::default(),
            held_doubles: Vec::new(),
            allocations: 0,
            names_before: 0,
        }));
        self.by_name.insert(name.to_owned(), key);
        self.count_names();
        self.enter(key);
        key
    }

    /// Forgets a client and all it holds; the total stays.
    pub(in crate::allocator) fn remove(&mut self, key: ClientKey) {
        self.order.retain(|place| place.key != key);
        self.clients.remove(key.0);
        self.by_name.retain(|_, other| *other != key);
        self.count_names();
    }

    /// Divides a client's share by another weight from now on.
    pub(in crate::allocator) fn set_weight(&mut self, key: ClientKey, weight: f64) {
        self.clients[key.0].weight = weight;
        self.is_stale = true;
    }

    /// Puts a client back into the order, behind nobody for what it was given earlier.
    pub(in crate::allocator) fn activate(&mut self, key: ClientKey) {
        if !self.is_active(key) {
            self.clients[key.0].allocations = 0;
            self.enter(key);
        }
    }

    /// Takes a client out of the order; what it holds still counts.
    pub(in crate::allocator) fn deactivate(&mut self, key: ClientKey) {
        self.order.retain(|place| place.key != key);
    }

    /// Whether a client is in the order.
    pub(in crate::allocator) fn is_active(&self, key: ClientKey) -> bool {
        self.order.iter().any(|place| place.key == key)
    }

    /// How many clients there are, active or not.
    pub(in crate::allocator) fn count(&self) -> usize {
        self.clients.len()
    }

    /// What a client holds.
    pub(in crate::allocator) fn held(&self, key: ClientKey) -> &Sums<Name> {
        &self.clients[key.0].held
    }

    /// What there is to hold.
    #[cfg(test)]
    pub(in crate::allocator) fn total(&self) -> &Sums<Name> {
        &self.total
    }

    /// A client was given something.
    pub(in crate::allocator) fn allocated(
        &mut self,
        key: ClientKey,
        amounts: impl Iterator<Item = (Name, i128)>,
    ) {
        let client = &mut self.clients[key.0];
        client.change(|held| held.add(amounts));
        client.allocations += 1;
        self.is_stale = true;
    }

    /// A client gave something back.
    pub(in crate::allocator) fn unallocated(
        &mut self,
        key: ClientKey,
        amounts: impl Iterator<Item = (Name, i128)>,
    ) {
        self.clients[key.0].change(|held| held.subtract(amounts));
        self.is_stale = true;
    }

    /// What a client holds has become something else. Upstream: `update`.
    pub(in crate::allocator) fn exchanged(
        &mut self,
        key: ClientKey,
        given: impl Iterator<Item = (Name, i128)>,
        taken: impl Iterator<Item = (Name, i128)>,
    ) {
        self.clients[key.0].change(|held| {
            held.subtract(given);
            held.add(taken);
        });
        self.is_stale = true;
    }

    /// The total grows.
    pub(in crate::allocator) fn grow(&mut self, amounts: impl Iterator<Item = (Name, i128)>) {
        self.total.add(amounts);
        self.is_stale = true;
    }

    /// The total shrinks.
    pub(in crate::allocator) fn shrink(&mut self, amounts: impl Iterator<Item = (Name, i128)>) {
        self.total.subtract(amounts);
        self.is_stale = true;
    }

    /// Brings the order up to date; until the next call it stays, whatever happens.
    pub(in crate::allocator) fn sort(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let positive = self.total.iter().filter(|(_, total)| *total > 0);
        let totals: Vec<_> = positive.map(|(name, total)| (name, to_double(total))).collect();
        for place in &mut self.order {
            let client = &self.clients[place.key.0];
            place.share = client.share(&totals);
            place.allocations = client.allocations;
            place.names_before = client.names_before;
        }
        self.order.sort_by(Place::cmp);
    }

    /// Who is at a position of the order.
    pub(in crate::allocator) fn at(&self, position: usize) -> Option<T> {
        self.order.get(position).map(|place| self.clients[place.key.0].who)
    }

    fn enter(&mut self, key: ClientKey) {
        self.order.push(Place { share: 0.0, allocations: 0, names_before: 0, key });
        self.is_stale = true;
    }

    /// So that the order is made without comparing texts: clients come and go seldom.
    fn count_names(&mut self) {
        for (names_before, key) in self.by_name.values().enumerate() {
            self.clients[key.0].names_before = names_before;
        }
        self.is_stale = true;
    }
}

#[cfg(test)]
mod tests;
