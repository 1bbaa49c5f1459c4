//! Replicas to test with, each with a runtime and a folder of its own.

use std::collections::BTreeSet;

use bytes::Bytes;
use coordination::log::{AutoInitialize, Config, Entry, Log, Network, Offline, Position, Writer};
use libprocess::testing::{start, wait};
use libprocess::{Runtime, Upid};
use tempfile::TempDir;

/// One replica.
pub(crate) struct Node {
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
    pub(crate) log: Option<Log>,
    network: BTreeSet<Upid>,
    quorum: usize,
}

fn runtime(port: u16) -> Runtime {
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    start(libprocess::Config { port, schema, ..libprocess::Config::default() })
}

/// As many runtimes as make such a quorum, with no log on them yet, that know of each other.
pub(crate) fn nodes(quorum: usize) -> Vec<Node> {
    let runtimes: Vec<Runtime> = (1..2 * quorum).map(|_| runtime(0)).collect();
    let replica = |runtime: &Runtime| Upid::new("log-replica(1)", runtime.address());
    let network: BTreeSet<Upid> = runtimes.iter().map(replica).collect();
    let node = |runtime| Node {
        runtime,
        folder: tempfile::tempdir().expect("a temporary folder"),
        log: None,
        network: network.clone(),
        quorum,
    };
    runtimes.into_iter().map(node).collect()
}

/// Replicas that vote.
pub(crate) fn voting(quorum: usize) -> Vec<Node> {
    let mut nodes = nodes(quorum);
    for node in &mut nodes {
        node.initialize();
        node.start(AutoInitialize::No);
    }
    nodes
}

impl Node {
    /// Lets a replica that does not run vote.
    pub(crate) fn initialize(&self) {
        assert!(Offline::open(self.folder.path()).expect("nobody else has it").initialize());
    }

    pub(crate) fn start(&mut self, auto_initialize: AutoInitialize) {
        let config = Config {
            quorum: self.quorum,
            path: self.folder.path().to_owned(),
            network: Network::Fixed(self.network.clone()),
            auto_initialize,
        };
        self.log = Some(Log::start(&self.runtime, config).expect("its files can be had"));
    }

    pub(crate) fn log(&self) -> &Log {
        self.log.as_ref().expect("it was started")
    }

    /// Ends everything but the files.
    pub(crate) fn kill(&mut self) {
        if let Some(log) = self.log.take() {
            wait(log.close());
        }
        wait(self.runtime.shutdown());
    }

    /// Starts again after [`Node::kill`], where it was.
    pub(crate) fn revive(&mut self, auto_initialize: AutoInitialize) {
        self.runtime = runtime(self.runtime.address().port);
        self.start(auto_initialize);
    }

    /// Loses the files of a node that was killed.
    pub(crate) fn wipe(&mut self) {
        self.folder = tempfile::tempdir().expect("a temporary folder");
    }

    /// A writer that has won its election, however many it took.
    pub(crate) fn elected(&self) -> (Writer, Position) {
        let writer = self.log().writer();
        loop {
            if let Some(ending) = wait(writer.start()).expect("it goes on") {
                return (writer, ending);
            }
        }
    }

    /// All entries that this replica knows.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let reader = self.log().reader();
        let beginning = wait(reader.beginning()).expect("it is there");
        let ending = wait(reader.ending()).expect("it is there");
        wait(reader.read(beginning, ending)).expect("it is whole")
    }
}

/// Appends a text.
pub(crate) fn append(writer: &Writer, text: &'static str) -> Option<Position> {
    wait(writer.append(Bytes::from_static(text.as_bytes()))).expect("it goes on")
}

/// Entries as their texts.
pub(crate) fn texts(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8_lossy(&entry.data).into_owned()).collect()
}
