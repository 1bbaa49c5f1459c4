//! Appends per second to a log of one replica, against what the disk itself can do: writes of the
//! same size, each synchronized. An append is two records, of which one must be on disk. Prints
//! `<figure>: <number>`. Run by `cargo xtask bench log`, in `$TMPDIR` or below the argument.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use bytes::Bytes;
use coordination::log::{AutoInitialize, Config, Log, Network};
use libprocess::Runtime;
use libprocess::clock::Clock;
use libprocess::embed::block_on;

const SIZE: usize = 512;
const COUNT: u32 = 500;

fn main() {
    let folder = match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    // In turns, so that both see the same disk.
    let (mut syncs, mut appends) = (0.0_f64, 0.0_f64);
    for round in 0..5 {
        syncs = syncs.max(syncs_per_second(&folder.path().join(format!("file-{round}"))));
        appends = appends.max(appends_per_second(&folder.path().join(format!("log-{round}"))));
    }
    println!("fsyncs per second: {syncs:.0}");
    println!("appends per second: {appends:.0}");
    println!("appends per fsync: {:.2}", appends / syncs);
}

fn syncs_per_second(path: &Path) -> f64 {
    let mut file = File::create(path).expect("a file");
    let clock = Clock::default();
    let start = clock.now();
    for _ in 0..COUNT {
        file.write_all(&[0; SIZE]).expect("there is room");
        file.sync_data().expect("there is room");
    }
    f64::from(COUNT) / clock.now().since(start).as_secs_f64()
}

fn appends_per_second(path: &Path) -> f64 {
    let config = libprocess::Config { ip: Some(Ipv4Addr::LOCALHOST), ..Default::default() };
    let runtime = Runtime::start(config).expect("a free port");
    let config = Config {
        quorum: 1,
        path: path.to_owned(),
        network: Network::Alone,
        auto_initialize: AutoInitialize::Yes,
    };
    let log = Log::start(&runtime, config).expect("a folder");
    let writer = log.writer();
    while block_on(writer.start()).expect("nobody else writes").is_none() {}
    let clock = runtime.clock();
    let start = clock.now();
    for _ in 0..COUNT {
        let appended = block_on(writer.append(Bytes::from_static(&[0; SIZE])));
        assert!(appended.expect("nobody else writes").is_some());
    }
    let rate = f64::from(COUNT) / clock.now().since(start).as_secs_f64();
    block_on(log.close());
    block_on(runtime.shutdown());
    rate
}
