//! The registrar on stores that work, that hang and that fail, and what its operations make of a
//! registry. Upstream: `registrar_tests.cpp`, whose names these are.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};

use coordination::store::backend::Answer as StoreAnswer;
use coordination::store::in_memory::InMemoryStorage;
use coordination::store::{State, Storage, StoreError};
use futures_util::FutureExt;
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use parking_lot::Mutex;
use prost::Message;
use proto::mesos::internal::state::Entry;
use proto::mesos::internal::{Registry, registry};
use proto::mesos::machine_info::Mode;
use proto::mesos::maintenance::{Schedule, Window};
use proto::mesos::quota::QuotaInfo;
use proto::mesos::{DurationInfo, MachineId, MasterInfo, SlaveId, SlaveInfo, TimeInfo};
use proto::mesos::{Resource, Unavailability};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Admission, Document, Operation, Options, Registrar, RegistrarError, RegistrarHandle,
    Strictness, start,
};
use Admission::{Accepted, Refused};

fn slave(id: &str) -> SlaveInfo {
    SlaveInfo {
        hostname: "localhost".to_owned(),
        id: Some(SlaveId { value: id.to_owned() }),
        ..SlaveInfo::default()
    }
}

fn master() -> MasterInfo {
    MasterInfo { id: "m".to_owned(), ip: 1, port: 5050, ..MasterInfo::default() }
}

fn ids(registry: &Registry) -> Vec<&str> {
    let slaves = registry.slaves.iter().flat_map(|slaves| &slaves.slaves);
    slaves.filter_map(|slave| slave.info.id.as_ref()).map(|id| id.value.as_str()).collect()
}

/// A registrar, lenient and strict, on a store of its own.
fn each(test: impl Fn(&Runtime, &State, Options)) {
    for strictness in [Strictness::Lenient, Strictness::Strict] {
        let runtime = runtime();
        let options = Options { strictness, ..Options::default() };
        test(&runtime, &State::new(InMemoryStorage::default()), options);
        wait(runtime.shutdown());
    }
}

fn recovered(runtime: &Runtime, state: &State, options: Options) -> RegistrarHandle {
    let registrar = start(runtime, state.clone(), options);
    wait(registrar.recover(master())).expect("memory answers");
    registrar
}

fn apply(registrar: &RegistrarHandle, operation: Operation) -> Admission {
    wait(registrar.apply(operation)).expect("memory answers")
}

/// What only a lenient registrar takes.
fn unless_strict(options: Options) -> Admission {
    if options.strictness == Strictness::Strict { Refused } else { Accepted }
}

#[test]
fn registrar_test_recover() {
    each(|runtime, state, options| {
        let registrar = start(runtime, state.clone(), options);
        let operations =
            || [Operation::AdmitSlave, Operation::ReadmitSlave, Operation::RemoveSlave];
        for operation in operations() {
            let early = wait(registrar.apply(operation(slave("1"))));
            assert_eq!(early, Err(RegistrarError::NotRecovered));
        }
        let recovery = registrar.recover(master());
        let waiting = operations().map(|operation| registrar.apply(operation(slave("1"))));
        let registry = wait(recovery).expect("memory answers");
        assert_eq!(registry.master.map(|master| master.info), Some(master()));
        for applied in waiting {
            assert_eq!(wait(applied), Ok(Accepted));
        }
    });
}

#[test]
fn registrar_test_admit() {
    each(|runtime, state, options| {
        let registrar = recovered(runtime, state, options);
        assert_eq!(apply(&registrar, Operation::AdmitSlave(slave("1"))), Accepted);
        let again = apply(&registrar, Operation::AdmitSlave(slave("1")));
        assert_eq!(again, unless_strict(options));
    });
}

