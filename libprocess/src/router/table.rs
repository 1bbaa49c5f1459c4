//! A small map by name, filled once and asked often: names in order, in one piece of memory as
//! long as needed. Most actors understand a handful of names, and there may be a million actors.
//! Used by the router only.

/// See the module.
pub(super) struct Table<V> {
    entries: Vec<(Box<str>, V)>,
}

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds an entry, in place of one of the same name.
    pub(super) fn insert(&mut self, name: &str, value: V) {
        match self.find(name) {
            Ok(place) => self.entries[place].1 = value,
            Err(place) => {
                self.entries.reserve_exact(1);
                self.entries.insert(place, (name.into(), value));
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<(&str, &V)> {
        self.find(name).ok().map(|place| {
            let (name, value) = &self.entries[place];
            (&**name, value)
        })
    }

    /// All entries, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_names_counts() {
        let mut table = Table::new();
        for (value, name) in ["b", "a", "", "c", "a"].into_iter().enumerate() {
            table.insert(name, value);
        }
        let all: Vec<_> = table.iter().map(|(name, value)| (name, *value)).collect();
        assert_eq!(all, [("", 2), ("a", 4), ("b", 0), ("c", 3)]);
        assert_eq!(table.get("a"), Some(("a", &4)));
        assert_eq!(table.get("d"), None);
    }
}
