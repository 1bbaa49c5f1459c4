//! A set of log positions, kept as ranges: what is missing from a log is few ranges, however long
//! the log. Called by `acceptor`, `leveldb` and the catch-up. Pure.
//! Upstream: `IntervalSet<uint64_t>`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// The set; ranges neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Positions {
    /// The last position of each range by its first.
    ranges: BTreeMap<u64, u64>,
}

impl Positions {
    /// Adds all positions from `first` to `last`; nothing if `first` is beyond `last`.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Ranges that begin no later than just behind the new one may overlap or touch it.
        while let Some((&from, &to)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if to.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&from);
            (first, last) = (first.min(from), last.max(to));
        }
        self.ranges.insert(first, last);
    }

    /// Takes away all positions from `first` to `last`.
    pub(crate) fn remove(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        while let Some((&from, &to)) = self.ranges.range(..=last).next_back() {
            if to < first {
                break;
            }
            self.ranges.remove(&from);
            if to > last {
                self.ranges.insert(last + 1, to);
            }
            if from < first {
                self.ranges.insert(from, first - 1);
                break;
            }
        }
    }

    /// Takes away all positions before `end`.
    pub(crate) fn remove_before(&mut self, end: u64) {
        if let Some(last) = end.checked_sub(1) {
            self.remove(0, last);
        }
    }

    /// Whether `position` is in the set.
    pub(crate) fn contains(&self, position: u64) -> bool {
        self.ranges.range(..=position).next_back().is_some_and(|(_, &last)| position <= last)
    }

    /// The part of the set from `first` to `last`.
    pub(crate) fn within(&self, first: u64, last: u64) -> Positions {
        let mut part = Positions::default();
        for range in self.ranges() {
            part.insert(first.max(*range.start()), last.min(*range.end()));
        }
        part
    }

    /// The ranges in ascending order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.ranges.iter().map(|(&first, &last)| first..=last)
    }

    /// Takes the lowest position out.
    pub(crate) fn pop_first(&mut self) -> Option<u64> {
        let (first, last) = self.ranges.pop_first()?;
        if first < last {
            self.ranges.insert(first + 1, last);
        }
        Some(first)
    }

    /// How many positions there are.
    pub(crate) fn count(&self) -> u64 {
        let sizes = self.ranges.iter().map(|(first, last)| (last - first).saturating_add(1));
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, range) in self.ranges().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}..{}", range.start(), range.end())?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{any, proptest};

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_what_a_plain_set_holds(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..40, 0_u64..40), 0..40),
        ) {
            let (mut positions, mut plain) = (Positions::default(), BTreeSet::new());
            for (adds, first, last) in steps {
                if adds {
                    positions.insert(first, last);
                    plain.extend(first..=last);
                } else {
                    positions.remove(first, last);
                    plain.retain(|position| !(first..=last).contains(position));
                }
                let listed: Vec<u64> = positions.ranges().flatten().collect();
                assert_eq!(listed, plain.iter().copied().collect::<Vec<_>>());
                assert_eq!(positions.count(), plain.len() as u64);
                let part: Vec<u64> = positions.within(10, 20).ranges().flatten().collect();
                assert_eq!(part, plain.range(10..=20).copied().collect::<Vec<_>>());
                assert_eq!(positions.contains(first), plain.contains(&first));
            }
            assert_eq!(positions.pop_first(), plain.first().copied());
        }
    }
}
