//! A cluster of real daemons on loopback, in a folder of its own.
//! Called by every test of more than one program:
//! `let cluster = Cluster::start(); let slave = cluster.slave().start();`

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::daemon::{Daemon, binary, eventually};
use crate::network::Machine;

/// A master with the slaves that a test adds; all end with it.
pub struct Cluster {
    folder: TempDir,
    /// The master.
    pub master: Daemon,
    address: String,
    /// What the master is started with, but for its port.
    flags: Vec<String>,
}

impl Cluster {
    /// Starts a master on a free port.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a master on a free port with more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let work_dir = folder.path().join("master");
        let mut all =
            vec!["--ip=127.0.0.1".to_owned(), format!("--work_dir={}", work_dir.display())];
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let (master, address) = start_master(&all, "0");
        Self { folder, master, address, flags: all }
    }

    /// Kills the master, and starts it again where it was.
    pub fn restart_master(&mut self) {
        self.master.kill();
        let port = self.address.rsplit(':').next().expect("a port");
        self.master = start_master(&self.flags, port).0;
    }

    /// The master's `ip:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder of this cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A slave to be started, with a work directory of its own.
    pub fn slave(&self) -> SlaveBuilder {
        SlaveBuilder::new(&self.address, self.folder())
    }

    /// A run of `mesos-execute` against this cluster's master.
    pub fn execute(&self, flags: &[&str]) -> Daemon {
        let mut command = Command::new(binary("mesos-execute"));
        command.arg(format!("--master={}", self.address)).args(flags);
        Daemon::spawn("mesos-execute", command)
    }

    /// `GET path` of the master as JSON.
    pub fn get(&self, path: &str) -> serde_json::Value {
        crate::http::get_json(&self.address, path)
    }

    /// Asks the master again and again until `fits` says yes of what `path` shows.
    pub fn wait_until(&self, path: &str, fits: impl Fn(&serde_json::Value) -> bool) {
        eventually(path, || fits(&self.get(path)).then_some(()));
    }
}

/// Starts a master, and waits until it leads.
fn start_master(flags: &[String], port: &str) -> (Daemon, String) {
    let arguments = [&[format!("--port={port}")], flags].concat();
    let master = Daemon::start("mesos-master", &arguments);
    let started = master.wait_for(" started on ");
    let address = started.rsplit(' ').next().expect("an address").to_owned();
    // What is said to a master before it leads is lost.
    master.wait_for("slaves from the Registry");
    (master, address)
}

/// A slave to be started.
pub struct SlaveBuilder {
    master: String,
    folder: PathBuf,
    name: String,
    ip: String,
    port: u16,
    command: Command,
    flags: Vec<String>,
}

impl SlaveBuilder {
    pub(crate) fn new(master: &str, folder: &Path) -> Self {
        Self {
            master: master.to_owned(),
            folder: folder.to_owned(),
            name: "slave".to_owned(),
            ip: "127.0.0.1".to_owned(),
            port: 0,
            command: Command::new(binary("mesos-slave")),
            flags: Vec::new(),
        }
    }

    /// Lets it listen where it will be found again when it comes back; by default, the port is any
    /// that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Names it, and its work directory, differently from `slave`.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// On a machine of a network.
    pub fn on(mut self, machine: &Machine) -> Self {
        self.ip = machine.address.clone();
        self.command = machine.command(binary("mesos-slave"));
        self
    }

    /// With one more flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Starts it and waits until the master has registered it, anew or again.
    pub fn start(self) -> Slave {
        let slave = self.spawn();
        slave.daemon.wait_for("egistered with master");
        slave
    }

    /// Starts it.
    pub fn spawn(mut self) -> Slave {
        let work_dir = self.folder.join(&self.name);
        let mut arguments = vec![
            format!("--master={}", self.master),
            format!("--ip={}", self.ip),
            format!("--port={}", self.port),
            "--hostname=localhost".to_owned(),
            "--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]".to_owned(),
            "--no-systemd_enable_support".to_owned(),
            format!("--work_dir={}", work_dir.display()),
        ];
        arguments.extend(self.flags);
        self.command.args(arguments);
        let program = self.command.get_program().to_owned();
        let arguments = self.command.get_args().map(OsStr::to_owned).collect();
        let daemon = Daemon::spawn("mesos-slave", self.command);
        Slave { daemon, program, arguments, work_dir }
    }
}

/// A running slave.
pub struct Slave {
    /// The process.
    pub daemon: Daemon,
    program: OsString,
    arguments: Vec<OsString>,
    work_dir: PathBuf,
}

impl Slave {
    /// Starts it again as it was started first; the process before has ended.
    pub fn restart(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        self.daemon = Daemon::spawn("mesos-slave", command);
    }

    /// The content of `file` in the newest sandbox of the only executor called `executor`.
    pub fn sandbox_file(&self, executor: &str, file: &str) -> String {
        let path = self.sandbox(executor).join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// As [`Slave::sandbox_file`], once a task has made the file.
    pub fn wait_for_sandbox_file(&self, executor: &str, file: &str) -> String {
        let path = self.sandbox(executor).join(file);
        eventually(&path.display().to_string(), || std::fs::read_to_string(&path).ok())
    }

    /// The newest sandbox of the only executor called `executor`.
    pub fn sandbox(&self, executor: &str) -> PathBuf {
        let slave = only(&self.work_dir.join("slaves"));
        let frameworks = std::fs::read_dir(slave.join("frameworks")).expect("frameworks");
        let runs: Vec<PathBuf> = frameworks
            .map(|framework| framework.expect("a framework").path())
            .map(|framework| framework.join("executors").join(executor).join("runs/latest"))
            .filter(|runs| runs.exists())
            .collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }
}

fn only(folder: &Path) -> PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name != "latest"))
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it is bound").port()
}
