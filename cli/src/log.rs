//! Looks after the files of a replicated log: what `mesos-log` is. Read `flags` for what may be
//! typed, `text` for how actions are printed, `benchmark` for the one command that measures.
//! Called by the program's `main`. What it prints and its exit codes are interface.
//!
//! Upstream: `src/log/main.cpp`, `src/log/tool`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

mod benchmark;
mod flags;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use coordination::group::{Group, GroupError};
use coordination::log::{
    AutoInitialize, Config, Log, Network, Offline, RangeError, StartError, WriteError,
};
use coordination::zookeeper::Url;
use libprocess::embed::block_on;
use libprocess::{Runtime, logging};
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{LoadError, Loader};
use stout::flags::{BoxedError, Flags};
use tracing::info;

use crate::log::benchmark::{Appended, BenchmarkError};
use crate::log::flags::{
    BenchmarkFlags, InitializeFlags, Place, ReadFlags, ReplicaFlags, Tool, missing,
};
use crate::log::text::Text;

/// What the sessions with ZooKeeper ask for.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a command did not do what it was told to; printed as it is.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What was typed is wrong, or help is wanted: the usage, behind what is wrong.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Logging(#[from] logging::InitError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("The log is not empty")]
    NotEmpty,
    #[error("Failed to update replica status")]
    NotWritten,
    #[error("Timed out while setting replica status")]
    InitializeTimeout,
    #[error("Timed out while reading the replica")]
    ReadTimeout,
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Environment(#[from] libprocess::runtime::config::ConfigError),
    #[error(transparent)]
    Runtime(#[from] libprocess::runtime::config::StartError),
    #[error("Failed to participate in ZooKeeper group: {0}")]
    Expelled(GroupError),
    #[error("Failed to start a log writer: {0}")]
    StartWriter(WriteError),
    #[error("Failed to start a log writer: timed out")]
    StartWriterTimeout,
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
}

/// What a command may look at besides its arguments.
struct Surroundings<'a> {
    program: &'a str,
    variables: BTreeMap<String, String>,
}

/// Does what the arguments say; the first one is the program. `variables` is the environment.
pub fn run(arguments: &[String], variables: &[(String, String)]) -> ExitCode {
    let mut words = arguments.iter().map(String::as_str);
    let program = words.next().unwrap_or("mesos-log");
    let mut typed: Vec<&str> = words.collect();
    match &typed[..] {
        [] => {
            eprint!("{}", commands(program));
            return ExitCode::FAILURE;
        }
        ["help"] => {
            eprint!("{}", commands(program));
            return ExitCode::SUCCESS;
        }
        // `mesos-log help read` is `mesos-log read --help`.
        ["help", command, ..] => typed = vec![command, "--help"],
        _ => {}
    }
    let surroundings = Surroundings { program, variables: variables.iter().cloned().collect() };
    let done = match typed[0] {
        "initialize" => initialize(&surroundings, &typed),
        "read" => read(&surroundings, &typed),
        "replica" => replica(&surroundings, &typed),
        "benchmark" => benchmark(&surroundings, &typed),
        unknown => {
            eprint!("Cannot find command '{unknown}'\n\n{}", commands(program));
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn commands(program: &str) -> String {
    format!(
        "Usage: {program} <command> [OPTIONS]\n\nAvailable commands:\n    help\n    replica\n    \
         read\n    initialize\n    benchmark\n"
    )
}

/// Reads the flags of a command, which comes first, and opens its logs.
fn load<T: Tool>(surroundings: &Surroundings<'_>, typed: &[&str]) -> Result<T, Failure> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let arguments: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
    let misuse = |error: LoadError| misused::<T>(&error.to_string());
    let loaded = Loader::new(&read).load::<T>(&arguments).map_err(misuse)?;
    if loaded.help {
        return Err(Failure::Usage(usage::<T>(T::NAME)));
    }
    let variable = |name: &str| surroundings.variables.get(name).cloned();
    logging::init(loaded.flags.logging(), surroundings.program, variable)?;
    Ok(loaded.flags)
}

fn misused<T: Flags>(why: &str) -> Failure {
    Failure::Usage(usage_behind::<T>(why, ""))
}

fn initialize(surroundings: &Surroundings<'_>, typed: &[&str]) -> Result<(), Failure> {
    let flags: InitializeFlags = load(surroundings, typed)?;
    let path = flags.path.ok_or_else(|| misused::<InitializeFlags>(&missing("option", "path")))?;
    within(flags.timeout, move || initialize_files(&path)).ok_or(Failure::InitializeTimeout)?
}

fn initialize_files(path: &Path) -> Result<(), Failure> {
    let mut files = Offline::open(path)?;
    if !files.is_empty() {
        return Err(Failure::NotEmpty);
    }
    if files.initialize() { Ok(()) } else { Err(Failure::NotWritten) }
}

fn read(surroundings: &Surroundings<'_>, typed: &[&str]) -> Result<(), Failure> {
    let ReadFlags { path, from, to, timeout, .. } = load(surroundings, typed)?;
    let path = path.ok_or_else(|| misused::<ReadFlags>(&missing("flag", "path")))?;
    let mut files = Offline::open(&path)?;
    let (from, to) = (from.unwrap_or(files.beginning()), to.unwrap_or(files.ending()));
    info!("Attempting to read the log from {from} to {to}");
    let actions = within(timeout, move || files.read(from, to));
    for action in actions.ok_or(Failure::ReadTimeout)?? {
        print!("----------------------------------------------\n{}", Text(&action));
    }
    Ok(())
}

/// Does something that may take as long as it likes, or gives up after the time limit.
fn within<T: Send + 'static>(
    limit: Option<Duration>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let Some(limit) = limit else { return Some(work()) };
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = done.send(work());
    });
    outcome.recv_timeout(limit).ok()
}

