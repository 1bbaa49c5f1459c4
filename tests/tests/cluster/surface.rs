//! The surface of the daemons against the ledger: every flag, endpoint and metric that it calls
//! held is there, and none that it calls planned is there without its knowing.

use std::collections::BTreeSet;
use std::process::Command;

use tests::cluster::Cluster;
use tests::daemon::{Daemon, binary};
use tests::http;
use tests::needs::files;

/// One line of a table of the ledger.
struct Item {
    columns: Vec<String>,
    is_held: bool,
}

/// The lines of a table, of one daemon or program.
fn ledger(table: &str, of: &str) -> Vec<Item> {
    let path = files("../docs/ledger").join(table);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let items = text.lines().skip(1).map(|line| {
        let mut columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        columns.resize(columns.len().max(4), String::new());
        let state = columns[columns.len() - 2].clone();
        Item { is_held: state == "held", columns }
    });
    items.filter(|item| item.columns[0] == of).collect()
}

/// The names in column `place` that the ledger calls held, and those it calls planned.
fn by_state(items: &[Item], place: usize) -> [BTreeSet<String>; 2] {
    [true, false].map(|held| {
        let these = items.iter().filter(|item| item.is_held == held);
        these.map(|item| item.columns[place].clone()).collect()
    })
}

fn assert_surface(what: &str, items: &[Item], served: &BTreeSet<String>) {
    let [held, planned] = by_state(items, 1);
    let missing: Vec<_> = held.difference(served).collect();
    assert!(missing.is_empty(), "{what}: called held, but missing: {missing:?}");
    let unknown: Vec<_> = planned.intersection(served).collect();
    assert!(unknown.is_empty(), "{what}: there, but not called held: {unknown:?}");
}

fn help_of(program: &str) -> String {
    let mut command = Command::new(binary(program));
    command.arg("--help");
    let mut daemon = Daemon::spawn(program, command);
    assert!(daemon.wait().success(), "{program}: {}", daemon.printed());
    daemon.printed()
}

#[test]
fn flags_are_those_of_the_ledger() {
    let programs = [
        "mesos-execute",
        "mesos-executor",
        "mesos-health-check",
        "mesos-local",
        "mesos-master",
        "mesos-slave",
    ];
    for program in programs {
        let help = help_of(program);
        let words: BTreeSet<&str> =
            help.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let items = ledger("flags.tsv", program);
        let offered = |item: &&Item| {
            let name = &item.columns[1];
            let forms = match item.columns[2].as_str() {
                "bool" => [format!("--[no-]{name}"), format!("--{name}")],
                _ => [format!("--{name}=VALUE"), format!("--{name}=VALUE")],
            };
            forms.iter().any(|form| words.contains(form.as_str()))
        };
        let served = items.iter().filter(offered).map(|item| item.columns[1].clone()).collect();
        assert_surface(program, &items, &served);
    }
}

#[test]
fn defaults_of_flags_are_those_of_the_ledger() {
    for program in ["mesos-execute", "mesos-master", "mesos-slave"] {
        let help = help_of(program).replace(['\n', ' '], "");
        for item in ledger("flags.tsv", program) {
            let (name, default) = (&item.columns[1], item.columns[3].replace(' ', ""));
            // Where upstream's own build puts things is none of ours.
            if item.is_held && !default.is_empty() && !default.starts_with("PREFIX") {
                let start = help.find(&format!("--{name}=VALUE"));
                let start = start.or_else(|| help.find(&format!("--[no-]{name}")));
                let rest = start.map(|start| &help[start + 2..]).unwrap_or_default();
                let page = rest.split("(default:").nth(1).unwrap_or_default();
                assert!(
                    page.starts_with(&default),
                    "{program} --{name}: {default}, not {page:.40}"
                );
            }
        }
    }
}

/// What `/help` of a daemon lists.
fn endpoints(address: &str) -> BTreeSet<String> {
    let help = http::get_json(address, "/help?format=json");
    let processes = help["processes"].as_array().expect("processes");
    // The trace is ours alone.
    let processes = processes.iter().filter(|process| process["id"] != "__trace__");
    let names = processes.flat_map(|process| {
        let id = process["id"].as_str().expect("an id");
        let endpoints = process["endpoints"].as_array().expect("endpoints");
        endpoints.iter().map(move |endpoint| {
            let name = endpoint["name"].as_str().expect("a name");
            format!("/{id}{name}")
        })
    });
    names.collect()
}

fn metrics(address: &str) -> BTreeSet<String> {
    let snapshot = http::get_json(address, "/metrics/snapshot");
    snapshot.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn endpoints_and_metrics_are_those_of_the_ledger() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let shown = cluster.get("/slaves");
    let pid = shown["slaves"][0]["pid"].as_str().expect("a pid").to_owned();
    let slave = pid.split('@').nth(1).expect("an address");
    for (daemon, address) in [("master", cluster.address()), ("slave", slave)] {
        let items = ledger("endpoints.tsv", daemon);
        assert_surface(&format!("endpoints of {daemon}"), &items, &endpoints(address));
        let items = ledger("metrics.tsv", daemon);
        assert_surface(&format!("metrics of {daemon}"), &items, &metrics(address));
    }
}

#[test]
fn firewall_rules_close_the_trace() {
    let rules = r#"{"disabled_endpoints":{"paths":["/__trace__/start","/__trace__/export"]}}"#;
    let cluster = Cluster::start_with(&[&format!("--firewall_rules={rules}")]);
    for closed in ["/__trace__/start", "/__trace__/export"] {
        let refused = (403, format!("Endpoint '{closed}' is disabled"));
        assert_eq!(http::get(cluster.address(), closed), refused);
    }
    assert_eq!(http::get(cluster.address(), "/__trace__/stop").0, 200);
}
