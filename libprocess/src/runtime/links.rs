//! Who is told of the end of which actor in the same runtime.
//! Called by `runtime` under its lock; pure.
//!
//! Upstream: `SocketManager::links`, as far as it concerns local actors.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;

type Ids = HashMap<Arc<str>, BTreeSet<Arc<str>>>;

/// Links between local actors, by their ids, found from either end.
#[derive(Default)]
pub(crate) struct Links {
    linkers: Ids,
    linkees: Ids,
}

impl Links {
    /// Records that `linker` is to be told of the end of `linkee`.
    pub(crate) fn add(&mut self, linker: &Arc<str>, linkee: &Arc<str>) {
        self.linkers.entry(linkee.clone()).or_default().insert(linker.clone());
        self.linkees.entry(linker.clone()).or_default().insert(linkee.clone());
    }

    /// Takes all links to `linkee` out and gives those who made them, in order.
    pub(crate) fn take_linkers(&mut self, linkee: &str) -> BTreeSet<Arc<str>> {
        let linkers = self.linkers.remove(linkee).unwrap_or_default();
        for linker in &linkers {
            remove(&mut self.linkees, linker, linkee);
        }
        linkers
    }

    /// Forgets all links that `linker` made.
    pub(crate) fn forget_linker(&mut self, linker: &str) {
        for linkee in self.linkees.remove(linker).unwrap_or_default() {
            remove(&mut self.linkers, &linkee, linker);
        }
    }
}

fn remove(ids: &mut Ids, key: &str, value: &str) {
    if let Some(values) = ids.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            ids.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_a_set_and_are_used_up() {
        let ids: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).into();
        let [a, b, c] = &ids[..] else { unreachable!() };
        let mut links = Links::default();
        for (linker, linkee) in [(a, c), (a, c), (b, c), (a, b)] {
            links.add(linker, linkee);
        }
        assert_eq!(links.take_linkers("c"), [a.clone(), b.clone()].into());
        assert!(links.take_linkers("c").is_empty());
        links.forget_linker("a");
        assert!(links.take_linkers("b").is_empty());
        assert!(links.linkers.is_empty() && links.linkees.is_empty());
    }
}
