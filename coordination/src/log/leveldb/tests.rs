//! Files of LevelDB: upstream's, ours, and damaged ones.

use std::collections::BTreeSet;
use std::fs;

use proto::mesos::internal::log::action::{Append, Nop, Truncate};
use tempfile::TempDir;

use super::*;
use crate::log::message::{Payload, performed};

/// What a master of 0.28.3 has left behind: a log of one replica, killed.
fn sample() -> TempDir {
    unpacked(include_bytes!("../../../../tests/golden/log/replicated_log.tar.gz"))
}

fn unpacked(archive: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    archive.unpack(folder.path()).expect("it is a whole archive");
    folder
}

fn learned(position: u64, payload: Payload) -> Change {
    Change::Action(Action { learned: Some(true), ..performed(position, 1, payload) })
}

fn append(position: u64, size: usize) -> Change {
    let bytes = vec![b'x'; size].into();
    learned(position, Payload::Append(Append { bytes, cksum: None }))
}

fn truncate(position: u64, to: u64) -> Change {
    learned(position, Payload::Truncate(Truncate { to }))
}

fn opened(path: &Path) -> (LevelDb, Restored) {
    let mut storage = LevelDb::new(path, Clock::default());
    let restored = storage.restore().expect("it opens");
    (storage, restored)
}

fn names(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).expect("it is there");
    entries.map(|entry| entry.expect("it is").file_name().into_string().expect("text")).collect()
}

#[test]
fn the_log_of_an_upstream_master_opens() {
    let folder = sample();
    let path = folder.path().join("replicated_log");
    for _ in 0..3 {
        let (mut storage, restored) = opened(&path);
        let Restored { metadata, begin, end, learned, unlearned } = restored;
        assert_eq!((metadata.status(), metadata.promised), (Status::Voting, 1));
        assert_eq!((begin, end, learned.to_string()), (5, 6, "{5..6}".to_owned()));
        assert!(unlearned.is_empty());

        let snapshot = storage.read(5).expect("it is there");
        assert_eq!((snapshot.promised, snapshot.performed), (1, Some(1)));
        assert_eq!(snapshot.append.expect("an entry").bytes.len(), 501);
        let truncation = storage.read(6).expect("it is there");
        assert_eq!(truncation.truncate, Some(Truncate { to: 5 }));
        assert_eq!(storage.read(4), Err(StorageError::Lost(4)));
    }
}

/// Upstream's replica has caught up with position 2 after it had position 3; entries of 8 KB have
/// blocks of their own.
#[test]
fn the_record_that_was_written_last_is_found_at_the_end_of_its_block() {
    let archive = include_bytes!("../../../../tests/golden/log/caught_up.tar.gz");
    let folder = unpacked(archive);
    let (mut storage, restored) = opened(&folder.path().join("replicated_log"));
    assert_eq!(restored.learned.to_string(), "{0..3}");
    for position in 1..=3 {
        let action = storage.read(position).expect("it is there");
        assert_eq!(action.append.expect("an entry").bytes, vec![0xff; 8_192]);
    }
}

#[test]
fn records_are_byte_for_byte_those_of_upstream() {
    let metadata = Metadata { status: Status::Voting.into(), promised: 1 };
    let record = Record { metadata: Some(metadata), ..super::record(Type::Metadata) };
    assert_eq!(record.encode_to_vec(), [8, 3, 0x22, 4, 8, 1, 0x10, 1]);

    let Change::Action(action) = truncate(6, 5) else { unreachable!("it is one") };
    let record = Record { action: Some(action), ..super::record(Type::Action) };
    let bytes = [8, 2, 0x1a, 14, 8, 6, 16, 1, 24, 1, 32, 1, 40, 3, 0x42, 2, 8, 5];
    assert_eq!(record.encode_to_vec(), bytes);
    assert_eq!((key(0), key(7)), ("0000000000".to_owned(), "0000000007".to_owned()));
}

#[test]
fn log_storage_test_truncate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, restored) = opened(folder.path());
    assert_eq!(restored.metadata.status(), Status::Empty);
    let changes: Vec<Change> = (0..10).map(|position| append(position, 10)).collect();
    storage.write(&changes, Durability::Disk).expect("there is room");
    storage.write(&[truncate(10, 3)], Durability::Disk).expect("there is room");
    assert_eq!(storage.read(2), Err(StorageError::Lost(2)));
    storage.write(&[truncate(11, 7)], Durability::Process).expect("there is room");
    assert!(storage.read(7).is_ok());

    drop(storage);
    let (_, restored) = opened(folder.path());
    assert_eq!((restored.begin, restored.end), (7, 11));
    assert_eq!(restored.learned.to_string(), "{7..11}");
}

#[test]
fn log_storage_test_truncate_with_empty_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    storage.write(&[truncate(0, 0)], Durability::Disk).expect("there is room");
    drop(storage);
    assert_eq!(opened(folder.path()).1.learned.to_string(), "{0..0}");
}

