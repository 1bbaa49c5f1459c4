//! What a machine must have for a test; what it lacks is said aloud, never passed over.
//! Called first in a test that needs more than cargo brings.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `cargo xtask setup` puts clients that are not ours, if it has done so.
fn clients() -> PathBuf {
    match std::env::var_os("CLIENTS_DIR") {
        Some(folder) => folder.into(),
        None => {
            let binary = std::env::current_exe().expect("a test knows its own path");
            let target = binary.ancestors().nth(3).expect("tests run from target/*/deps");
            target.join("clients")
        }
    }
}

/// The Python that has the packages of `client`; `None`, said aloud, if it is not installed.
pub fn python_with(client: &str, test: &str) -> Option<PathBuf> {
    let python = clients().join(client).join("bin/python");
    if python.exists() {
        return Some(python);
    }
    skip(test, &format!("the client {client}; `cargo xtask setup` installs it"));
    None
}

/// The path of an installed program; `None`, said aloud, if it is not there.
pub fn program(name: &str, test: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|p| p.exists());
    if found.is_none() {
        skip(test, name);
    }
    found
}

/// Whether this process is root; said aloud if not.
pub fn root(test: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        skip(test, "root");
    }
    is_root
}

/// Whether this process may mount what nobody else sees; said aloud if not.
pub fn mounts(test: &str) -> bool {
    let tried = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    let may_mount = tried.is_ok_and(|status| status.success());
    if !may_mount {
        skip(test, "mounts of its own, which root may have");
    }
    may_mount
}

/// Whether there is a ZooKeeper server, and a Java to run it; said aloud if not.
pub(crate) fn zookeeper(jar: &str, test: &str) -> bool {
    let java = Command::new("java").arg("-version").stderr(Stdio::null()).status();
    let is_there = Path::new(jar).exists() && java.is_ok_and(|status| status.success());
    if !is_there {
        skip(test, "ZooKeeper; `cargo xtask setup` installs it");
    }
    is_there
}

/// A folder of files beside the tests.
pub fn files(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn skip(test: &str, what: &str) {
    let line = format!("SKIPPED {test}: needs {what}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("MESOS_TEST_SKIPS") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the list of skipped tests can be written");
    }
}
