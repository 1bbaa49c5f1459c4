//! Clients in the order of their dominant shares: who has least of what he has most of is served
//! first. Called by the allocator for roles and, in each role, for frameworks.
//! Shares are brought up to date only when the order is asked for, and the order of last time is
//! where sorting starts: most often little has moved. Upstream: `DRFSorter`.

use std::cmp::Ordering;

use slab::Slab;

use crate::allocator::quantities::{Name, Sums, to_double};

/// Names a client of one sorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::allocator) struct ClientKey(usize);

struct Client<T> {
    who: T,
    name: String,
    weight: f64,
    held: Sums<Name>,
    share: f64,
    /// How often the client was given something since it was added or activated: of two with
    /// equal shares the one that came off worse is first.
    allocations: u64,
}

impl<T> Client<T> {
    fn cmp_rank(&self, other: &Client<T>) -> Ordering {
        self.share
            .total_cmp(&other.share)
            .then_with(|| self.allocations.cmp(&other.allocations))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// What has to be done before the order is right again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Nothing,
    Order,
    SharesAndOrder,
}

/// The clients and what they hold of a total. `T` is what the owner calls a client.
/// Upstream: `DRFSorter`.
pub(in crate::allocator) struct DrfSorter<T> {
    total: Sums<Name>,
    clients: Slab<Client<T>>,
    /// The active ones, first come first served.
    order: Vec<ClientKey>,
    due: Due,
}

impl<T> Default for DrfSorter<T> {
    fn default() -> DrfSorter<T> {
        DrfSorter {
            total: Sums::default(),
            clients: Slab::new(),
            order: Vec::new(),
            due: Due::Nothing,
        }
    }
}

impl<T: Copy> DrfSorter<T> {
    /// Takes in an active client that holds nothing. Of clients with equal claims the one whose
    /// name is less comes first.
    pub(in crate::allocator) fn add(&mut self, who: T, name: &str, weight: f64) -> ClientKey {
        let (held, name) = (Sums::default(), name.to_owned());
        let client = Client { who, name, weight, held, share: 0.0, allocations: 0 };
        let key = ClientKey(self.clients.insert(client));
        self.order.push(key);
        self.require(Due::Order);
        key
    }

    /// Forgets a client and all it holds; the total stays.
    pub(in crate::allocator) fn remove(&mut self, key: ClientKey) {
        self.order.retain(|active| *active != key);
        self.clients.remove(key.0);
    }

    /// Divides a client's share by another weight from now on.
    pub(in crate::allocator) fn set_weight(&mut self, key: ClientKey, weight: f64) {
        self.clients[key.0].weight = weight;
        self.refresh_share(key);
    }

    /// Puts a client back into the order, behind nobody for what it was given earlier.
    pub(in crate::allocator) fn activate(&mut self, key: ClientKey) {
        if self.is_active(key) {
            return;
        }
        self.clients[key.0].allocations = 0;
        self.order.push(key);
        self.refresh_share(key);
    }

    /// Takes a client out of the order; what it holds still counts.
    pub(in crate::allocator) fn deactivate(&mut self, key: ClientKey) {
        self.order.retain(|active| *active != key);
    }

    /// Whether a client is in the order.
    pub(in crate::allocator) fn is_active(&self, key: ClientKey) -> bool {
        self.order.contains(&key)
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
        client.held.add(amounts);
        client.allocations += 1;
        self.refresh_share(key);
    }

    /// A client gave something back.
    pub(in crate::allocator) fn unallocated(
        &mut self,
        key: ClientKey,
        amounts: impl Iterator<Item = (Name, i128)>,
    ) {
        self.clients[key.0].held.subtract(amounts);
        self.refresh_share(key);
    }

    /// What a client holds has become something else. Upstream: `update`.
    pub(in crate::allocator) fn exchanged(
        &mut self,
        key: ClientKey,
        given: impl Iterator<Item = (Name, i128)>,
        taken: impl Iterator<Item = (Name, i128)>,
    ) {
        self.clients[key.0].held.add(taken);
        self.unallocated(key, given);
    }

    /// The total grows.
    pub(in crate::allocator) fn grow(&mut self, amounts: impl Iterator<Item = (Name, i128)>) {
        self.total.add(amounts);
        self.require(Due::SharesAndOrder);
    }

    /// The total shrinks.
    pub(in crate::allocator) fn shrink(&mut self, amounts: impl Iterator<Item = (Name, i128)>) {
        self.total.subtract(amounts);
        self.require(Due::SharesAndOrder);
    }

    /// Brings the order up to date; until the next call it stays, whatever happens.
    pub(in crate::allocator) fn sort(&mut self) {
        if self.due == Due::SharesAndOrder {
            for key in &self.order {
                let client = &mut self.clients[key.0];
                client.share = share(&client.held, &self.total, client.weight);
            }
        }
        if self.due > Due::Nothing {
            let clients = &self.clients;
            self.order.sort_by(|a, b| clients[a.0].cmp_rank(&clients[b.0]));
        }
        self.due = Due::Nothing;
    }

    /// Who is at a position of the order.
    pub(in crate::allocator) fn at(&self, position: usize) -> Option<T> {
        self.order.get(position).map(|key| self.clients[key.0].who)
    }

    fn require(&mut self, due: Due) {
        self.due = self.due.max(due);
    }

    fn refresh_share(&mut self, key: ClientKey) {
        if self.due < Due::SharesAndOrder {
            let client = &mut self.clients[key.0];
            client.share = share(&client.held, &self.total, client.weight);
        }
        self.require(Due::Order);
    }
}

fn share(held: &Sums<Name>, total: &Sums<Name>, weight: f64) -> f64 {
    let fractions = held.iter().filter_map(|(name, held)| {
        let total = total.get(name);
        (total > 0).then(|| to_double(held) / to_double(total))
    });
    fractions.fold(0.0, f64::max) / weight
}

#[cfg(test)]
mod tests;
