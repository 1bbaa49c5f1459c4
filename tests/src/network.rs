//! A network of its own for a test: machines as network namespaces, which can be cut off from
//! each other. The thread that makes it, and all that it starts, stand in the middle of it.
//! Called by drills that are root. What it made ends with it.

use std::ffi::OsStr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sched::{CloneFlags, unshare};

/// The address of the middle.
pub const MIDDLE: &str = "10.77.0.254";

const BRIDGE: &str = "middle";

/// How many networks this process has made; the names of namespaces are the whole machine's.
static SITES: AtomicUsize = AtomicUsize::new(0);

/// The machines of a network.
pub struct Network {
    machines: Vec<Machine>,
}

/// One machine.
pub struct Machine {
    namespace: String,
    /// Its address.
    pub address: String,
}

impl Network {
    /// Leaves this thread's network for a new one with `count` machines.
    pub fn enter(count: u8) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network");
        ip(["link", "set", "lo", "up"]);
        ip(["link", "add", BRIDGE, "type", "bridge"]);
        ip(["address", "add", &format!("{MIDDLE}/24"), "dev", BRIDGE]);
        ip(["link", "set", BRIDGE, "up"]);
        let site = SITES.fetch_add(1, Ordering::Relaxed);
        Self { machines: (1..=count).map(|number| Machine::new(site, number)).collect() }
    }

    /// A machine, from 0 on.
    pub fn machine(&self, index: usize) -> &Machine {
        &self.machines[index]
    }

    /// No packet goes from one machine to the other any more, nor back.
    pub fn cut(&self, one: usize, other: usize) {
        self.between(one, other, "add");
    }

    /// Packets go again.
    pub fn mend(&self, one: usize, other: usize) {
        self.between(one, other, "del");
    }

    fn between(&self, one: usize, other: usize, verb: &str) {
        let (one, other) = (&self.machines[one], &self.machines[other]);
        one.route(verb, &other.address);
        other.route(verb, &one.address);
    }

    /// No packet reaches or leaves the machine any more.
    pub fn isolate(&self, index: usize) {
        ip(["link", "set", &self.machines[index].cable(), "down"]);
    }

    /// The machine is back.
    pub fn rejoin(&self, index: usize) {
        ip(["link", "set", &self.machines[index].cable(), "up"]);
    }
}

impl Machine {
    fn new(site: usize, number: u8) -> Self {
        let machine = Self {
            namespace: format!("drill-{}-{site}-{number}", std::process::id()),
            address: format!("10.77.0.{number}"),
        };
        let (namespace, cable) = (machine.namespace.as_str(), machine.cable());
        ip(["netns", "add", namespace]);
        let ends = ["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns"];
        ip(ends.into_iter().chain([namespace]));
        ip(["link", "set", &cable, "master", BRIDGE, "up"]);
        let inside = |words: &[&str]| ip(["-n", namespace].iter().chain(words));
        inside(&["link", "set", "lo", "up"]);
        inside(&["address", "add", &format!("{}/24", machine.address), "dev", "eth0"]);
        inside(&["link", "set", "eth0", "up"]);
        machine
    }

    /// The end of its cable in the middle.
    fn cable(&self) -> String {
        let number = self.address.rsplit('.').next().unwrap_or_default();
        format!("cable{number}")
    }

    fn route(&self, verb: &str, to: &str) {
        ip(["-n", &self.namespace, "route", verb, "blackhole", &format!("{to}/32")]);
    }

    /// A command that runs on this machine.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What is left of it ends with this process at the latest.
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

fn ip(words: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    let mut command = Command::new("ip");
    let status = command.args(words).status().expect("iproute2 is installed");
    assert!(status.success(), "{command:?}: {status}");
}