#[test]
fn registrar_test_readmit() {
    each(|runtime, state, options| {
        let registrar = recovered(runtime, state, options);
        assert_eq!(apply(&registrar, Operation::AdmitSlave(slave("1"))), Accepted);
        // It is known, and stays as it was.
        let changed = SlaveInfo { hostname: "other".to_owned(), ..slave("1") };
        assert_eq!(apply(&registrar, Operation::ReadmitSlave(changed)), Accepted);
        let unknown = apply(&registrar, Operation::ReadmitSlave(slave("2")));
        assert_eq!(unknown, unless_strict(options));
        let registry = wait(registrar.recover(master())).expect("memory answers");
        let slaves = registry.slaves.unwrap_or_default().slaves;
        assert_eq!(slaves[0].info, slave("1"));
        assert_eq!(slaves.len() == 2, unknown == Accepted);
    });
}

#[test]
fn registrar_test_remove() {
    each(|runtime, state, options| {
        let registrar = recovered(runtime, state, options);
        for id in ["1", "2", "3"] {
            assert_eq!(apply(&registrar, Operation::AdmitSlave(slave(id))), Accepted);
        }
        assert_eq!(apply(&registrar, Operation::RemoveSlave(slave("1"))), Accepted);
        let again = apply(&registrar, Operation::RemoveSlave(slave("1")));
        assert_eq!(again, unless_strict(options));
        assert_eq!(apply(&registrar, Operation::AdmitSlave(slave("1"))), Accepted);
        assert_eq!(apply(&registrar, Operation::RemoveSlave(slave("2"))), Accepted);
        let registry = wait(registrar.recover(master())).expect("memory answers");
        assert_eq!(ids(&registry), ["3", "1"]);
        assert_eq!(apply(&registrar, Operation::RemoveSlave(slave("3"))), Accepted);
        assert_eq!(apply(&registrar, Operation::RemoveSlave(slave("1"))), Accepted);
    });
}

#[test]
fn registrar_test_bootstrap() {
    each(|runtime, state, options| {
        let first = recovered(runtime, state, options);
        let readmitted = apply(&first, Operation::ReadmitSlave(slave("1")));
        assert_eq!(readmitted, unless_strict(options));
        let second = start(runtime, state.clone(), options);
        let registry = wait(second.recover(master())).expect("memory answers");
        let expected: &[&str] = if readmitted == Accepted { &["1"] } else { &[] };
        assert_eq!(ids(&registry), expected);
    });
}

/// Performs operations on a registry, and gives what a next master would read.
fn after(registry: &mut Document, operations: Vec<Operation>) -> Registry {
    for operation in operations {
        assert_eq!(operation.perform(registry, Strictness::Strict), Accepted);
    }
    *registry = Document::decode(&registry.encode()).expect("what was written can be read");
    Registry::decode(registry.encode()).expect("what was written can be read")
}

fn machine(hostname: &str) -> MachineId {
    MachineId { hostname: Some(hostname.to_owned()), ip: Some("0.0.0.1".to_owned()) }
}

fn window(machines: &[&str], start: i64) -> Window {
    let duration = Some(DurationInfo { nanoseconds: 1 });
    Window {
        machine_ids: machines.iter().map(|hostname| machine(hostname)).collect(),
        unavailability: Unavailability { start: TimeInfo { nanoseconds: start }, duration },
    }
}

/// Machines as `hostname mode start`.
fn machines(registry: &Registry) -> Vec<String> {
    let machines = registry.machines.iter().flat_map(|machines| &machines.machines);
    let text = |machine: &registry::Machine| {
        let info = &machine.info;
        let start = info.unavailability.as_ref().map_or(0, |time| time.start.nanoseconds);
        format!("{} {} {start}", info.id.hostname(), info.mode().as_str_name())
    };
    machines.map(text).collect()
}

fn update_schedule(windows: Vec<Window>) -> Vec<Operation> {
    vec![Operation::UpdateSchedule(Schedule { windows })]
}