#[test]
fn log_storage_test_truncate_with_many_holes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    let last = LAST_POSITION - 1;
    let changes = [append(3, 10), append(last, 10), truncate(last + 1, last)];
    storage.write(&changes, Durability::Disk).expect("there is room");
    drop(storage);
    let (_, restored) = opened(folder.path());
    assert_eq!((restored.begin, restored.learned.count()), (last, 2));
}

#[test]
fn log_storage_tables_are_named_as_upstream_names_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    // More than the library keeps in memory, and enough tables for it to merge some.
    for position in 0..60 {
        storage.write(&[append(position, 1 << 20)], Durability::Process).expect("there is room");
    }
    storage.write(&[truncate(60, 50)], Durability::Disk).expect("there is room");
    drop(storage);
    let extensions: BTreeSet<Option<String>> = names(folder.path())
        .iter()
        .map(|name| name.split_once('.').map(|(_, extension)| extension.to_owned()))
        .collect();
    let expected = [None, Some("log".to_owned()), Some("sst".to_owned())];
    assert!(extensions.is_subset(&expected.into()) && extensions.len() == 3, "{extensions:?}");

    // As a later LevelDB would have written it.
    for name in names(folder.path()) {
        if let Some(number) = name.strip_suffix(".sst") {
            let newer = folder.path().join(format!("{number}.ldb"));
            fs::rename(folder.path().join(&name), newer).expect("it may be renamed");
        }
    }
    let (mut storage, restored) = opened(folder.path());
    assert_eq!((restored.begin, restored.end), (50, 60));
    assert_eq!(restored.learned.to_string(), "{50..60}");
    for position in 50..60 {
        let action = storage.read(position).expect("it is there");
        assert_eq!(action.append.expect("an entry").bytes.len(), 1 << 20);
    }
    assert!(names(folder.path()).iter().all(|name| !name.ends_with(".ldb")));
}

#[test]
fn a_log_that_is_open_is_not_opened_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_storage, _) = opened(folder.path());
    let path = folder.path().display();
    let expected = format!("IO error: lock {path}/LOCK: Resource temporarily unavailable");
    assert_eq!(
        LevelDb::new(folder.path(), Clock::default()).restore(),
        Err(StorageError::Files(expected))
    );
}

#[test]
fn a_log_without_a_parent_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a/b");
    let expected = format!("IO error: {}/LOCK: No such file or directory", path.display());
    assert_eq!(LevelDb::new(&path, Clock::default()).restore(), Err(StorageError::Files(expected)));
}

#[test]
fn a_log_that_has_lost_its_root_is_not_begun_anew() {
    let folder = sample();
    let path = folder.path().join("replicated_log");
    fs::remove_file(path.join("CURRENT")).expect("it is there");
    let error = LevelDb::new(&path, Clock::default()).restore().expect_err("it is not whole");
    assert!(error.to_string().ends_with("There is 000004.log, but no CURRENT"), "{error}");
}

#[test]
fn a_log_that_cannot_be_read_is_not_an_empty_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    storage.write(&[append(0, 5 << 20), append(1, 5)], Durability::Disk).expect("there is room");
    storage.write(&[append(2, 5)], Durability::Disk).expect("there is room");
    drop(storage);
    for name in names(folder.path()) {
        if name.ends_with(".sst") {
            // A folder opens as a file does, and fails only when it is read.
            let path = folder.path().join(name);
            fs::remove_file(&path).expect("it is there");
            fs::create_dir(&path).expect("its name is free");
        }
    }
    let error =
        LevelDb::new(folder.path(), Clock::default()).restore().expect_err("it is not whole");
    assert!(error.to_string().contains("Is a directory"), "{error}");
}

/// The files of a log of three records, one a write; in a table, too, if it was opened twice.
fn of_three(openings: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    for position in 0..3 {
        storage.write(&[append(position, 50)], Durability::Disk).expect("there is room");
    }
    drop(storage);
    (1..openings).for_each(|_| drop(opened(folder.path())));
    folder
}

/// The name and contents of the one file with such a name that has something in it.
fn only(folder: &TempDir, is_it: impl Fn(&str) -> bool) -> (String, Vec<u8>) {
    let files = names(folder.path()).into_iter().filter(|name| is_it(name)).map(|name| {
        let bytes = fs::read(folder.path().join(&name)).expect("it is there");
        (name, bytes)
    });
    let mut files = files.filter(|(_, bytes)| !bytes.is_empty());
    let file = files.next().expect("there is one");
    assert_eq!(files.next(), None);
    file
}

