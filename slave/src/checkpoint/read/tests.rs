//! What cannot be read: the end if strict, and else counted and passed over.

use std::fs;
use std::path::{Path, PathBuf};

use proto::mesos::{FrameworkInfo, SlaveInfo};

use super::{ReadError, recover};
use crate::checkpoint::write;
use crate::paths::{FRAMEWORK_INFO, LATEST, RUNS, WorkDir};
use crate::storage::{FileSystem, Storage};

/// A slave `S` with framework `F`, which has an executor `E` in run `C`.
fn written(folder: &Path) -> WorkDir {
    let meta = WorkDir(folder.to_owned()).meta();
    let framework = meta.framework(&"S".into(), &"F".into());
    let executor = meta.executor(&"S".into(), &"F".into(), &"E".into());
    let slave = SlaveInfo { hostname: "host".to_owned(), ..SlaveInfo::default() };
    let steps = [
        write::boot_id(&meta, "boot"),
        write::slave(&meta, &meta.slave(&"S".into()), &slave),
        write::framework(&framework, &FrameworkInfo::default(), None),
        write::executor(&executor, &executor.join(RUNS).join("C"), &Default::default()),
        write::forked_pid(&executor.join(RUNS).join("C"), 42, 7),
    ];
    steps.concat().iter().for_each(|step| FileSystem.perform(step).unwrap());
    meta
}

fn run_of(meta: &WorkDir) -> PathBuf {
    meta.executor(&"S".into(), &"F".into(), &"E".into()).join(RUNS).join("C")
}

#[test]
fn what_cannot_be_read_is_the_end_if_strict() {
    let folder = tempfile::tempdir().unwrap();
    let meta = written(folder.path());
    let path = meta.framework(&"S".into(), &"F".into()).join(FRAMEWORK_INFO);
    fs::write(&path, [9, 0, 0, 0, 1]).unwrap();
    let error = recover(&meta, "boot", true).unwrap_err();
    let expected = format!(
        "Failed to read '{}': Failed to read message of size 9 bytes: hit EOF unexpectedly, \
         possible corruption",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    let recovered = recover(&meta, "boot", false).unwrap();
    assert_eq!(recovered.errors, [error]);
    assert!(recovered.slave.unwrap().frameworks.is_empty());
}

#[test]
fn a_pid_that_is_no_number_is_always_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let meta = written(folder.path());
    let path = run_of(&meta).join("pids/forked.pid");
    fs::write(&path, "x").unwrap();
    let expected = ReadError::Number { path, text: "x".to_owned() };
    assert_eq!(recover(&meta, "boot", false).unwrap_err(), expected);
}

#[test]
fn a_work_directory_may_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    written(&folder.path().join("old"));
    fs::rename(folder.path().join("old"), folder.path().join("new")).unwrap();
    let meta = WorkDir(folder.path().join("new")).meta();
    let slave = recover(&meta, "boot", true).unwrap().slave.unwrap();
    let executor = &slave.frameworks["F"].executors["E"];
    assert_eq!(executor.latest, Some("C".into()));
    assert!(run_of(&meta).with_file_name(LATEST).symlink_metadata().is_ok());
}

#[test]
fn what_is_of_another_boot_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let meta = written(folder.path());
    assert!(recover(&meta, "another", true).unwrap().slave.is_none());
    assert!(recover(&meta, "boot", true).unwrap().slave.is_some());
}

#[test]
fn checkpoint_string() {
    let folder = tempfile::tempdir().unwrap();
    let meta = written(folder.path());
    assert_eq!(fs::read_to_string(meta.boot_id()).unwrap(), "boot");
    assert_eq!(fs::read_to_string(run_of(&meta).join("pids/forked.pid")).unwrap(), "42");
}

#[test]
fn checkpoint_protobuf_message() {
    let folder = tempfile::tempdir().unwrap();
    let meta = written(folder.path());
    let info = fs::read(meta.slave(&"S".into()).join("slave.info")).unwrap();
    assert_eq!(info, b"\x06\0\0\0\x0a\x04host");
}

#[test]
fn checkpoint_repeated_protobuf_messages() {
    let folder = tempfile::tempdir().unwrap();
    let meta = WorkDir(folder.path().to_owned()).meta();
    let expected = "cpus:8;mem:1024".parse::<common::resources::Resources>().unwrap();
    let expected = expected.to_messages();
    for resources in [expected.as_slice(), &[]] {
        let steps = write::resources(&meta, resources);
        steps.iter().for_each(|step| FileSystem.perform(step).unwrap());
        assert_eq!(recover(&meta, "boot", true).unwrap().resources, resources);
    }
    let file = meta.resources_info();
    assert_eq!(fs::metadata(file).unwrap().len(), 0);
}
