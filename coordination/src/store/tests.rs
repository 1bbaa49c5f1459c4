//! What every storage has to do, on each of them; and what only the one on a log does.
//! Upstream: `state_tests.cpp`, whose names these are.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use parking_lot::Mutex;
use prost::Message;
use proto::mesos::internal::state::operation::Type;
use proto::mesos::internal::state::{Entry, Operation};

use super::backend::Answer;
use super::in_memory::InMemoryStorage;
use super::leveldb::LevelDbStorage;
use super::log::{Log, LogStorage, ReplicatedLog};
use super::{State, StoreError, Variable, svndiff};
use crate::log::{self, AutoInitialize, Entry as LogEntry, Network, Position};

/// Runs a test on every storage.
fn each(test: impl Fn(State)) {
    test(State::new(InMemoryStorage::default()));
    let folder = tempfile::tempdir().unwrap();
    test(State::new(LevelDbStorage::open(&folder.path().join("state")).unwrap()));
    let runtime = runtime();
    test(State::new(LogStorage::new(&runtime, Paper::default().writer(), 0)));
    test(State::new(LogStorage::new(&runtime, Paper::default().writer(), 1024)));
    let log = replicated(&runtime, &folder.path().join("log"));
    test(State::new(LogStorage::new(&runtime, log, 0)));
    wait(runtime.shutdown());
}

/// A log of one replica.
fn replicated(runtime: &Runtime, path: &Path) -> ReplicatedLog {
    let auto_initialize = AutoInitialize::Yes;
    let path = path.to_owned();
    let config = log::Config { quorum: 1, path, network: Network::Alone, auto_initialize };
    ReplicatedLog::new(log::Log::start(runtime, config).unwrap())
}

fn fetch(state: &State) -> Variable {
    wait(state.fetch("slaves")).unwrap()
}

fn store(state: &State, variable: &Variable) -> Option<Variable> {
    wait(state.store(variable.clone())).unwrap()
}

/// Fetches the variable, which is new, and stores it with a value.
fn fetch_and_store(state: &State) -> Variable {
    let variable = fetch(state);
    assert_eq!(variable.value(), "");
    store(state, &variable.mutate("localhost".into())).expect("nobody else stores")
}

#[test]
fn fetch_and_store_and_fetch() {
    each(|state| {
        let stored = fetch_and_store(&state);
        assert_eq!(stored.value(), "localhost");
        assert_eq!(fetch(&state), stored);
    });
}

#[test]
fn fetch_and_store_and_store_and_fetch() {
    each(|state| {
        let stored = fetch_and_store(&state);
        let again = store(&state, &stored).expect("nobody else stores");
        assert_ne!(again, stored);
        assert_eq!(fetch(&state).value(), "localhost");
    });
}

#[test]
fn fetch_and_store_and_store_fail_and_fetch() {
    each(|state| {
        let fetched = fetch(&state);
        assert!(store(&state, &fetched.mutate("localhost1".into())).is_some());
        assert_eq!(store(&state, &fetched.mutate("localhost2".into())), None);
        assert_eq!(fetch(&state).value(), "localhost1");
    });
}

#[test]
fn fetch_and_store_and_expunge_and_fetch() {
    each(|state| {
        let stored = fetch_and_store(&state);
        assert_eq!(wait(state.expunge(stored)), Ok(true));
        assert_eq!(fetch(&state).value(), "");
    });
}

#[test]
fn fetch_and_store_and_expunge_and_expunge() {
    each(|state| {
        let stored = fetch_and_store(&state);
        assert_eq!(wait(state.expunge(stored.clone())), Ok(true));
        assert_eq!(wait(state.expunge(stored)), Ok(false));
    });
}

#[test]
fn fetch_and_store_and_expunge_and_store_and_fetch() {
    each(|state| {
        let stored = fetch_and_store(&state);
        assert_eq!(wait(state.expunge(stored.clone())), Ok(true));
        assert!(store(&state, &stored).is_some());
        assert_eq!(fetch(&state).value(), "localhost");
    });
}

#[test]
fn an_old_version_cannot_be_expunged() {
    each(|state| {
        let stored = fetch_and_store(&state);
        let newer = store(&state, &stored).expect("nobody else stores");
        assert_eq!(wait(state.expunge(stored)), Ok(false));
        assert_eq!(fetch(&state), newer);
    });
}

#[test]
fn names() {
    each(|state| {
        assert!(wait(state.names()).unwrap().is_empty());
        fetch_and_store(&state);
        assert_eq!(wait(state.names()), Ok(["slaves".to_owned()].into()));
    });
}

#[test]
fn entries_in_leveldb_outlive_the_storage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = State::new(LevelDbStorage::open(&path).unwrap());
    let stored = fetch_and_store(&state);
    let second = State::new(LevelDbStorage::open(&path).unwrap());
    assert!(matches!(wait(second.names()), Err(StoreError::Files(_))));
    drop((state, second));
    // The files are free again once their thread has ended.
    let reopened = std::iter::repeat_with(|| {
        wait(State::new(LevelDbStorage::open(&path).unwrap()).fetch("slaves"))
    });
    assert_eq!(reopened.take(1000).find_map(Result::ok), Some(stored));
}

