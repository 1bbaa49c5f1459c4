//! What must hold of the shares whatever happened, for tests.

use std::collections::BTreeMap;

use super::{FrameworkKey, Shares};
use crate::allocator::quantities::{Amounts, Kind, Name, Sums};

/// What the slaves have and what is held of them, piece by piece.
#[derive(Default)]
pub(in crate::allocator) struct Expected {
    pub(in crate::allocator) total: Vec<Amounts>,
    pub(in crate::allocator) held: Vec<(FrameworkKey, Amounts)>,
}

impl Shares {
    /// Every sum here is the sum of the pieces.
    pub(in crate::allocator) fn check_invariants(&self, expected: &Expected) {
        assert_eq!(self.total, by_kind(expected.total.iter()));
        assert_eq!(self.held, by_kind(expected.held.iter().map(|(_, amounts)| amounts)));
        assert_eq!(*self.by_role.total(), by_name(expected.total.iter()));
        assert_eq!(*self.by_quota.total(), lasting(expected.total.iter()));
        let mut frameworks: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, framework) in &self.frameworks {
            let role = &self.roles[framework.role.0];
            let held = expected.held.iter().filter(|(other, _)| other.0 == key);
            let held = by_name(held.map(|(_, amounts)| amounts));
            assert_eq!(*role.frameworks.held(framework.client), held, "{}", framework.id);
            *frameworks.entry(&role.name).or_default() += 1;
        }
        for (key, role) in &self.roles {
            let held = || {
                let all = expected.held.iter();
                let of_role = all.filter(|(other, _)| self.frameworks[other.0].role.0 == key);
                of_role.map(|(_, amounts)| amounts)
            };
            let count = frameworks.get(role.name.as_str()).copied().unwrap_or(0);
            assert_eq!(role.frameworks.count(), count, "{}", role.name);
            assert_eq!(*role.frameworks.total(), by_name(held()), "{}", role.name);
            assert_eq!(role.client.is_some(), count > 0, "{}", role.name);
            assert!(count > 0 || role.quota.is_some(), "{} is unused", role.name);
            if let Some(client) = role.client {
                assert_eq!(*self.by_role.held(client), by_name(held()), "{}", role.name);
            }
            if let Some(quota) = &role.quota {
                assert_eq!(*self.by_quota.held(quota.client), lasting(held()), "{}", role.name);
            }
        }
    }
}

fn by_kind<'a>(pieces: impl Iterator<Item = &'a Amounts>) -> Sums<Kind> {
    sum(pieces, |sums, piece| sums.add(piece.iter()))
}

fn by_name<'a>(pieces: impl Iterator<Item = &'a Amounts>) -> Sums<Name> {
    sum(pieces, |sums, piece| sums.add(piece.by_name()))
}

fn lasting<'a>(pieces: impl Iterator<Item = &'a Amounts>) -> Sums<Name> {
    sum(pieces, |sums, piece| sums.add(piece.lasting()))
}

fn sum<'a, K>(
    pieces: impl Iterator<Item = &'a Amounts>,
    add: impl Fn(&mut Sums<K>, &Amounts),
) -> Sums<K> {
    let mut sums = Sums::default();
    pieces.for_each(|piece| add(&mut sums, piece));
    sums
}
