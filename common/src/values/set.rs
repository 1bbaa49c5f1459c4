//! Sets of names that remember the order in which the names came.
//! Never holds a name twice. Upstream: `Value::Set` and its operators.

use std::collections::HashSet;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// Distinct names; equality ignores their order, printing keeps it.
#[derive(Clone, Debug, Default)]
pub struct Set(Vec<String>);

impl Set {
    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every name of `other` is held.
    pub fn contains(&self, other: &Set) -> bool {
        if other.len() > self.len() {
            return false;
        }
        let held: HashSet<&str> = self.iter().collect();
        other.iter().all(|item| held.contains(item))
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        self.0 == other.0 || (self.len() == other.len() && self.contains(other))
    }
}

impl Eq for Set {}

/// A name that comes again is dropped.
impl<T: Into<String>> FromIterator<T> for Set {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Set {
        let mut set = Set::default();
        let mut seen = HashSet::new();
        for item in items {
            let item = item.into();
            if seen.insert(item.clone()) {
                set.0.push(item);
            }
        }
        set
    }
}

impl AddAssign<&Set> for Set {
    fn add_assign(&mut self, other: &Set) {
        *self = std::mem::take(&mut self.0).into_iter().chain(other.0.iter().cloned()).collect();
    }
}

impl SubAssign<&Set> for Set {
    fn sub_assign(&mut self, other: &Set) {
        let removed: HashSet<&str> = other.iter().collect();
        self.0.retain(|item| !removed.contains(item.as_str()));
    }
}

impl Add<&Set> for Set {
    type Output = Set;
    fn add(mut self, other: &Set) -> Set {
        self += other;
        self
    }
}

impl Sub<&Set> for Set {
    type Output = Set;
    fn sub(mut self, other: &Set) -> Set {
        self -= other;
        self
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0.join(", "))
    }
}
