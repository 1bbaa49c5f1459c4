//! Who is a member, as far as the nodes tell. Pure, but for those who are told what became of
//! their membership.
//! Called by the actor.
//!
//! Upstream: `GroupProcess::{cache, memberships, owned, unowned}`, `zkBasename`.

use std::collections::BTreeMap;

use libprocess::vlog;
use tokio::sync::watch;

use crate::group::{Members, Membership};

/// What is known of the members.
#[derive(Default)]
pub(super) struct Roll {
    owned: BTreeMap<i32, Entry>,
    others: BTreeMap<i32, Entry>,
    /// `None` if it may have changed since it was read.
    current: Option<Members>,
}

struct Entry {
    membership: Membership,
    cancelled: watch::Sender<Option<bool>>,
}

impl Entry {
    fn new(id: i32, node: &str) -> Entry {
        let (cancelled, receiver) = watch::channel(None);
        let label = label(node).map(str::to_owned);
        let membership = Membership { id, label, node: node.to_owned(), cancelled: receiver };
        Entry { membership, cancelled }
    }

    fn tell(self, requested: bool) {
        self.cancelled.send_replace(Some(requested));
    }
}

impl Roll {
    /// The members, if they are known.
    pub(super) fn current(&self) -> Option<&Members> {
        self.current.as_ref()
    }

    /// They may have changed.
    pub(super) fn invalidate(&mut self) {
        self.current = None;
    }

    /// Whether a member is one that joined through this group.
    pub(super) fn owns(&self, membership: &Membership) -> bool {
        self.owned.contains_key(&membership.id)
    }

    /// A node was made for us.
    pub(super) fn joined(&mut self, node: &str) -> Option<Membership> {
        let id = sequence(node)?;
        let entry = Entry::new(id, node);
        let membership = entry.membership.clone();
        self.owned.insert(id, entry);
        self.invalidate();
        Some(membership)
    }

    /// A member of ours left because it wanted to.
    pub(super) fn left(&mut self, membership: &Membership) {
        if let Some(entry) = self.owned.remove(&membership.id) {
            entry.tell(true);
        }
        self.invalidate();
    }

    /// Nobody is a member for all we know: the session is over. What is ours is lost; of others
    /// we shall see.
    pub(super) fn lose(&mut self) {
        std::mem::take(&mut self.owned).into_values().for_each(|entry| entry.tell(false));
        self.invalidate();
    }

    /// These are the nodes in the group's folder.
    pub(super) fn read(&mut self, nodes: &[String]) -> &Members {
        let mut found = BTreeMap::new();
        for node in nodes {
            match sequence(node) {
                Some(id) => drop(found.insert(id, node)),
                None => vlog!(1, "Found non-sequence node '{node}' in ZooKeeper"),
            }
        }
        for entries in [&mut self.owned, &mut self.others] {
            let gone = entries.extract_if(.., |id, _| !found.contains_key(id));
            gone.for_each(|(_, entry)| entry.tell(false));
        }
        found.retain(|id, _| !self.owned.contains_key(id));
        for (id, node) in found {
            self.others.entry(id).or_insert_with(|| Entry::new(id, node));
        }
        let entries = self.owned.values().chain(self.others.values());
        let members = entries.map(|entry| (entry.membership.id, entry.membership.clone()));
        self.current.insert(members.collect())
    }
}

/// What a node's name begins with for members of this kind.
pub(super) fn prefix(label: Option<&str>) -> String {
    label.map(|label| format!("{label}_")).unwrap_or_default()
}

/// The number behind the last underscore, if the node is a member at all.
fn sequence(node: &str) -> Option<i32> {
    node.rsplit('_').find(|part| !part.is_empty())?.parse().ok()
}

/// What is before the first underscore.
fn label(node: &str) -> Option<&str> {
    let mut parts = node.split('_').filter(|part| !part.is_empty());
    let first = parts.next()?;
    parts.next().map(|_| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(roll: &mut Roll, nodes: &[&str]) -> Vec<(i32, Option<String>)> {
        let nodes: Vec<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
        let members = roll.read(&nodes).values();
        members.map(|member| (member.id, member.label.clone())).collect()
    }

    fn fate(membership: &Membership) -> Option<bool> {
        *membership.cancelled.borrow()
    }

    #[test]
    fn members_are_nodes_that_end_in_a_number() {
        let check = |node: &str, expected: Option<(i32, Option<&str>)>| {
            let found = sequence(node).map(|id| (id, label(node)));
            assert_eq!(found, expected, "{node}");
        };
        check("0000000007", Some((7, None)));
        check("json.info_0000000001", Some((1, Some("json.info"))));
        check("info_-2147483647", Some((-2_147_483_647, Some("info"))));
        check("_0000000003", Some((3, None)));
        check("a_b_0000000003", Some((3, Some("a"))));
        check("log_replicas", None);
        check("info_2147483648", None);
        check("", None);
        check("__", None);
    }

    #[test]
    fn the_lowest_number_is_first_whatever_its_label() {
        let nodes = ["json.info_0000000010", "0000000011", "log_replicas", "info_0000000009"];
        let members = read(&mut Roll::default(), &nodes);
        let label = |text: &str| Some(text.to_owned());
        assert_eq!(members, [(9, label("info")), (10, label("json.info")), (11, None)]);
    }

    #[test]
    fn whoever_is_gone_is_told() {
        let mut roll = Roll::default();
        let ours = roll.joined("0000000001").unwrap();
        read(&mut roll, &["0000000001", "0000000002"]);
        let other = roll.current().unwrap()[&2].clone();
        assert!(roll.owns(&ours) && !roll.owns(&other));
        read(&mut roll, &["0000000001"]);
        assert_eq!((fate(&ours), fate(&other)), (None, Some(false)));
        roll.left(&ours);
        assert_eq!(fate(&ours), Some(true));
        assert_eq!(roll.current(), None);
    }

    #[test]
    fn the_end_of_a_session_takes_only_what_is_ours() {
        let mut roll = Roll::default();
        let ours = roll.joined("0000000001").unwrap();
        read(&mut roll, &["0000000001", "0000000002"]);
        let other = roll.current().unwrap()[&2].clone();
        roll.lose();
        assert_eq!((fate(&ours), fate(&other)), (Some(false), None));
    }
}
