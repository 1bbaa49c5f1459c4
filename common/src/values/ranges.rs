//! Sets of whole numbers as sorted, disjoint, closed ranges.
//! Always coalesced: neighbours and overlaps are one range, so that equality is equality of
//! the lists. Upstream: `Value::Ranges`, `coalesce` and its operators.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// A closed range; `begin` is at most `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first number.
    pub begin: u64,
    /// The last number.
    pub end: u64,
}

/// Sorted ranges with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Whether no number is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// How many ranges (not numbers) there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many numbers are held, saturating.
    pub fn count(&self) -> u64 {
        self.iter().fold(0, |sum: u64, range| {
            sum.saturating_add((range.end - range.begin).saturating_add(1))
        })
    }

    /// Whether every number of `other` is held.
    pub fn contains(&self, other: &Ranges) -> bool {
        other.0.iter().all(|wanted| {
            let next = self.0.partition_point(|range| range.end < wanted.begin);
            self.0.get(next).is_some_and(|r| r.begin <= wanted.begin && wanted.end <= r.end)
        })
    }

    fn coalesced(mut ranges: Vec<Range>) -> Ranges {
        ranges.retain(|range| range.begin <= range.end);
        ranges.sort_unstable();
        let mut result: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match result.last_mut() {
                Some(last) if range.begin <= last.end.saturating_add(1) => {
                    last.end = last.end.max(range.end);
                }
                _ => result.push(range),
            }
        }
        Ranges(result)
    }
}

/// Ranges in any order, overlapping or not; inverted ones hold nothing and are dropped.
impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Ranges {
        Ranges::coalesced(ranges.into_iter().collect())
    }
}

impl AddAssign<&Ranges> for Ranges {
    fn add_assign(&mut self, other: &Ranges) {
        if other.is_empty() {
            return;
        }
        let mut ranges = std::mem::take(&mut self.0);
        ranges.extend_from_slice(&other.0);
        *self = Ranges::coalesced(ranges);
    }
}

impl SubAssign<&Ranges> for Ranges {
    fn sub_assign(&mut self, other: &Ranges) {
        if other.is_empty() {
            return;
        }
        let mut result = Vec::with_capacity(self.0.len());
        for range in &self.0 {
            cut(*range, &other.0, &mut result);
        }
        self.0 = result;
    }
}

impl Add<&Ranges> for Ranges {
    type Output = Ranges;
    fn add(mut self, other: &Ranges) -> Ranges {
        self += other;
        self
    }
}

impl Sub<&Ranges> for Ranges {
    type Output = Ranges;
    fn sub(mut self, other: &Ranges) -> Ranges {
        self -= other;
        self
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, range) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}-{}", range.begin, range.end)?;
        }
        f.write_str("]")
    }
}

/// Pushes what `removals` (sorted, disjoint) leave of `range`.
fn cut(range: Range, removals: &[Range], result: &mut Vec<Range>) {
    let mut begin = range.begin;
    let first = removals.partition_point(|removal| removal.end < range.begin);
    for removal in removals[first..].iter().take_while(|removal| removal.begin <= range.end) {
        if begin < removal.begin {
            result.push(Range { begin, end: removal.begin - 1 });
        }
        if removal.end >= range.end {
            return;
        }
        begin = removal.end + 1;
    }
    result.push(Range { begin, end: range.end });
}