/// What two writers see of one log.
#[derive(Clone, Default)]
struct Paper {
    entries: Arc<Mutex<Vec<Option<Bytes>>>>,
    begin: Arc<AtomicU64>,
    writer: Arc<AtomicU64>,
    /// Whether nobody answers.
    silent: Arc<Mutex<bool>>,
    /// What the next write fails with.
    failure: Arc<Mutex<Option<StoreError>>>,
}

/// One of them.
struct Pen {
    paper: Paper,
    number: AtomicU64,
}

impl Paper {
    fn writer(&self) -> Pen {
        Pen { paper: self.clone(), number: AtomicU64::new(0) }
    }

    fn storage(&self, runtime: &Runtime, diffs_between_snapshots: usize) -> State {
        State::new(LogStorage::new(runtime, self.writer(), diffs_between_snapshots))
    }

    fn operations(&self) -> Vec<Operation> {
        let begin = self.begin.load(Ordering::SeqCst) as usize;
        let entries = self.entries.lock();
        let kept = entries[begin..].iter().flatten();
        kept.map(|data| Operation::decode(data.clone()).unwrap()).collect()
    }

    /// The same entries, to be read without taking this log from its writer.
    fn copy(&self) -> Paper {
        let copy = Paper::default();
        *copy.entries.lock() = self.entries.lock().clone();
        copy.begin.store(self.begin.load(Ordering::SeqCst), Ordering::SeqCst);
        copy
    }

    fn kinds(&self) -> Vec<Type> {
        self.operations().iter().map(Operation::r#type).collect()
    }

    fn push(&self, operation: &Operation) {
        self.entries.lock().push(Some(operation.encode_to_vec().into()));
    }
}

impl Pen {
    fn write(&self, data: Option<Bytes>) -> Answer<Option<Position>> {
        if *self.paper.silent.lock() {
            return Box::pin(std::future::pending());
        }
        if let Some(failure) = self.paper.failure.lock().take() {
            return Box::pin(std::future::ready(Err(failure)));
        }
        let is_writer =
            self.number.load(Ordering::SeqCst) == self.paper.writer.load(Ordering::SeqCst);
        let mut entries = self.paper.entries.lock();
        let position = is_writer.then(|| {
            entries.push(data);
            Position(entries.len() as u64 - 1)
        });
        Box::pin(std::future::ready(Ok(position)))
    }
}

impl Log for Pen {
    fn elect(&self) -> Answer<Option<Position>> {
        let number = self.paper.writer.fetch_add(1, Ordering::SeqCst) + 1;
        self.number.store(number, Ordering::SeqCst);
        let mut entries = self.paper.entries.lock();
        if entries.is_empty() {
            entries.push(None);
        }
        let end = Position(entries.len() as u64 - 1);
        // Not at the first attempt.
        Box::pin(std::future::ready(Ok((number > 1).then_some(end))))
    }

    fn append(&self, data: Bytes) -> Answer<Option<Position>> {
        self.write(Some(data))
    }

    fn truncate(&self, to: Position) -> Answer<Option<Position>> {
        self.paper.begin.store(to.0, Ordering::SeqCst);
        self.write(None)
    }

    fn beginning(&self) -> Answer<Position> {
        Box::pin(std::future::ready(Ok(Position(self.paper.begin.load(Ordering::SeqCst)))))
    }