fn replica(surroundings: &Surroundings<'_>, typed: &[&str]) -> Result<(), Failure> {
    let flags: ReplicaFlags = load(surroundings, typed)?;
    let place = flags.place.complete().map_err(|why| misused::<ReplicaFlags>(&why))?;
    let (_runtime, log) = join(surroundings, &place)?;
    Err(Failure::Expelled(block_on(log.expelled())))
}

fn benchmark(surroundings: &Surroundings<'_>, typed: &[&str]) -> Result<(), Failure> {
    let flags: BenchmarkFlags = load(surroundings, typed)?;
    let misuse = |why: String| misused::<BenchmarkFlags>(&why);
    let place = flags.place.complete().map_err(misuse)?;
    let input = flags.input.as_ref().ok_or_else(|| misuse(missing("option", "input")))?;
    let output = flags.output.as_ref().ok_or_else(|| misuse(missing("option", "output")))?;
    let (runtime, log) = join(surroundings, &place)?;
    let measured = measure(&runtime, &log, input, &flags.r#type);
    // The replica leaves its group at once, as upstream's does.
    block_on(runtime.shutdown());
    let (sizes, appended) = measured?;
    println!("Total number of appends: {}", sizes.len());
    println!("Total time used: {}", stout::duration::display(appended.elapsed));
    Ok(benchmark::write(output, &sizes, &appended)?)
}

/// The sizes that a trace asks for, and what it took to append them.
fn measure(
    runtime: &Runtime,
    log: &Log,
    trace: &Path,
    kind: &str,
) -> Result<(Vec<u64>, Appended), Failure> {
    let writer = log.writer();
    let started = block_on(benchmark::within(runtime, Duration::from_secs(15), writer.start()));
    started.ok_or(Failure::StartWriterTimeout)?.map_err(Failure::StartWriter)?;
    let sizes = benchmark::sizes(trace)?;
    let appended = benchmark::append(runtime, &writer, &sizes, kind)?;
    Ok((sizes, appended))
}

/// A log with a replica in the group of `place`.
fn join(surroundings: &Surroundings<'_>, place: &Place) -> Result<(Runtime, Log), Failure> {
    if place.initialize {
        initialize_files(&place.path)?;
    }
    let variable = |name: &str| surroundings.variables.get(name).cloned();
    let config = libprocess::Config::from_environment(variable)?;
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    let runtime = Runtime::start(libprocess::Config { schema, ..config })?;
    let (servers, path) = (place.servers.clone(), place.znode.clone());
    let group = Group::new(&runtime, &Url { credentials: None, servers, path }, SESSION_TIMEOUT);
    let config = Config {
        quorum: place.quorum,
        path: place.path.clone(),
        network: Network::Group(group),
        // As upstream's: whoever uses the tools initializes replicas one by one.
        auto_initialize: AutoInitialize::No,
    };
    let log = Log::start(&runtime, config)?;
    Ok((runtime, log))
}