/// What becomes of a log whose file `name` is replaced.
fn replaced(folder: &TempDir, name: &str, bytes: &[u8]) -> Result<Restored, String> {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for name in names(folder.path()) {
        fs::copy(folder.path().join(&name), copy.path().join(&name)).expect("it is there");
    }
    fs::write(copy.path().join(name), bytes).expect("there is room");
    let restored = LevelDb::new(copy.path(), Clock::default()).restore();
    let path = format!("{}/", copy.path().display());
    restored.map_err(|error| error.to_string().replace(&path, ""))
}

#[test]
fn a_damaged_log_is_refused() {
    let folder = of_three(1);
    let (name, log) = only(&folder, |name| name.ends_with(".log"));
    let record = log.len() / 3;
    for (at, start) in [(0, 0), (9, 0), (record + 4, record), (2 * record - 1, record)] {
        let mut damaged = log.clone();
        damaged[at] ^= 1;
        let expected = format!("Corruption: {name}: damaged at byte {start}");
        assert_eq!(replaced(&folder, &name, &damaged), Err(expected), "{at}");
    }
}

#[test]
fn a_log_that_was_cut_off_is_taken_up_to_there() {
    let folder = of_three(1);
    let (name, log) = only(&folder, |name| name.ends_with(".log"));
    let record = log.len() / 3;
    for end in [2 * record, 2 * record + 1, 2 * record + 9, 3 * record - 1] {
        let restored = replaced(&folder, &name, &log[..end]).expect("it opens");
        assert_eq!(restored.learned.to_string(), "{0..1}", "{end}");
    }
}

#[test]
fn a_damaged_table_is_refused() {
    let folder = of_three(2);
    let (name, table) = only(&folder, |name| name.ends_with(".sst"));
    let whole = replaced(&folder, &name, &table).expect("it opens");
    let mut refused = 0;
    for at in (0..table.len()).step_by(5) {
        let mut damaged = table.clone();
        damaged[at] ^= 0x81;
        match replaced(&folder, &name, &damaged) {
            Ok(restored) => assert_eq!(restored, whole, "{at}"),
            Err(error) => {
                let expected = format!("Corruption: {name}: damaged at byte ");
                assert!(error.starts_with(&expected), "{at}: {error}");
                refused += 1;
            }
        }
    }
    // Of the footer and what fills it up, not all bytes say something.
    assert!(refused * 5 > table.len() - 48, "{refused} of {}", table.len());
    let short = replaced(&folder, &name, &table[..40]).expect_err("it is not whole");
    assert_eq!(short, format!("Corruption: {name}: damaged at byte 0"));
}

#[test]
fn a_damaged_manifest_is_refused() {
    let folder = of_three(2);
    let (name, manifest) = only(&folder, |name| name.starts_with("MANIFEST"));
    let mut damaged = manifest.clone();
    damaged[8] ^= 1;
    let expected = format!("Corruption: {name}: damaged at byte 0");
    assert_eq!(replaced(&folder, &name, &damaged), Err(expected));
}

#[test]
fn after_an_error_nothing_is_written_until_it_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut storage, _) = opened(folder.path());
    storage.write(&[append(0, 5)], Durability::Disk).expect("there is room");
    // The next table cannot be made.
    fs::rename(folder.path(), folder.path().with_extension("away")).expect("it is ours");
    let error = storage.write(&[append(1, 5 << 20), append(2, 5)], Durability::Disk);
    let second = storage.write(&[append(3, 5)], Durability::Disk);
    fs::rename(folder.path().with_extension("away"), folder.path()).expect("it is ours");
    assert!(error.is_ok() && second.is_err(), "{error:?}, {second:?}");
    assert_eq!(storage.write(&[append(3, 5)], Durability::Disk), Err(StorageError::Closed));
    let restored = storage.restore().expect("it opens");
    assert_eq!(restored.learned.to_string(), "{0..2}");
}

#[test]
fn records_that_are_none_are_refused() {
    let check = |key: &str, value: &[u8], expected: StorageError| {
        let decoded = decode(key.as_bytes(), Bytes::copy_from_slice(value));
        assert_eq!(decoded, Err(expected), "{key} {value:?}");
    };
    check("0000000000", b"", StorageError::Undecodable);
    check("0000000000", b"\xff", StorageError::Undecodable);
    check("0000000000", &[8, 9], StorageError::Undecodable);
    check("0000000000", &[8, 3], StorageError::BadRecord);
    check("0000000001", &[8, 3, 0x22, 4, 8, 1, 0x10, 1], StorageError::BadRecord);
    let beyond = Record {
        action: Some(performed(LAST_POSITION + 1, 1, Payload::Nop(Nop::default()))),
        ..super::record(Type::Action)
    };
    check("2147483648", &beyond.encode_to_vec(), StorageError::BadRecord);
}

#[test]
fn the_promise_of_an_old_log_is_read() {
    let value = Bytes::from_static(&[8, 1, 0x12, 2, 8, 7]);
    let metadata = Metadata { status: Status::Voting.into(), promised: 7 };
    assert_eq!(decode(b"0000000000", value), Ok(Entry::Metadata(metadata)));
}