#[test]
fn registrar_test_update_maintenance_schedule() {
    let mut registry = Document::default();
    let schedule = vec![window(&["one"], 100)];
    let updated = after(&mut registry, update_schedule(schedule.clone()));
    assert_eq!(updated.schedules, [Schedule { windows: schedule }]);
    assert_eq!(machines(&updated), ["one DRAINING 100"]);
    // One more window; the first one moves, and names its machine in other letters.
    let schedule = vec![window(&["ONE"], 200), window(&["two", "three"], 300)];
    let updated = after(&mut registry, update_schedule(schedule.clone()));
    assert_eq!(updated.schedules, [Schedule { windows: schedule }]);
    let expected = ["one DRAINING 200", "two DRAINING 300", "three DRAINING 300"];
    assert_eq!(machines(&updated), expected);
    // Only one machine is left.
    let updated = after(&mut registry, update_schedule(vec![window(&["two"], 300)]));
    assert_eq!(machines(&updated), ["two DRAINING 300"]);
    // None is.
    let updated = after(&mut registry, update_schedule(vec![]));
    assert_eq!(updated.schedules, [Schedule::default()]);
    assert_eq!(updated.machines, Some(registry::Machines::default()));
}

#[test]
fn registrar_test_start_maintenance() {
    let mut registry = Document::default();
    let schedule = vec![window(&["one"], 1), window(&["two", "three"], 2)];
    after(&mut registry, update_schedule(schedule));
    let started =
        after(&mut registry, vec![Operation::StartMaintenance(vec![machine("one"), machine("x")])]);
    assert_eq!(machines(&started), ["one DOWN 1", "two DRAINING 2", "three DRAINING 2"]);
    let both = vec![machine("two"), machine("three")];
    let started = after(&mut registry, vec![Operation::StartMaintenance(both)]);
    assert_eq!(machines(&started), ["one DOWN 1", "two DOWN 2", "three DOWN 2"]);
    let modes = started.machines.unwrap_or_default().machines;
    assert!(modes.iter().all(|machine| machine.info.mode() == Mode::Down));
}

#[test]
fn registrar_test_stop_maintenance() {
    let mut registry = Document::default();
    let schedule = vec![window(&["one", "two"], 1), window(&["three"], 2)];
    after(&mut registry, update_schedule(schedule));
    let stop =
        |ids: &[&str]| vec![Operation::StopMaintenance(ids.iter().map(|id| machine(id)).collect())];
    let stopped = after(&mut registry, stop(&["three"]));
    assert_eq!(machines(&stopped), ["one DRAINING 1", "two DRAINING 1"]);
    assert_eq!(stopped.schedules, [Schedule { windows: vec![window(&["one", "two"], 1)] }]);
    let stopped = after(&mut registry, stop(&["One"]));
    assert_eq!(stopped.schedules, [Schedule { windows: vec![window(&["two"], 1)] }]);
    let stopped = after(&mut registry, stop(&["two", "unknown"]));
    assert_eq!(machines(&stopped), [""; 0]);
    assert_eq!(stopped.schedules, []);
}

fn quota(role: &str, guarantee: &[&str]) -> QuotaInfo {
    let resource = |name: &&str| Resource { name: (*name).to_owned(), ..Resource::default() };
    QuotaInfo {
        role: Some(role.to_owned()),
        guarantee: guarantee.iter().map(resource).collect(),
        ..QuotaInfo::default()
    }
}

fn quotas(registry: &Registry) -> Vec<QuotaInfo> {
    registry.quotas.iter().map(|quota| quota.info.clone()).collect()
}

#[test]
fn registrar_test_update_quota() {
    let mut registry = Document::default();
    let update = |quota: QuotaInfo| vec![Operation::UpdateQuota(quota)];
    let one = quota("one", &["cpus", "mem"]);
    assert_eq!(quotas(&after(&mut registry, update(one.clone()))), std::slice::from_ref(&one));
    assert_eq!(quotas(&after(&mut registry, update(one.clone()))), std::slice::from_ref(&one));
    let two = quota("two", &["cpus"]);
    assert_eq!(quotas(&after(&mut registry, update(two.clone()))), [one, two.clone()]);
    let less = quota("one", &["cpus"]);
    assert_eq!(quotas(&after(&mut registry, update(less.clone()))), [less, two]);
}

