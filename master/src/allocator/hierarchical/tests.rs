//! Scenarios as text, one file each in `testdata`, and what must hold after whatever events.
//!
//! A block of a scenario is commands, a line of dashes, and the offers they lead to:
//! `f1 <- s1 cpus(*):4` is an offer, `f1 -> s1` an inverse offer. Slaves are looked at in the order
//! in which they were added, or in which `allocate` names them.

use std::collections::BTreeMap;
use std::fmt::Write;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use proptest::prelude::*;
use proto::mesos::Unavailability;
use proto::mesos::resource::RevocableInfo;

use super::{Allocation, Hierarchical, Scope};
use crate::allocator::filters::FilterId;
use crate::allocator::inventory::SlaveKey;

/// The core, driven by commands.
#[derive(Default)]
struct Driver {
    core: Hierarchical,
    /// In the order in which they were made.
    filters: Vec<FilterId>,
    /// What was offered last, by framework and slave.
    offered: BTreeMap<(String, String), Resources>,
    log: String,
}

fn resources(text: &str) -> Resources {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn revocable(text: &str) -> Resources {
    let mut messages = resources(text).to_messages();
    messages.iter_mut().for_each(|message| message.revocable = Some(RevocableInfo::default()));
    Resources::from(&messages)
}

impl Driver {
    fn run(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["add-slave", id, total, ref used @ ..] => self.add_slave(id, total, used),
            ["remove-slave", id] => drop(self.core.remove_slave(&id.into())),
            ["deactivate-slave", id] => drop(self.core.deactivate_slave(&id.into())),
            ["activate-slave", id] => drop(self.core.activate_slave(&id.into())),
            ["oversubscribe", id, text] => {
                self.core.update_slave(&id.into(), &revocable(text));
            }
            ["maintain", id] => {
                let unavailability = Some(Unavailability::default());
                self.core.update_unavailability(&id.into(), unavailability);
            }
            ["add-framework", id, role, ref options @ ..] => {
                let takes_revocable = options.contains(&"revocable");
                let role = role.strip_prefix("role=").expect("role=<role>");
                self.core.add_framework(&id.into(), role, takes_revocable, &BTreeMap::new());
            }
            ["remove-framework", id] => drop(self.core.remove_framework(&id.into())),
            ["deactivate-framework", id] => drop(self.core.deactivate_framework(&id.into())),
            ["activate-framework", id] => drop(self.core.activate_framework(&id.into())),
            ["suppress", id] => drop(self.core.suppress_offers(&id.into())),
            ["revive", id] => drop(self.core.revive_offers(&id.into())),
            ["recover", framework, slave, text] => drop(self.recover(framework, slave, text)),
            ["decline", framework, slave, text] => {
                let resources = self.recover(framework, slave, text);
                let filter =
                    self.core.refuse_resources(&framework.into(), &slave.into(), resources);
                self.filters.extend(filter);
            }
            ["expire"] => self.core.expire(self.filters.remove(0)),
            ["set-quota", role, text] => self.core.set_quota(role, resources(text)),
            ["remove-quota", role] => drop(self.core.remove_quota(role)),
            ["weigh", role, weight] => {
                self.core.update_weight(role, weight.parse().expect("a number"));
            }
            ["whitelist", ref hosts @ ..] => {
                let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
                self.core.update_whitelist(Some(hosts));
            }
            ["allocate", ref slaves @ ..] => self.allocate(slaves),
            _ => panic!("unknown command: {line}"),
        }
        self.core.check_invariants();
    }

    fn add_slave(&mut self, id: &str, total: &str, used: &[&str]) {
        let used = used.iter().map(|part| {
            let (framework, text) = part.split_once('=').expect("framework=resources");
            (FrameworkId::from(framework), resources(text))
        });
        self.core.add_slave(&id.into(), id, resources(total), &used.collect());
    }

    /// Takes back resources, or all of the last offer.
    fn recover(&mut self, framework: &str, slave: &str, text: &str) -> Resources {
        let key = (framework.to_owned(), slave.to_owned());
        let resources = match text {
            "all" => self.offered.remove(&key).unwrap_or_default(),
            text => resources(text),
        };
        self.core.recover_resources(&framework.into(), &slave.into(), &resources);
        resources
    }

    fn allocate(&mut self, slaves: &[&str]) {
        let ids: Vec<SlaveId> = slaves.iter().map(|id| SlaveId::from(*id)).collect();
        let order: Vec<Option<SlaveKey>> =
            ids.iter().map(|id| self.core.inventory.key(id)).collect();
        let scope = match ids.is_empty() {
            true => Scope::All,
            false => Scope::Slaves(ids),
        };
        let allocation = self.core.allocate(&scope, |slaves| {
            slaves.sort_by_key(|key| order.iter().position(|other| *other == Some(*key)));
        });
        self.note(&allocation);
    }

    fn note(&mut self, allocation: &Allocation) {
        for (framework, slaves) in &allocation.offers {
            for (slave, resources) in slaves {
                writeln!(self.log, "{framework} <- {slave} {resources}").expect("a string");
                self.offered.insert((framework.to_string(), slave.to_string()), resources.clone());
            }
        }
        for (framework, slaves) in &allocation.inverse_offers {
            for slave in slaves.keys() {
                writeln!(self.log, "{framework} -> {slave}").expect("a string");
            }
        }
    }
}

