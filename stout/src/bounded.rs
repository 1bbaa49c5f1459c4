//! Collections that never outgrow a capacity and hand back what falls out: removed slaves,
//! finished frameworks, completed tasks. Used by master and slave state.
//! Never hold more than they were made for, also when that is nothing.
//! Upstream: `Cache`, `boost::circular_buffer`.

use std::collections::{BTreeMap, HashMap, VecDeque, vec_deque};
use std::hash::Hash;

/// A map that forgets the entry whose use lies furthest back.
#[derive(Clone, Debug)]
pub struct BoundedMap<K, V> {
    capacity: usize,
    entries: HashMap<K, Entry<V>>,
    /// Keys by the time of their last use; as many as there are entries.
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    value: V,
    last_use: u64,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// An empty map for at most so many entries.
    pub fn new(capacity: usize) -> BoundedMap<K, V> {
        BoundedMap { capacity, entries: HashMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// Adds or replaces an entry, which counts as a use. Returns the entry that had to go:
    /// the oldest one, or this one itself where there is room for nothing.
    pub fn put(&mut self, key: K, value: V) -> Option<(K, V)> {
        if self.capacity == 0 {
            return Some((key, value));
        }
        self.remove(&key);
        let forgotten = if self.len() == self.capacity { self.forget_oldest() } else { None };
        self.uses += 1;
        self.by_use.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { value, last_use: self.uses });
        forgotten
    }

    /// The value of a key; counts as a use.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        let key = self.by_use.remove(&entry.last_use).expect("every entry has its last use");
        self.uses += 1;
        entry.last_use = self.uses;
        self.by_use.insert(self.uses, key);
        Some(&entry.value)
    }

    /// Whether there is an entry; counts as no use.
    pub fn contains_key(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.last_use);
        Some(entry.value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys, the one to be forgotten next first.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_use.values()
    }

    fn forget_oldest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_use.pop_first()?;
        let entry = self.entries.remove(&key)?;
        Some((key, entry.value))
    }
}

/// The last so many values, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<T> {
    capacity: usize,
    values: VecDeque<T>,
}

impl<T> History<T> {
    /// An empty history of at most so many values.
    pub fn new(capacity: usize) -> History<T> {
        History { capacity, values: VecDeque::new() }
    }

    /// Adds a value. Returns the one that had to go: the oldest, or this one itself where
    /// there is room for nothing.
    pub fn push(&mut self, value: T) -> Option<T> {
        if self.capacity == 0 {
            return Some(value);
        }
        let forgotten =
            if self.values.len() == self.capacity { self.values.pop_front() } else { None };
        self.values.push_back(value);
        forgotten
    }

    /// The values, the oldest first.
    pub fn iter(&self) -> vec_deque::Iter<'_, T> {
        self.values.iter()
    }

    /// The values for changing in place, the oldest first.
    pub fn iter_mut(&mut self) -> vec_deque::IterMut<'_, T> {
        self.values.iter_mut()
    }

    /// Keeps only the values that a test accepts.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.values.retain(keep);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<'a, T> IntoIterator for &'a History<T> {
    type Item = &'a T;
    type IntoIter = vec_deque::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cache_test_insert() {
        let mut cache = BoundedMap::new(1);
        assert_eq!(cache.put(1, "a"), None);
        assert_eq!(cache.put(2, "b"), Some((1, "a")));
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&2), Some(&"b"));
    }

    #[test]
    fn cache_test_update() {
        let mut cache = BoundedMap::new(2);
        cache.put(1, "a");
        cache.put(2, "b");
        assert_eq!(cache.put(1, "c"), None);
        assert_eq!(cache.get(&1), Some(&"c"));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn cache_test_erase() {
        let mut cache = BoundedMap::new(2);
        cache.put(1, "a");
        assert_eq!(cache.remove(&1), Some("a"));
        assert_eq!(cache.remove(&1), None);
        assert!(cache.is_empty());
    }

    #[test]
    fn cache_test_lru_eviction() {
        let mut cache = BoundedMap::new(2);
        cache.put(1, "a");
        cache.put(2, "b");
        assert_eq!(cache.get(&1), Some(&"a"));
        assert_eq!(cache.put(3, "c"), Some((2, "b")));
        assert_eq!(cache.keys().collect::<Vec<_>>(), [&1, &3]);
    }

    #[test]
    fn capacity_zero_keeps_nothing() {
        let mut cache = BoundedMap::new(0);
        assert_eq!(cache.put(1, "a"), Some((1, "a")));
        assert!(cache.is_empty());
        let mut history = History::new(0);
        assert_eq!(history.push(1), Some(1));
        assert!(history.is_empty());
    }

    #[test]
    fn histories_forget_the_oldest_value() {
        let mut history = History::new(2);
        assert_eq!((history.push(1), history.push(2), history.push(3)), (None, None, Some(1)));
        assert_eq!(history.iter().collect::<Vec<_>>(), [&2, &3]);
        history.retain(|value| *value != 2);
        assert_eq!(history.len(), 1);
    }

    proptest! {
        #[test]
        fn bounds_hold(capacity in 0_usize..5, puts in prop::collection::vec(0_u8..10, 0..50)) {
            let mut cache = BoundedMap::new(capacity);
            for key in puts {
                cache.put(key, ());
                cache.get(&(key / 2));
                prop_assert!(cache.len() <= capacity);
                prop_assert_eq!(cache.keys().count(), cache.len());
                prop_assert_eq!(cache.contains_key(&key), capacity > 0);
            }
        }
    }
}
