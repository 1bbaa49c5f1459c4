//! Several masters of one cluster, which find each other through ZooKeeper, and their slaves.
//! Called by drills. Each master keeps its port and its work directory over restarts, as under an
//! operator's supervisor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::cluster::{SlaveBuilder, free_port};
use crate::daemon::{Daemon, binary, eventually};
use crate::network::Network;

/// One master's place: its flags stay, its process comes and goes.
struct Place {
    port: u16,
    daemon: Option<Daemon>,
    /// The logs of its earlier processes.
    earlier: Vec<String>,
}

/// Masters in one ensemble.
pub struct Masters {
    folder: TempDir,
    zk: String,
    quorum: usize,
    flags: Vec<String>,
    places: Vec<Place>,
    /// The machines they stand on; this one, if none.
    network: Option<Rc<Network>>,
}

impl Masters {
    /// Starts `count` masters on the ensemble `zk`, such as `zk://127.0.0.1:2181/mesos`.
    pub fn start(count: usize, zk: &str, flags: &[&str]) -> Self {
        Self::start_in(None, count, zk, flags)
    }

    /// As [`Masters::start`], each on a machine of its own, the first ones of `network`.
    pub fn start_in(network: Option<Rc<Network>>, count: usize, zk: &str, flags: &[&str]) -> Self {
        let mut masters = Self::places(network, count, zk, flags);
        (0..count).for_each(|index| masters.restart(index));
        masters
    }

    /// Places for masters, none of which runs yet: they are started by [`Masters::restart`].
    pub fn places(network: Option<Rc<Network>>, count: usize, zk: &str, flags: &[&str]) -> Self {
        let place = |_| Place { port: free_port(), daemon: None, earlier: Vec::new() };
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            zk: zk.to_owned(),
            quorum: count / 2 + 1,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            places: (0..count).map(place).collect(),
            network,
        }
    }

    /// A slave to be started, with a work directory of its own.
    pub fn slave(&self) -> SlaveBuilder {
        SlaveBuilder::new(&self.zk, self.folder.path())
    }

    /// How the cluster is found.
    pub fn zk(&self) -> &str {
        &self.zk
    }

    /// Where masters and slaves have their work directories.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the master of a place has its work directory.
    pub fn work_dir(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("master-{index}"))
    }

    /// Starts the master of a place where none runs.
    pub fn restart(&mut self, index: usize) {
        let work_dir = self.work_dir(index);
        let place = &self.places[index];
        let mut arguments = vec![
            format!("--ip={}", self.ip(index)),
            "--hostname=localhost".to_owned(),
            format!("--port={}", place.port),
            format!("--zk={}", self.zk),
            format!("--quorum={}", self.quorum),
            format!("--work_dir={}", work_dir.display()),
        ];
        arguments.extend(self.flags.iter().cloned());
        let mut command = self.command(index);
        command.args(&arguments);
        self.places[index].daemon = Some(Daemon::spawn("mesos-master", command));
    }

    fn command(&self, index: usize) -> Command {
        let program = binary("mesos-master");
        match &self.network {
            Some(network) => network.machine(index).command(program),
            None => Command::new(program),
        }
    }

    fn ip(&self, index: usize) -> &str {
        self.network.as_ref().map_or("127.0.0.1", |network| &network.machine(index).address)
    }

    /// The process of a place.
    pub fn daemon(&self, index: usize) -> &Daemon {
        self.places[index].daemon.as_ref().expect("this master runs")
    }

    /// `ip:port` of a place.
    pub fn address(&self, index: usize) -> String {
        format!("{}:{}", self.ip(index), self.places[index].port)
    }

    /// The place of the master that leads and has recovered; waits for one. No other may say that
    /// it leads.
    pub fn leader(&self) -> usize {
        self.leader_but(usize::MAX)
    }

    /// As [`Masters::leader`], passing over one that cannot say what it is.
    pub fn leader_but(&self, passed_over: usize) -> usize {
        eventually("a leading master", || {
            let running = (0..self.places.len())
                .filter(|&index| index != passed_over && self.places[index].daemon.is_some());
            let leaders: Vec<usize> =
                running.filter(|&index| leads(&self.address(index))).collect();
            assert!(leaders.len() <= 1, "masters {leaders:?} lead at the same time");
            leaders.first().copied()
        })
    }

    /// Kills the master of a place at once.
    pub fn kill(&mut self, index: usize) {
        let place = &mut self.places[index];
        if let Some(mut daemon) = place.daemon.take() {
            daemon.kill();
            place.earlier.push(daemon.printed());
        }
    }

    /// Asks the master of a place to end, and waits until it has.
    pub fn stop(&mut self, index: usize) {
        let place = &mut self.places[index];
        if let Some(mut daemon) = place.daemon.take() {
            daemon.signal(Signal::SIGTERM);
            daemon.wait();
            place.earlier.push(daemon.printed());
        }
    }

    /// Waits until the master of a place has ended by itself; gives its last words.
    pub fn wait_for_end(&mut self, index: usize) -> String {
        let place = &mut self.places[index];
        let mut daemon = place.daemon.take().expect("this master runs");
        daemon.wait();
        place.earlier.push(daemon.printed());
        daemon.printed()
    }
}

fn leads(address: &str) -> bool {
    let snapshot = crate::http::try_get_json(address, "/metrics/snapshot");
    let is_elected = |snapshot: &serde_json::Value| snapshot["master/elected"] == 1.0;
    // A master that is recovering has no registry to show yet.
    let has_recovered = || crate::http::try_get_json(address, "/registrar(1)/registry");
    snapshot.is_some_and(|snapshot| is_elected(&snapshot))
        && has_recovered().is_some_and(|registry| registry.get("master").is_some())
}