#[test]
fn registrar_test_remove_quota() {
    let mut registry = Document::default();
    let (one, two) = (quota("one", &["cpus"]), quota("two", &["cpus"]));
    let both = [&one, &two].map(|quota| Operation::UpdateQuota(quota.clone())).to_vec();
    after(&mut registry, both);
    let remove = |role: &str| vec![Operation::RemoveQuota(role.to_owned())];
    assert_eq!(quotas(&after(&mut registry, remove("one"))), std::slice::from_ref(&two));
    assert_eq!(quotas(&after(&mut registry, remove("one"))), [two]);
    assert_eq!(quotas(&after(&mut registry, remove("two"))), []);
}

/// A store that answers so many calls, and then hangs or fails.
struct Faulty {
    answers: AtomicUsize,
    then: Option<StoreError>,
    /// What the first answer waits for.
    gate: Mutex<Option<oneshot::Receiver<()>>>,
    storage: InMemoryStorage,
}

impl Faulty {
    fn new(answers: usize, then: Option<StoreError>) -> Faulty {
        let (answers, storage) = (AtomicUsize::new(answers), InMemoryStorage::default());
        Faulty { answers, then, gate: Mutex::default(), storage }
    }

    fn state(answers: usize, then: Option<StoreError>) -> State {
        State::new(Faulty::new(answers, then))
    }

    fn answer<T: Send + 'static>(&self, answer: StoreAnswer<T>) -> StoreAnswer<T> {
        let less = |left: usize| left.checked_sub(1);
        match self.answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(_) => match self.gate.lock().take() {
                Some(gate) => Box::pin(gate.then(|_| answer)),
                None => answer,
            },
            Err(_) => match &self.then {
                Some(error) => Box::pin(ready(Err(error.clone()))),
                None => Box::pin(pending()),
            },
        }
    }
}

impl Storage for Faulty {
    fn get(&self, name: &str) -> StoreAnswer<Option<Entry>> {
        self.answer(self.storage.get(name))
    }
    fn set(&self, entry: Entry, uuid: Uuid) -> StoreAnswer<bool> {
        self.answer(self.storage.set(entry, uuid))
    }
    fn expunge(&self, entry: Entry) -> StoreAnswer<bool> {
        self.answer(self.storage.expunge(entry))
    }
    fn names(&self) -> StoreAnswer<BTreeSet<String>> {
        self.answer(self.storage.names())
    }
}

/// The error of a recovery on a store that hangs after so many answers; later operations have
/// the same one.
fn recovery_error(answers: usize) -> String {
    let runtime = runtime();
    runtime.clock().pause();
    let registrar = start(&runtime, Faulty::state(answers, None), Options::default());
    let recovery = registrar.recover(master());
    wait(runtime.settle());
    runtime.clock().advance(Options::default().fetch_timeout);
    let error = wait(recovery).expect_err("the store hangs");
    let later = wait(registrar.apply(Operation::AdmitSlave(slave("1"))));
    assert_eq!(later, Err(error.clone()));
    wait(runtime.shutdown());
    error.to_string()
}

#[test]
fn registrar_test_fetch_timeout() {
    assert_eq!(
        recovery_error(0),
        "Failed to recover registrar: Failed to perform fetch within 1mins"
    );
}

#[test]
fn registrar_test_store_timeout() {
    assert_eq!(
        recovery_error(1),
        "Failed to recover registrar: Failed to persist MasterInfo: Failed to update 'registry': \
         Failed to perform store within 20secs"
    );
}

#[test]
fn registrar_test_abort() {
    let runtime = runtime();
    let failure = StoreError::Files("failure".to_owned());
    let registrar = recovered(&runtime, &Faulty::state(2, Some(failure)), Options::default());
    for _ in 0..2 {
        let failed = wait(registrar.apply(Operation::AdmitSlave(slave("1"))));
        assert_eq!(failed.unwrap_err().to_string(), "Failed to update 'registry': failure");
    }
    wait(runtime.shutdown());
}

