//! Upstream's own benchmark of its registrar, on ours and on a replicated log of one replica:
//! slaves are admitted, readmitted, recovered and removed. Run by `cargo xtask bench registrar`,
//! which takes other numbers of slaves than 10,000 and 50,000.
//! Upstream: `Registrar_BENCHMARK_Test`.

#![allow(clippy::print_stdout, reason = "the program's output")]

use std::path::Path;
use std::time::Duration;

use common::resources::Resources;
use coordination::log::{AutoInitialize, Config, Log, Network};
use coordination::store::State;
use coordination::store::log::{LogStorage, ReplicatedLog};
use libprocess::Runtime;
use libprocess::embed::block_on;
use libprocess::testing::runtime;
use master::registrar::{self, Admission, Operation, Options, Registrar, RegistrarHandle};
use proto::mesos::{Attribute, MasterInfo, SlaveId, SlaveInfo, value};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

fn main() {
    let counts = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let mut counts: Vec<usize> = counts.collect();
    if counts.is_empty() {
        counts = vec![10_000, 50_000];
    }
    for count in counts {
        measure(count);
    }
}

fn measure(count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut slaves: Vec<SlaveInfo> = (0..count).map(slave).collect();
    // In production, too, they come in any order.
    let mut random = StdRng::seed_from_u64(7);
    let first = runtime();
    let (registrar, rest) = start(&first, folder.path());
    recover(&registrar);
    apply((&first, &registrar), ("admitted", &slaves), Operation::AdmitSlave);
    slaves.shuffle(&mut random);
    apply((&first, &registrar), ("readmitted", &slaves), Operation::ReadmitSlave);
    rest();
    block_on(first.shutdown());

    let second = runtime();
    let start_time = second.clock().now();
    let (registrar, _) = start(&second, folder.path());
    recover(&registrar);
    report("recovered", count, second.clock().now().since(start_time));
    slaves.shuffle(&mut random);
    apply((&second, &registrar), ("removed", &slaves), Operation::RemoveSlave);
    block_on(second.shutdown());
}

/// A registrar on the log in a folder, and a wait for what is written behind its back. Each runtime
/// has one, so that the files are closed with it.
fn start(runtime: &Runtime, folder: &Path) -> (RegistrarHandle, impl FnOnce() + use<>) {
    let config = Config {
        quorum: 1,
        path: folder.join("replicated_log"),
        network: Network::Alone,
        auto_initialize: AutoInitialize::Yes,
    };
    let log = Log::start(runtime, config).expect("the folder is ours");
    let reader = log.reader();
    let state = State::new(LogStorage::new(runtime, ReplicatedLog::new(log), 0));
    let registrar = registrar::start(runtime, state.clone(), Options::default());
    let rest = move || {
        // Behind the truncation, and behind the notice of it.
        block_on(state.names()).expect("it works");
        block_on(reader.ending()).expect("it works");
    };
    (registrar, rest)
}

fn recover(registrar: &RegistrarHandle) {
    let info = MasterInfo { id: "m".to_owned(), ip: 1, port: 5050, ..MasterInfo::default() };
    block_on(registrar.recover(info)).expect("it works");
}

fn apply(
    (runtime, registrar): (&Runtime, &RegistrarHandle),
    (what, slaves): (&str, &[SlaveInfo]),
    operation: fn(SlaveInfo) -> Operation,
) {
    let operations: Vec<Operation> = slaves.iter().cloned().map(operation).collect();
    let start_time = runtime.clock().now();
    let applied: Vec<_> =
        operations.into_iter().map(|operation| registrar.apply(operation)).collect();
    // One after the other: whoever polls all of them again and again measures that.
    block_on(async {
        for admission in applied {
            assert_eq!(admission.await, Ok(Admission::Accepted));
        }
    });
    report(what, slaves.len(), runtime.clock().now().since(start_time));
}

fn report(what: &str, count: usize, took: Duration) {
    let seconds = took.as_secs_f64();
    println!("registrar_{what}_{count}_slaves_seconds: {seconds:.3}");
}

/// As upstream's: a few resources, a few attributes.
fn slave(number: usize) -> SlaveInfo {
    let resources = "cpus(*):1.0;mem(*):512;disk(*):2048";
    let attribute = |(name, text): (&str, &str)| Attribute {
        name: name.to_owned(),
        r#type: value::Type::Text.into(),
        text: Some(value::Text { value: text.to_owned() }),
        ..Attribute::default()
    };
    SlaveInfo {
        hostname: "localhost".to_owned(),
        id: Some(SlaveId { value: format!("201310101658-2280333834-5050-48574-{number}") }),
        resources: Resources::parse(resources, "*").expect("resources").to_messages(),
        attributes: [("foo", "bar"), ("baz", "quux")].map(attribute).to_vec(),
        ..SlaveInfo::default()
    }
}
