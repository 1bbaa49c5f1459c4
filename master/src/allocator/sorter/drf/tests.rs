//! `SorterTest`. What upstream's sorter keeps by slave is the inventory's here, so those of its
//! tests that ask for it live with `inventory`.

use std::collections::BTreeMap;

use common::resources::Resources;

use super::{ClientKey, DrfSorter};
use crate::allocator::quantities::{Amounts, Kinds};

/// A sorter by names, as upstream's tests speak to it.
#[derive(Default)]
struct Sorter {
    kinds: Kinds,
    sorter: DrfSorter<&'static str>,
    keys: BTreeMap<&'static str, ClientKey>,
}

impl Sorter {
    fn with_total(text: &str) -> Sorter {
        let mut sorter = Sorter::default();
        sorter.grow(text);
        sorter
    }

    fn measure(&mut self, text: &str) -> Amounts {
        self.kinds.measure(&text.parse().expect("resources"))
    }

    fn grow(&mut self, text: &str) {
        let amounts = self.measure(text);
        self.sorter.grow(amounts.by_name());
    }

    fn shrink(&mut self, text: &str) {
        let amounts = self.measure(text);
        self.sorter.shrink(amounts.by_name());
    }

    fn add(&mut self, name: &'static str, weight: f64, held: &str) {
        self.keys.insert(name, self.sorter.add(name, name, weight));
        if !held.is_empty() {
            self.allocated(name, held);
        }
    }

    fn allocated(&mut self, name: &'static str, text: &str) {
        let amounts = self.measure(text);
        self.sorter.allocated(self.keys[name], amounts.by_name());
    }

    fn unallocated(&mut self, name: &'static str, text: &str) {
        let amounts = self.measure(text);
        self.sorter.unallocated(self.keys[name], amounts.by_name());
    }

    fn remove(&mut self, name: &'static str) {
        self.sorter.remove(self.keys.remove(name).expect("was added"));
    }

    #[track_caller]
    fn check(&mut self, expected: &str) {
        self.sorter.sort();
        let order: Vec<_> = (0..).map_while(|position| self.sorter.at(position)).collect();
        assert_eq!(order.join(" "), expected);
    }
}

#[test]
fn sorter_test_drf_sorter() {
    let mut sorter = Sorter::with_total("cpus:100;mem:100");
    sorter.add("a", 1.0, "cpus:5;mem:5");
    sorter.add("b", 1.0, "cpus:6;mem:6");
    sorter.check("a b");
    sorter.add("c", 1.0, "cpus:1;mem:1");
    sorter.add("d", 1.0, "cpus:3;mem:1");
    sorter.check("c d a b");
    sorter.remove("a");
    sorter.unallocated("b", "cpus:4;mem:4");
    sorter.check("c b d");
    sorter.add("e", 1.0, "cpus:1;mem:5");
    sorter.shrink("cpus:50");
    sorter.check("c b e d");
    sorter.grow("mem:100");
    sorter.add("f", 1.0, "cpus:5;mem:1");
    sorter.allocated("c", "mem:15");
    sorter.check("e b d c f");
    assert_eq!(sorter.sorter.count(), 5);
    sorter.sorter.deactivate(sorter.keys["d"]);
    sorter.check("e b c f");
    assert_eq!(sorter.sorter.count(), 5);
    sorter.sorter.activate(sorter.keys["d"]);
    sorter.check("e b d c f");
}

#[test]
fn sorter_test_wdrf_sorter() {
    let mut sorter = Sorter::with_total("cpus:100;mem:100");
    sorter.add("a", 1.0, "cpus:5;mem:5");
    sorter.add("b", 2.0, "cpus:6;mem:6");
    sorter.check("b a");
    sorter.add("c", 1.0, "cpus:4;mem:4");
    sorter.check("b c a");
    sorter.add("d", 10.0, "cpus:10;mem:20");
    sorter.check("d b c a");
    sorter.remove("b");
    sorter.check("d c a");
    sorter.allocated("d", "cpus:10;mem:25");
    sorter.check("c d a");
    sorter.add("e", 0.1, "cpus:1;mem:1");
    sorter.check("c d a e");
    sorter.remove("a");
    sorter.check("c d e");
    sorter.sorter.set_weight(sorter.keys["e"], 10.0);
    sorter.check("e c d");
}

#[test]
fn sorter_test_split_resource_shares() {
    let mut sorter = Sorter::with_total("cpus:100;mem:100;disk:105");
    sorter.add("a", 1.0, "cpus:9;mem:9;disk:9");
    sorter.add("b", 1.0, "cpus:9;mem:9;disk:5;disk(role):5");
    sorter.check("a b");
}

#[test]
fn sorter_test_update_total() {
    let mut sorter = Sorter::with_total("cpus:10;mem:100");
    sorter.add("a", 1.0, "cpus:2;mem:1");
    sorter.add("b", 1.0, "cpus:1;mem:2");
    sorter.check("b a");
    sorter.shrink("cpus:10;mem:100");
    sorter.grow("cpus:100;mem:10");
    sorter.check("a b");
}

#[test]
fn sorter_test_multiple_slaves_update_total() {
    let mut sorter = Sorter::with_total("cpus:5;mem:50");
    sorter.grow("cpus:5;mem:50");
    sorter.add("a", 1.0, "cpus:2;mem:1");
    sorter.add("b", 1.0, "cpus:1;mem:3");
    sorter.check("b a");
    sorter.shrink("cpus:5;mem:50");
    sorter.grow("cpus:95;mem:50");
    sorter.check("a b");
}

#[test]
fn sorter_test_revocable_resources() {
    let mut sorter = Sorter::with_total("cpus:10;mem:100");
    let mut revocable = proto::mesos::Resource::from(
        Resources::iter(&"cpus:9".parse().expect("resources")).next().expect("one"),
    );
    revocable.revocable = Some(Default::default());
    let amounts = sorter.kinds.measure(&[revocable].as_slice().into());
    assert_eq!(amounts.lasting().count(), 0);
    sorter.sorter.grow(amounts.by_name());
    sorter.add("a", 1.0, "cpus:2;mem:1");
    sorter.add("b", 1.0, "cpus:1;mem:1");
    sorter.check("b a");
    sorter.sorter.allocated(sorter.keys["b"], amounts.by_name());
    sorter.check("a b");
}

#[test]
fn equal_shares_go_by_allocations_then_names_until_reactivated() {
    let mut sorter = Sorter::with_total("cpus:10");
    for name in ["c", "b", "a"] {
        sorter.add(name, 1.0, "");
    }
    sorter.check("a b c");
    sorter.allocated("a", "cpus:1");
    sorter.unallocated("a", "cpus:1");
    sorter.check("b c a");
    sorter.sorter.deactivate(sorter.keys["a"]);
    sorter.sorter.activate(sorter.keys["a"]);
    sorter.check("a b c");
}

#[test]
fn names_without_a_total_have_no_share() {
    let mut sorter = Sorter::default();
    sorter.add("a", 1.0, "cpus:3");
    sorter.add("b", 1.0, "");
    sorter.check("b a");
    sorter.unallocated("a", "cpus:3");
    sorter.allocated("b", "cpus:1");
    sorter.allocated("b", "cpus:1");
    sorter.check("a b");
}
