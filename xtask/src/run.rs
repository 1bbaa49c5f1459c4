//! `run`, `bench`, `simulate`, `drill`, `fuzz`: thin words for what cargo can do, so that nobody
//! has to know how.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::shell::{announce, cargo, succeeds, target_folder, unstartable};
use crate::workspace::root;

/// Builds all binaries, because daemons start each other by name, and becomes the named one.
pub(crate) fn binary(arguments: &[String]) -> io::Result<bool> {
    let is_release = arguments.first().is_some_and(|first| first == "--release");
    let (profile, folder) = if is_release { ("release", "release") } else { ("dev", "debug") };
    let [name, rest @ ..] = &arguments[usize::from(is_release)..] else {
        return Err(io::Error::other("name the binary to run, such as mesos-execute"));
    };
    if !succeeds(&mut cargo(&["build", "--workspace", "--bins", "--profile", profile]))? {
        return Ok(false);
    }
    let program = target_folder()?.join(folder).join(name);
    if !program.exists() {
        return Err(io::Error::other(format!("no crate has a binary {name}")));
    }
    let mut command = Command::new(program);
    command.args(rest);
    announce(&command);
    let error = command.exec();
    Err(unstartable(&command, &error))
}

/// What the one program `libprocess/benches/load` measures.
const LOADS: [&str; 5] = ["ping-pong", "links", "spawn", "trace", "soak"];

/// A `[[bench]]` target of any crate, or a load on libprocess, by its name.
pub(crate) fn bench(arguments: &[String]) -> io::Result<bool> {
    let [name, rest @ ..] = arguments else {
        return Err(io::Error::other("name the benchmark to run"));
    };
    if LOADS.contains(&name.as_str()) {
        return succeeds(
            cargo(&["bench", "-p", "libprocess", "--bench", "load", "--"]).args(arguments),
        );
    }
    let needs_daemons = root().join(format!("tests/benches/{name}.rs")).exists();
    if needs_daemons && !succeeds(&mut cargo(&["build", "--workspace", "--bins", "--release"]))? {
        return Ok(false);
    }
    succeeds(cargo(&["bench", "--workspace", "--bench", name, "--"]).args(rest))
}

/// Where the seeded simulations are: package, target and what their tests are called.
const SIMULATIONS: [[&str; 3]; 3] = [
    ["libprocess", "--test=simulation", "guarantees"],
    ["coordination", "--lib", "log::simulation"],
    ["tests", "--test=simulation", ""],
];

/// The simulations, those of one package if it is named, with all their seeds unless told how many.
pub(crate) fn simulate(arguments: &[String]) -> io::Result<bool> {
    let (seeds, packages) = match arguments {
        [seeds, packages @ ..] if seeds.parse::<u64>().is_ok() => (seeds.as_str(), packages),
        packages => ("full", packages),
    };
    let mut all_hold = true;
    for [package, target, tests] in SIMULATIONS {
        if packages.is_empty() || packages.iter().any(|wanted| wanted == package) {
            let mut command = cargo(&["test", "--release", "-p", package, target, "--", tests]);
            all_hold &= succeeds(command.env("MESOS_SIMULATION_SEEDS", seeds))?;
        }
    }
    Ok(all_hold)
}

/// The test target `drills`, which repeats more and waits longer when it is told so.
pub(crate) fn drill(filters: &[String]) -> io::Result<bool> {
    if !succeeds(&mut cargo(&["build", "--workspace", "--bins"]))? {
        return Ok(false);
    }
    let alone = ["test", "--package", "tests", "--test", "drills", "--"];
    let mut command = cargo(&alone);
    command.args(["--nocapture", "--test-threads=1"]).args(filters).env("MESOS_DRILLS", "full");
    succeeds(&mut command)
}

/// A target of `tests/fuzz`, a workspace of its own: everything in it counts its coverage.
pub(crate) fn fuzz(arguments: &[String]) -> io::Result<bool> {
    let (target, seconds) = match arguments {
        [target] => (target, "60"),
        [target, seconds] => (target, seconds.as_str()),
        _ => return Err(io::Error::other("name the target, and for how many seconds")),
    };
    let folder = root().join("tests/fuzz");
    let corpus = format!("corpus/{target}");
    let seeds = format!("seeds/{target}");
    fs::create_dir_all(folder.join(&corpus))?;
    fs::create_dir_all(folder.join("artifacts"))?;
    let limit = format!("-max_total_time={seconds}");
    let fuzzer = [&corpus, &seeds, &limit, "-artifact_prefix=artifacts/"];
    let mut command = cargo(&["run", "--release", "--bin", target, "--"]);
    succeeds(command.args(fuzzer).current_dir(folder))
}
