//! Runtimes for the loads, here and in another process, and what the system says of a process.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libprocess::{Config, Runtime, Upid};

use crate::ping_pong::Server;

/// What makes this program the server of another one.
pub(crate) const SERVE: &str = "--serve";

/// A runtime on the loopback interface, as the variables of the environment want it.
pub(crate) fn start() -> Runtime {
    let config = Config::from_environment(|name| std::env::var(name).ok()).expect("good values");
    let config = Config { ip: Some(Ipv4Addr::LOCALHOST), ..config };
    Runtime::start(config).expect("a free port")
}

/// A server in another process, which ends with this value.
pub(crate) struct Remote(Child);

impl Remote {
    pub(crate) fn start() -> (Self, Upid) {
        let program = std::env::current_exe().expect("the system knows what it runs");
        let mut command = Command::new(program);
        command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("asked for above");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it is");
        (Self(child), line.parse().expect("a pid"))
    }
}

impl Remote {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it has ended");
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It ends when its standard input does.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What the other process does: it hosts a server until its standard input ends.
pub(crate) fn serve() {
    let runtime = start();
    let server = runtime.spawn("server", Server).expect("a free id");
    println!("{}", server.upid());
    std::io::stdout().flush().expect("the benchmark listens");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

/// The processor time that a process has had.
pub(crate) fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // After the name, which may contain blanks, user and system time are the 12th and the 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// How much memory a process holds, in bytes.
pub(crate) fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    1024 * kilobytes.expect("the system says so")
}

/// How many files and sockets a process has open.
pub(crate) fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}

/// Lets this process, and those that it starts, open as many files as the system allows; gives
/// their number.
pub(crate) fn lift_the_limit_of_descriptors() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the resource exists");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("up to the limit it is allowed");
    most
}