#[test]
fn who_has_been_replaced_is_told_so() {
    let runtime = runtime();
    let state = State::new(InMemoryStorage::default());
    let old = recovered(&runtime, &state, Options::default());
    let _new = recovered(&runtime, &state, Options::default());
    let refused = wait(old.apply(Operation::AdmitSlave(slave("1"))));
    assert_eq!(refused.unwrap_err().to_string(), "Failed to update 'registry': version mismatch");
    wait(runtime.shutdown());
}

#[test]
fn what_waits_is_stored_together() {
    let runtime = runtime();
    let (open, gate) = oneshot::channel();
    // A fetch, a store for who leads, and one for all operations.
    let failure = StoreError::Files("more stores than batches".to_owned());
    let faulty = Faulty { gate: Mutex::new(Some(gate)), ..Faulty::new(3, Some(failure)) };
    let registrar = start(&runtime, State::new(faulty), Options::default());
    let recovery = registrar.recover(master());
    let admit = |n: usize| registrar.apply(Operation::AdmitSlave(slave(&n.to_string())));
    let admitted: Vec<_> = (0..100).map(admit).collect();
    wait(runtime.settle());
    open.send(()).expect("the store waits");
    assert!(wait(recovery).is_ok());
    for admitted in admitted {
        assert_eq!(wait(admitted), Ok(Accepted));
    }
    wait(runtime.shutdown());
}

#[test]
fn what_newer_masters_know_survives() {
    let unknown = |number: u8| [number << 3 | 2, 3, b'n', b'e', b'w'];
    let put = |number: u8, payload: &[u8]| {
        [&[number << 3 | 2, u8::try_from(payload.len()).unwrap()], payload].concat()
    };
    let info = slave("1").encode_to_vec();
    // Registry.Slave of 1.x has fields 2 and 3, Registry has 6 to 11, and who knows what follows.
    let one = [&put(1, &info)[..], &unknown(3), &[4 << 3, 1]].concat();
    let two = put(1, &slave("2").encode_to_vec());
    let slaves = [&put(1, &one)[..], &put(1, &two), &unknown(9)].concat();
    let leader = put(1, &put(1, &master().encode_to_vec()));
    let stored = [&leader[..], &put(2, &slaves), &unknown(6), &unknown(11)].concat();
    let mut registry = Document::decode(&stored.clone().into()).expect("a registry");
    assert_eq!(registry.encode(), stored, "what is not changed stays as it was");

    registry.set_master(MasterInfo { port: 5051, ..master() });
    Operation::RemoveSlave(slave("2")).perform(&mut registry, Strictness::Strict);
    Operation::AdmitSlave(slave("3")).perform(&mut registry, Strictness::Strict);
    let leader = put(1, &put(1, &MasterInfo { port: 5051, ..master() }.encode_to_vec()));
    let three = put(1, &slave("3").encode_to_vec());
    let slaves = [&put(1, &one)[..], &put(1, &three), &unknown(9)].concat();
    let expected = [&leader[..], &put(2, &slaves), &unknown(6), &unknown(11)].concat();
    assert_eq!(registry.encode(), expected);
}

#[test]
fn bytes_that_are_no_registry_are_refused() {
    let runtime = runtime();
    for (bytes, why) in [
        (&b"\x0a\xff"[..], "truncated"),
        (b"\x0a\x02\x0a\x00", "master.info.id, master.info.ip, master.info.port"),
    ] {
        let state = State::new(InMemoryStorage::default());
        let variable = wait(state.fetch(super::VARIABLE)).unwrap().mutate(bytes.into());
        assert!(wait(state.store(variable)).unwrap().is_some());
        let recovery = wait(start(&runtime, state, Options::default()).recover(master()));
        let expected = format!(
            "Failed to recover registrar: Failed to deserialize mesos.internal.Registry: {why}"
        );
        assert_eq!(recovery.unwrap_err().to_string(), expected);
    }
    wait(runtime.shutdown());
}
