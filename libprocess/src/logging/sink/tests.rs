//! The severity files, without a process around them.

use std::os::unix::fs::PermissionsExt;
use std::time::UNIX_EPOCH;

use super::*;

const START: Duration = Duration::from_secs(1_451_428_958);

fn files(dir: &Path, roll_bytes: u64, buffer: Duration) -> SeverityFiles {
    let identity = Identity {
        program: "mesos-master".to_owned(),
        hostname: "node-1".to_owned(),
        user: "root".to_owned(),
        pid: 4711,
    };
    let dir = dir.to_owned();
    SeverityFiles::new(identity, Files { dir, from: Severity::Info, roll_bytes, buffer })
}

fn after(seconds: u64) -> SystemTime {
    UNIX_EPOCH + START + Duration::from_secs(seconds)
}

/// What a file says after its three lines of header.
fn body(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.splitn(4, '\n').nth(3).unwrap().to_owned()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn names_links_and_modes() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), 1 << 20, Duration::ZERO).write(Severity::Warning, after(0), "W text\n");
    let t = local(split(after(0)).0);
    let time =
        format!("{}{:02}{:02}-{:02}{:02}{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second);
    let info = format!("mesos-master.node-1.root.log.INFO.{time}.4711");
    let warning = format!("mesos-master.node-1.root.log.WARNING.{time}.4711");
    let links = ["mesos-master.INFO", "mesos-master.WARNING"];
    assert_eq!(names(dir.path()), [links[0], links[1], &info, &warning]);
    assert_eq!(fs::read_link(dir.path().join(links[0])).unwrap(), Path::new(&info));
    assert_eq!(fs::read_link(dir.path().join(links[1])).unwrap(), Path::new(&warning));
    assert_eq!(body(&dir.path().join(links[0])), "W text\n");
    let mode = fs::metadata(dir.path().join(&info)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode & 0o600, mode & !0o664), (0o600, 0), "{mode:o}");
}

#[test]
fn a_full_file_is_followed_by_a_new_one_a_second_later() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path(), 1, Duration::ZERO);
    files.write(Severity::Info, after(0), "one\n");
    files.write(Severity::Info, after(0), "two\n");
    let link = dir.path().join("mesos-master.INFO");
    let first = dir.path().join(fs::read_link(&link).unwrap());
    assert_eq!(body(&first), "one\ntwo\n");
    files.write(Severity::Info, after(1), "three\n");
    assert_eq!(body(&first), "one\ntwo\n");
    assert_eq!(body(&link), "three\n");
}

#[test]
fn info_waits_until_time_is_up_or_worse_comes() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path(), 1 << 20, Duration::from_secs(30));
    let link = dir.path().join("mesos-master.INFO");
    files.write(Severity::Info, after(0), "one\n");
    files.write(Severity::Info, after(29), "two\n");
    assert_eq!(body(&link), "");
    files.write(Severity::Info, after(30), "three\n");
    assert_eq!(body(&link), "one\ntwo\nthree\n");
    files.write(Severity::Info, after(31), "four\n");
    files.write(Severity::Error, after(32), "worse\n");
    assert_eq!(body(&link), "one\ntwo\nthree\nfour\nworse\n");
}

#[test]
fn a_file_that_exists_is_never_written_to() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), 1 << 20, Duration::ZERO).write(Severity::Info, after(0), "mine\n");
    let same_name = files(dir.path(), 1 << 20, Duration::ZERO);
    (0..31).for_each(|_| same_name.write(Severity::Info, after(0), "dropped\n"));
    assert_eq!(body(&dir.path().join("mesos-master.INFO")), "mine\n");
    same_name.write(Severity::Info, after(1), "dropped as well\n");
    same_name.write(Severity::Info, after(1), "the next attempt\n");
    assert_eq!(body(&dir.path().join("mesos-master.INFO")), "the next attempt\n");
}

#[test]
fn full_disk_drops_lines_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogFile::unopened();
    log.file = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
    for _ in 0..2 {
        log.append("lost\n");
        log.flush();
        assert!(log.failing);
        assert!(log.pending.is_empty());
    }
    let path = dir.path().join("healed");
    log.file = Some(File::create(&path).unwrap());
    log.append("kept\n");
    log.flush();
    assert!(!log.failing);
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
}