fn check(scenario: &str) {
    let mut driver = Driver::default();
    for block in scenario.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let (commands, expected) = block.split_once("----").expect("commands, dashes, offers");
        commands.lines().filter(|line| !line.starts_with('#')).for_each(|line| driver.run(line));
        let log = std::mem::take(&mut driver.log);
        assert_eq!(log.trim(), expected.trim(), "after\n{commands}");
    }
}

#[test]
fn fair_shares() {
    check(include_str!("../testdata/fair_shares.txt"));
}

#[test]
fn filters() {
    check(include_str!("../testdata/filters.txt"));
}

#[test]
fn quotas() {
    check(include_str!("../testdata/quotas.txt"));
}

#[test]
fn oversubscription() {
    check(include_str!("../testdata/oversubscription.txt"));
}

#[test]
fn maintenance() {
    check(include_str!("../testdata/maintenance.txt"));
}

impl Hierarchical {
    /// What is summed up equals the sum of what it was made of.
    fn check_invariants(&mut self) {
        let mut expected = crate::allocator::shares::Expected::default();
        for (_, slave) in self.inventory.iter() {
            assert_eq!(slave.free(), &(slave.total() - slave.allocated()), "{}", slave.id);
            expected.total.push(self.kinds.measure(slave.total()));
            for (framework, held) in slave.held() {
                assert!(!held.is_empty(), "{} holds nothing", self.shares[*framework].id);
                expected.held.push((*framework, self.kinds.measure(held)));
            }
        }
        self.shares.check_invariants(&expected);
    }
}

fn amount() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..5_u32, 0..4_u32).prop_map(|(cpus, mem)| format!("cpus:{cpus};mem:{}", mem * 20)),
        (1..5_u32).prop_map(|cpus| format!("cpus(a):{cpus};disk:7")),
        Just("ports:[1-9];mem:64".to_owned()),
    ]
}

fn command() -> impl Strategy<Value = String> {
    let framework = || (1..5_u32).prop_map(|n| format!("f{n}"));
    let slave = || (1..4_u32).prop_map(|n| format!("s{n}"));
    let role = || prop_oneof![Just("a"), Just("b"), Just("*")];
    prop_oneof![
        4 => (slave(), amount(), framework(), amount())
            .prop_map(|(slave, total, user, used)| {
                format!("add-slave {slave} {total} {user}={used}")
            }),
        1 => slave().prop_map(|slave| format!("remove-slave {slave}")),
        1 => slave().prop_map(|slave| format!("deactivate-slave {slave}")),
        1 => slave().prop_map(|slave| format!("activate-slave {slave}")),
        1 => (slave(), amount()).prop_map(|(slave, text)| format!("oversubscribe {slave} {text}")),
        1 => slave().prop_map(|slave| format!("maintain {slave}")),
        4 => (framework(), role()).prop_map(|(id, role)| format!("add-framework {id} role={role}")),
        2 => (framework(), role())
            .prop_map(|(id, role)| format!("add-framework {id} role={role} revocable")),
        1 => framework().prop_map(|id| format!("remove-framework {id}")),
        1 => framework().prop_map(|id| format!("deactivate-framework {id}")),
        1 => framework().prop_map(|id| format!("activate-framework {id}")),
        1 => framework().prop_map(|id| format!("suppress {id}")),
        1 => framework().prop_map(|id| format!("revive {id}")),
        4 => (framework(), slave()).prop_map(|(id, slave)| format!("recover {id} {slave} all")),
        2 => (framework(), slave(), amount())
            .prop_map(|(id, slave, text)| format!("recover {id} {slave} {text}")),
        2 => (framework(), slave()).prop_map(|(id, slave)| format!("decline {id} {slave} all")),
        1 => (role(), amount()).prop_map(|(role, text)| format!("set-quota {role} {text}")),
        1 => role().prop_map(|role| format!("remove-quota {role}")),
        1 => (role(), 1..4_u32).prop_map(|(role, weight)| format!("weigh {role} {weight}")),
        6 => Just("allocate".to_owned()),
    ]
}

proptest! {
    /// Whatever happens in whatever order: sums stay sums, and nothing is given twice.
    #[test]
    fn sums_stay_sums(commands in prop::collection::vec(command(), 1..60)) {
        let mut driver = Driver::default();
        for command in &commands {
            let free: BTreeMap<SlaveId, Resources> = driver
                .core
                .inventory
                .iter()
                .map(|(_, slave)| (slave.id.clone(), slave.free().clone()))
                .collect();
            driver.log.clear();
            driver.run(command);
            for line in driver.log.lines().filter(|line| line.contains("<-")) {
                let mut words = line.split(' ').skip(2);
                let slave = driver.core.slave(&words.next().expect("a slave").into());
                let slave = slave.expect("offered slaves are there");
                prop_assert!(free[&slave.id].contains(&(&free[&slave.id] - slave.free())));
                prop_assert!(slave.is_active);
            }
        }
    }
}
