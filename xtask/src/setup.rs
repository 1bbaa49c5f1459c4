//! `setup`: installs what the tests call and cargo does not bring. Package managers only.

use std::io;
use std::process::Command;

use crate::shell::{probe, succeeds};
use crate::workspace;

/// Something that tests call.
struct Need {
    program: &'static str,
    /// Arguments with which the program succeeds if all of it is there.
    probe: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
}

const NEEDS: [Need; 6] = [
    Need { program: "python3", probe: &["--version"], package: "python3" },
    Need { program: "python3", probe: &["-c", "import ensurepip, venv"], package: "python3-venv" },
    Need { program: "curl", probe: &["--version"], package: "curl" },
    Need { program: "ip", probe: &["-Version"], package: "iproute2" },
    Need { program: "openssl", probe: &["version"], package: "openssl" },
    // With the Java to run it.
    Need {
        program: "sh",
        probe: &["-c", "java -version && test -e /usr/share/java/zookeeper.jar"],
        package: "zookeeper",
    },
];

/// Installs what is missing; says whether all of it is there now.
pub(crate) fn run() -> io::Result<bool> {
    let missing: Vec<&str> = missing().collect();
    if !missing.is_empty() && !install(&missing)? {
        eprintln!("setup: please install {}", missing.join(" "));
    }
    let installed = self::missing().next().is_none();
    Ok(clients()? && installed)
}

fn missing() -> impl Iterator<Item = &'static str> {
    NEEDS.iter().filter(|need| !probe(need.program, need.probe)).map(|need| need.package)
}

fn install(packages: &[&str]) -> io::Result<bool> {
    if !probe("apt-get", &["--version"]) {
        return Ok(false);
    }
    let is_root = probe("sh", &["-c", "[ \"$(id -u)\" = 0 ]"]);
    let prefix: &[&str] = if is_root { &[] } else { &["sudo", "-n"] };
    if !is_root && !probe("sudo", &["-n", "true"]) {
        return Ok(false);
    }
    let apt = |arguments: &[&str]| {
        let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        let words: Vec<&str> = [prefix, &environment, arguments].concat();
        succeeds(Command::new(words[0]).args(&words[1..]))
    };
    let install = ["install", "--yes", "--no-install-recommends"];
    Ok(apt(&["update", "--quiet"])? && apt(&[&install, packages].concat())?)
}

/// The clients that cluster tests run against our daemons are set up by a program beside them.
fn clients() -> io::Result<bool> {
    let program = workspace::root().join("tests/clients/setup");
    if !program.exists() {
        return Ok(true);
    }
    let folder = crate::shell::target_folder()?.join("clients");
    succeeds(Command::new(program).env("CLIENTS_DIR", folder))
}
