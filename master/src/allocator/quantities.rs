//! Scalar amounts under numbers instead of names: what shares, quotas and the free rest of the
//! cluster are computed with, exactly and without comparing texts.
//! Used by the sorters and by everything here that sums over slaves. Knows nothing of ranges and
//! sets, reservations' principals and labels, or volumes: those are stripped.
//! Upstream: `Resources::createStrippedScalarQuantity` and the sums made of it.

use std::collections::HashMap;

use common::resources::Resources;
use common::values::Scalar;

/// The name of a scalar resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

impl Name {
    /// `cpus`.
    pub(super) const CPUS: Name = Name(0);
    /// `mem`.
    pub(super) const MEM: Name = Name(1);
}

/// What can be added up: one name, one role, revocable or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    id: u32,
    pub(super) name: Name,
    pub(super) is_revocable: bool,
}

/// All kinds seen so far. None is ever forgotten: there are as many as slaves and frameworks have
/// named, which is few.
pub(super) struct Kinds {
    names: HashMap<Box<str>, u32>,
    roles: HashMap<Box<str>, u32>,
    kinds: HashMap<(Name, u32, bool), Kind>,
}

impl Default for Kinds {
    fn default() -> Kinds {
        let mut names = HashMap::new();
        for (name, text) in [(Name::CPUS, "cpus"), (Name::MEM, "mem")] {
            assert_eq!(Name(number(&mut names, text)), name);
        }
        Kinds { names, roles: HashMap::new(), kinds: HashMap::new() }
    }
}

fn number(numbers: &mut HashMap<Box<str>, u32>, text: &str) -> u32 {
    if let Some(&number) = numbers.get(text) {
        return number;
    }
    let number = numbers.len() as u32;
    numbers.insert(text.into(), number);
    number
}

impl Kinds {
    /// The scalars among some resources.
    pub(super) fn measure(&mut self, resources: &Resources) -> Amounts {
        let mut amounts: Vec<(Kind, i128)> = Vec::with_capacity(resources.len());
        for resource in resources {
            let Some(scalar) = resource.scalar() else { continue };
            let kind = self.kind(resource.name(), resource.role(), resource.is_revocable());
            let amount = i128::from(scalar.milli());
            // Volumes and reservations are entries of their own, and of one kind here.
            match amounts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, sum)) => *sum += amount,
                None => amounts.push((kind, amount)),
            }
        }
        Amounts(amounts)
    }

    fn kind(&mut self, name: &str, role: &str, is_revocable: bool) -> Kind {
        let name = Name(number(&mut self.names, name));
        let role = number(&mut self.roles, role);
        let id = self.kinds.len() as u32;
        let kind = Kind { id, name, is_revocable };
        *self.kinds.entry((name, role, is_revocable)).or_insert(kind)
    }
}

/// How much there is of each kind, in thousandths; each kind once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Amounts(Vec<(Kind, i128)>);

impl Amounts {
    /// By kind.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Kind, i128)> + '_ {
        self.0.iter().copied()
    }

    /// By name, all kinds; a name may come more than once.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (Name, i128)> + '_ {
        self.iter().map(|(kind, amount)| (kind.name, amount))
    }

    /// By name, without what is revocable; a name may come more than once.
    pub(super) fn lasting(&self) -> impl Iterator<Item = (Name, i128)> + '_ {
        let lasting = self.iter().filter(|(kind, _)| !kind.is_revocable);
        lasting.map(|(kind, amount)| (kind.name, amount))
    }
}

/// A sum for each key, in thousandths, in the order of the keys. Wide enough for what any number
/// of slaves may claim, so that what was added can always be taken away again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums<K>(Vec<(K, i128)>);

impl<K> Default for Sums<K> {
    fn default() -> Sums<K> {
        Sums(Vec::new())
    }
}

impl<K: Copy + Ord> Sums<K> {
    /// Adds amounts.
    pub(super) fn add(&mut self, amounts: impl Iterator<Item = (K, i128)>) {
        amounts.for_each(|(key, amount)| self.add_one(key, amount));
    }

    /// Takes amounts away.
    pub(super) fn subtract(&mut self, amounts: impl Iterator<Item = (K, i128)>) {
        amounts.for_each(|(key, amount)| self.add_one(key, -amount));
    }

    /// The sum for a key.
    pub(super) fn get(&self, key: K) -> i128 {
        match self.position(key) {
            Ok(index) => self.0[index].1,
            Err(_) => 0,
        }
    }

    /// All sums but those that are zero.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, i128)> + '_ {
        self.0.iter().copied()
    }

    fn position(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(key, _)| *key)
    }

    fn add_one(&mut self, key: K, amount: i128) {
        match self.position(key) {
            Ok(index) => {
                self.0[index].1 += amount;
                if self.0[index].1 == 0 {
                    self.0.remove(index);
                }
            }
            Err(_) if amount == 0 => {}
            Err(index) => self.0.insert(index, (key, amount)),
        }
    }
}

/// The double that upstream computes with for an amount.
pub(super) fn to_double(milli: i128) -> f64 {
    match i64::try_from(milli) {
        Ok(milli) => Scalar::from_milli(milli).to_f64(),
        Err(_) => milli as f64 / 1000.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(kinds: &mut Kinds, text: &str) -> Amounts {
        kinds.measure(&text.parse().expect("resources"))
    }

    #[test]
    fn names_roles_and_revocability_are_told_apart_and_ranges_left_out() {
        let mut kinds = Kinds::default();
        let amounts = measure(&mut kinds, "cpus:1.5;cpus(a):2;mem:64;ports:[1-9]");
        let by_name: Vec<_> = amounts.by_name().collect();
        assert_eq!(by_name, [(Name::CPUS, 1500), (Name::CPUS, 2000), (Name::MEM, 64_000)]);
        let mut sums = Sums::default();
        sums.add(amounts.iter());
        assert_eq!(sums.iter().count(), 3);
        sums.subtract(measure(&mut kinds, "cpus(a):2").iter());
        sums.subtract(measure(&mut kinds, "cpus:0.5").iter());
        let left: Vec<_> = sums.iter().map(|(kind, sum)| (kind.name, sum)).collect();
        assert_eq!(left, [(Name::CPUS, 1000), (Name::MEM, 64_000)]);
    }

    #[test]
    fn sums_beyond_any_scalar_come_back() {
        let mut sums = Sums::default();
        let huge = [(Name::CPUS, i128::from(i64::MAX))];
        sums.add([(Name::CPUS, 7)].into_iter());
        (0..3).for_each(|_| sums.add(huge.into_iter()));
        (0..3).for_each(|_| sums.subtract(huge.into_iter()));
        assert_eq!(sums.get(Name::CPUS), 7);
    }
}
