//! What may be typed and what comes of it, good and bad.

use std::net::Ipv4Addr;

use common::resources::Resources;
use libprocess::Address;
use stout::flags::parse::Loader;

use super::{Config, ConfigError};
use crate::flags::Flags;

const ADDRESS: Address = Address::new(Ipv4Addr::LOCALHOST, 5051);

fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let work_dir = format!("--work_dir={}", folder.path().display());
    let given = ["mesos-slave", &work_dir, "--hostname=h"];
    let arguments: Vec<String> = given.iter().chain(arguments).map(|&a| a.to_owned()).collect();
    let loader = Loader::new(&|path: &str| Err(format!("no file {path}").into()))
        .ignore_duplicates()
        .load::<Flags>(&arguments);
    Config::new(&loader.unwrap(), Vec::new(), ADDRESS)
}

fn check_refused(arguments: &[&str], expected: &str) {
    let error = config(arguments).err().unwrap_or_else(|| panic!("{arguments:?} is fine"));
    assert_eq!(error.to_string(), expected, "{arguments:?}");
}

fn resources(text: &str) -> Resources {
    let config = config(&[&format!("--resources={text}")]).unwrap();
    Resources::from(&config.info.resources)
}

#[test]
fn flags_that_are_no_good() {
    check_refused(
        &["--registration_backoff_factor=2mins"],
        "Invalid value '2mins' for --registration_backoff_factor: Must be less than 1mins",
    );
    check_refused(
        &["--gc_disk_headroom=2"],
        "Invalid value '2' for --gc_disk_headroom. Must be between 0.0 and 1.0.",
    );
    check_refused(
        &["--gc_disk_headroom=-1"],
        "Invalid value '-1' for --gc_disk_headroom. Must be between 0.0 and 1.0.",
    );
    check_refused(
        &["--recover=foo"],
        "Unknown option for 'recover' flag foo. Please run the slave with '--help' to see the \
         valid options",
    );
    assert!(config(&["--registration_backoff_factor=1mins"]).is_ok());
}

#[test]
fn attributes_that_are_no_good() {
    check_refused(
        &["--attributes=kind:{a,b}"],
        "Bad type for attribute kind text {a,b} type SET: not supported",
    );
    check_refused(&["--attributes=rack"], "Invalid attribute key:value pair 'rack'");
    check_refused(
        &["--attributes=a:[x"],
        "Failed to parse attribute a text [x error Mismatched brackets",
    );
}

#[test]
fn resources_that_are_no_good() {
    let check = |text: &str, expected: &str| {
        let flag = format!("--resources={text}");
        check_refused(&[&flag], &format!("Failed to determine slave resources: {expected}"));
    };
    check("cpus", "Bad value for resources, missing or extra ':' in cpus");
    check("cpus:a", "Bad type for resource cpus value a type TEXT");
    check(
        "cpus:1;cpus:[1-2]",
        "Resources with the same name ('cpus') but different types are not allowed",
    );
}

#[test]
fn credentials_that_are_no_good() {
    check_refused(
        &["--credential=/no/such/file"],
        "Failed to read credential file '/no/such/file': Failed to open file '/no/such/file': \
         No such file or directory (see --credential flag)",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    std::fs::write(&path, "principal").unwrap();
    let flag = format!("--credential=file://{}", path.display());
    check_refused(&[&flag], "Invalid credential format (see --credential flag)");
    std::fs::write(&path, "principal secret").unwrap();
    assert_eq!(config(&[&flag]).unwrap().credential.unwrap().principal, "principal");
    let why = "Could not create authenticatee module 'foo': Module 'foo' unknown";
    check_refused(&[&flag, "--authenticatee=foo"], why);
}

#[test]
fn work_directories_that_cannot_be_made() {
    let error = config(&["--work_dir=/proc/no/such"]).err().unwrap().to_string();
    assert!(
        error.starts_with("Failed to create slave work directory '/proc/no/such': "),
        "{error}"
    );
}

#[test]
fn what_is_not_typed_is_detected() {
    let detected = resources("");
    let typed = resources("cpus:2;mem:1024;disk:100;ports:[1-2]");
    assert_eq!(typed.to_string(), "cpus(*):2; mem(*):1024; disk(*):100; ports(*):[1-2]");
    assert!(detected.cpus().is_some());
    assert!(detected.mem().is_some());
    assert!(detected.disk().is_some());
    assert_eq!(detected.ports(), resources("ports:[31000-32000]").ports());
    let config = config(&["--default_role=web", "--resources=mem:1;disk:1"]).unwrap();
    let roles: Vec<_> = config.info.resources.iter().map(|one| one.role().to_owned()).collect();
    assert_eq!(roles, ["web"; 4]);
}

#[test]
fn a_name_anywhere_is_not_detected() {
    assert_eq!(resources("memory_bw:5").mem(), None);
    assert_eq!(resources("foo(cpus):1").cpus(), None);
    assert_eq!(resources("cpus:0").cpus(), None);
}

#[test]
fn disks_are_made_or_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("disk");
    let disk = |kind: &str, root: &str| {
        let lower = kind.to_lowercase();
        format!(
            r#"--resources=[{{"name":"disk","type":"SCALAR","scalar":{{"value":10}},"role":"r",
            "disk":{{"source":{{"type":"{kind}","{lower}":{{"root":"{root}"}}}}}}}}]"#
        )
    };
    config(&[&disk("PATH", root.to_str().unwrap())]).unwrap();
    assert!(root.is_dir());
    let flag = disk("MOUNT", root.to_str().unwrap());
    let expected = format!("Failed to found mount '{}' in /proc/mounts", root.display());
    check_refused(&[&flag], &expected);
    config(&[&disk("MOUNT", "/proc")]).unwrap();
    let without_root = r#"--resources=[{"name":"disk","type":"SCALAR","scalar":{"value":10},
        "role":"r","disk":{"source":{"type":"PATH"}}}]"#;
    assert!(config(&[without_root]).is_err());
}

#[test]
fn hostnames() {
    let name = |arguments: &[&str]| config(arguments).unwrap().info.hostname;
    assert_eq!(name(&[]), "h");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["mesos-slave", "--no-hostname_lookup"].map(str::to_owned);
    let work_dir = format!("--work_dir={}", folder.path().display());
    let arguments = [&arguments[..], &[work_dir]].concat();
    let loaded = Loader::new(&|path: &str| Err(format!("no file {path}").into()));
    let loaded = loaded.load::<Flags>(&arguments).unwrap();
    let config = Config::new(&loaded, Vec::new(), ADDRESS).unwrap();
    assert_eq!(config.info.hostname, "127.0.0.1");
}

#[test]
fn directories_grow_younger_as_the_disk_fills() {
    let config = config(&["--gc_delay=10days"]).unwrap();
    let days = |usage| config.directory_age_max(usage).as_secs_f64() / 86_400.0;
    assert!((days(0.0) - 9.0).abs() < 1e-9);
    assert!((days(0.5) - 4.0).abs() < 1e-9);
    assert_eq!(days(0.95), 0.0);
}