    fn read(&self, from: Position, to: Position) -> Answer<Vec<LogEntry>> {
        assert!(from.0 >= self.paper.begin.load(Ordering::SeqCst), "Bad read range");
        let entries = self.paper.entries.lock();
        let entry = |at: u64| {
            let data = entries[at as usize].clone()?;
            Some(LogEntry { position: Position(at), data })
        };
        let read = (from.0..=to.0).filter_map(entry).collect();
        Box::pin(std::future::ready(Ok(read)))
    }
}

#[test]
fn who_is_no_longer_the_writer_reads_what_was_written_meanwhile() {
    let (runtime, paper) = (runtime(), Paper::default());
    let (ours, theirs) = (paper.storage(&runtime, 0), paper.storage(&runtime, 0));
    let stored = fetch_and_store(&ours);
    let changed = fetch(&theirs).mutate("elsewhere".into());
    let changed = store(&theirs, &changed).expect("they write");
    // Refused, since we do not write any more; then, since it is old.
    assert_eq!(store(&ours, &stored), None);
    assert_eq!(store(&ours, &stored), None);
    assert_eq!(fetch(&ours), changed);
    assert!(store(&ours, &changed).is_some());
    wait(runtime.shutdown());
}

#[test]
fn the_log_is_truncated_after_each_store() {
    let (runtime, paper) = (runtime(), Paper::default());
    let state = paper.storage(&runtime, 0);
    let mut stored = fetch_and_store(&state);
    for _ in 0..3 {
        stored = store(&state, &stored).expect("nobody else stores");
    }
    wait(runtime.settle());
    assert_eq!(paper.kinds(), [Type::Snapshot]);
    assert!(store(&state, &fetch(&state)).is_some());
    let other = wait(state.fetch("other")).unwrap();
    assert!(store(&state, &other).is_some());
    // The oldest that is still needed stays, with all behind it.
    assert!(store(&state, &fetch(&state)).is_some());
    wait(runtime.settle());
    assert_eq!(paper.kinds(), [Type::Snapshot, Type::Snapshot]);
    wait(runtime.shutdown());
}

#[test]
fn a_failed_append_is_followed_by_an_election() {
    let (runtime, paper) = (runtime(), Paper::default());
    let state = paper.storage(&runtime, 0);
    let variable = fetch(&state);
    *paper.failure.lock() = Some(StoreError::Closed);
    let writer = paper.writer.load(Ordering::SeqCst);
    assert_eq!(wait(state.store(variable.clone())), Err(StoreError::Closed));
    assert!(store(&state, &variable).is_some());
    assert_eq!(paper.writer.load(Ordering::SeqCst), writer + 1);
    wait(runtime.shutdown());
}

#[test]
fn log_state_test_diff() {
    let (runtime, paper) = (runtime(), Paper::default());
    let state = paper.storage(&runtime, 2);
    let large = Bytes::from(vec![7; 10_000]);
    let mut stored = store(&state, &fetch(&state).mutate(large.clone())).unwrap();
    let expected = [Type::Snapshot, Type::Diff, Type::Diff];
    for length in 1..=3 {
        wait(runtime.settle());
        assert_eq!(paper.kinds(), expected[..length], "what a patch needs is not truncated");
        let value = [&large[..], &vec![1; length]].concat();
        stored = store(&state, &stored.mutate(value.into())).expect("nobody else stores");
        assert_eq!(fetch(&state), stored);
        wait(runtime.settle());
        assert_eq!(fetch(&paper.copy().storage(&runtime, 0)), stored, "another reads the same");
    }
    wait(runtime.settle());
    assert_eq!(paper.kinds(), [Type::Snapshot], "after two patches a whole one");
    wait(runtime.shutdown());
}

#[test]
fn log_state_test_timeout() {
    let (runtime, paper) = (runtime(), Paper::default());
    let state = paper.storage(&runtime, 0);
    let variable = fetch(&state);
    *paper.silent.lock() = true;
    runtime.clock().pause();
    let stored = state.store(variable);
    let late = runtime.clock().sleep(std::time::Duration::from_secs(5));
    runtime.clock().advance(std::time::Duration::from_secs(5));
    let outcome = wait(async {
        tokio::select! { stored = stored => Some(stored), () = late => None }
    });
    assert_eq!(outcome, None);
    wait(runtime.shutdown());
}

#[test]
fn a_log_that_makes_no_sense_is_an_error() {
    let check = |operations: &[Operation], expected: &str| {
        let (runtime, paper) = (runtime(), Paper::default());
        for operation in operations {
            paper.push(operation);
        }
        let fetched = wait(paper.storage(&runtime, 0).fetch("slaves"));
        assert_eq!(fetched.unwrap_err().to_string(), expected);
        wait(runtime.shutdown());
    };
    let entry = |value: &'static [u8]| Entry {
        name: "slaves".to_owned(),
        uuid: vec![7; 16].into(),
        value: value.into(),
    };
    let operation = |kind: Type, value: &'static [u8]| {
        use proto::mesos::internal::state::operation::{Diff, Snapshot};
        let (snapshot, diff) = (Snapshot { entry: entry(value) }, Diff { entry: entry(value) });
        let mut operation = Operation::default();
        operation.set_type(kind);
        operation.snapshot = (kind == Type::Snapshot).then_some(snapshot);
        operation.diff = (kind == Type::Diff).then_some(diff);
        operation
    };
    let snapshot = operation(Type::Snapshot, b"value");
    let no_snapshot = Operation { snapshot: None, ..snapshot.clone() };
    check(&[no_snapshot], "Failed to deserialize Operation");
    check(&[Operation { r#type: 9, ..Operation::default() }], "Failed to deserialize Operation");
    let diff = operation(Type::Diff, b"no patch");
    check(
        std::slice::from_ref(&diff),
        "Failed to apply the diff: there is no snapshot of 'slaves'",
    );
    check(&[snapshot.clone(), diff], "Failed to apply the diff: Svndiff has invalid header");
    // Upstream takes what there is of it.
    let truncated: &[u8] = Box::leak(Box::from(&svndiff::diff(b"value", b"values")[..8]));
    let truncated = operation(Type::Diff, truncated);
    check(&[snapshot, truncated], "Failed to apply the diff: Unexpected end of svndiff input");
}
