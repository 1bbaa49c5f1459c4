//! A disk that is full or hangs: nothing is promised that is not on it, and it may heal.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use proto::mesos::TaskState;
use proto::mesos::internal::{
    PingSlaveMessage, PongSlaveMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use slave::storage::{FileSystem, Step, Storage, StorageError};
use slave::{Fatal, Parts};

use crate::support::{World, checkpointed, executor_task, run, update_of};

/// A disk on which nothing can be added to files while it is full.
struct FullDisk(Arc<AtomicBool>);

impl Storage for FullDisk {
    fn perform(&self, step: &Step) -> Result<(), StorageError> {
        if self.0.load(Ordering::SeqCst) && matches!(step, Step::Append { .. } | Step::Write { .. })
        {
            let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StorageError::new(step, &error));
        }
        FileSystem.perform(step)
    }
}

/// A slave on a disk that is full when the flag says so.
async fn on_full_disk() -> (World, Arc<AtomicBool>) {
    let is_full = Arc::new(AtomicBool::new(false));
    let storage = Arc::new(FullDisk(is_full.clone()));
    let world = World::start_with(&[], |parts: &mut Parts| parts.storage = storage);
    let world = world.register_slave().await;
    world.settle().await;
    (world, is_full)
}

#[test]
fn updates_wait_for_a_full_disk_and_are_not_lost() {
    run(async {
        let (mut world, is_full) = on_full_disk().await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.runtime.clock().pause();
        is_full.store(true, Ordering::SeqCst);
        for (state, uuid) in [(TaskState::TaskRunning, 1), (TaskState::TaskFinished, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
        }
        world.settle().await;
        assert_eq!(executor.count::<StatusUpdateAcknowledgementMessage>(), 0);
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        is_full.store(false, Ordering::SeqCst);
        world.runtime.clock().advance(Duration::from_secs(1));
        for uuid in [1, 2] {
            let acknowledged = executor.next::<StatusUpdateAcknowledgementMessage>().await;
            assert_eq!(acknowledged.uuid, vec![uuid; 16]);
            let update = world.update().await;
            assert_eq!(update.uuid.clone().unwrap(), vec![uuid; 16]);
            world.acknowledge(&update);
        }
    });
}

#[test]
fn tasks_are_not_launched_on_a_full_disk() {
    run(async {
        let (mut world, is_full) = on_full_disk().await;
        world.runtime.clock().pause();
        is_full.store(true, Ordering::SeqCst);
        world.tell(&checkpointed(executor_task("t")));
        world.settle().await;
        is_full.store(false, Ordering::SeqCst);
        world.runtime.clock().advance(Duration::from_secs(1));
        let update = world.update().await.status;
        assert!(update.message().contains("Failed to write"), "{update:?}");
        assert!(world.launches.try_recv().is_err());
    });
}

#[test]
fn a_slave_that_cannot_be_recovered_does_not_register() {
    run(async {
        let (mut world, is_full) = on_full_disk().await;
        world.kill_slave().await;
        is_full.store(true, Ordering::SeqCst);
        world.start_again(&[], |parts| parts.storage = Arc::new(FullDisk(is_full)));
        let fatal = world.ended().await.unwrap_err();
        assert!(matches!(fatal, Fatal::Checkpoint(_)), "{fatal}");
        let path: PathBuf = world.work_dir().join("meta/boot_id.new");
        let expected = format!("Failed to checkpoint: Failed to write '{}': ", path.display());
        assert!(fatal.to_string().starts_with(&expected), "{fatal}");
    });
}

/// A disk on which nothing gets done while it hangs.
#[derive(Clone, Default)]
struct HangingDisk(Arc<(Mutex<bool>, Condvar)>);

impl HangingDisk {
    fn hang(&self, hangs: bool) {
        *self.0.0.lock() = hangs;
        self.0.1.notify_all();
    }
}

impl Storage for HangingDisk {
    fn perform(&self, step: &Step) -> Result<(), StorageError> {
        self.0.1.wait_while(&mut self.0.0.lock(), |hangs| *hangs);
        FileSystem.perform(step)
    }
}

#[test]
fn master_slave_reconciliation_test_slave_reregister_pending_task() {
    run(async {
        let disk = HangingDisk::default();
        let storage = Arc::new(disk.clone());
        let world = World::start_with(&[], |parts: &mut Parts| parts.storage = storage);
        let mut world = world.register_slave().await;
        world.settle().await;
        disk.hang(true);
        // What waits for the disk holds nobody else up, and is not lost when the master asks.
        world.tell(&checkpointed(executor_task("t")));
        world.tell(&PingSlaveMessage { connected: false });
        world.master.next::<PongSlaveMessage>().await;
        let tasks = world.reregistered().await.tasks;
        let states: Vec<_> =
            tasks.iter().map(|task| (&*task.task_id.value, task.state())).collect();
        assert_eq!(states, [("t", TaskState::TaskStaging)]);
        assert!(world.launches.try_recv().is_err());
        disk.hang(false);
        world.launched().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}
