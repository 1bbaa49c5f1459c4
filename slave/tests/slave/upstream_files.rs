//! A recording of what upstream's slave leaves on the disk.

use std::path::Path;

use proto::mesos::TaskState;
use proto::mesos::internal::RegisterSlaveMessage;
use proto::mesos::task_status::Reason;

use crate::recovery::text;
use crate::support::{World, run};

/// What upstream's slave has left when it was killed: a task that ran, and one that had ended.
#[test]
fn what_upstream_has_left_is_recovered() {
    run(async {
        let flags =
            ["--resources=cpus:4;mem:2048;disk:1000;ports:[31000-32000]", "--attributes=rack:r1"];
        let mut world = World::start(&flags);
        world.master.next::<RegisterSlaveMessage>().await;
        world.kill_slave().await;
        unpack_sample(&world.work_dir());
        let boot_id = text(&world, "meta/boot_id");
        let work_dir = world.work_dir();
        world.start_again(&flags, |parts| {
            // Real containers: those of the recording have ended long ago.
            let config = containerizer::config::Config { work_dir, ..Default::default() };
            parts.containerizer = containerizer::create(config).unwrap();
            parts.boot_id = boot_id;
        });
        let message = world.reregistered().await;
        let slave_id = "c7a17197-f7c5-4e00-a8ec-565a792f057a-S0";
        assert_eq!(message.slave.id.unwrap().value, slave_id);
        let tasks: Vec<_> = message.tasks.iter().map(|task| task.task_id.value.as_str()).collect();
        assert_eq!(tasks, ["recorded-task"]);
        assert_eq!(message.completed_frameworks.len(), 1);
        let completed = &message.completed_frameworks[0].tasks[0];
        assert_eq!(completed.task_id.value, "short-task");
        assert_eq!(completed.state(), TaskState::TaskFinished);
        let failed = world.update().await;
        assert_eq!(failed.status.task_id.value, "recorded-task");
        assert_eq!(failed.status.state(), TaskState::TaskFailed);
        assert_eq!(failed.status.reason(), Reason::ExecutorTerminated);
        assert_eq!(failed.status.message(), "Executor terminated");
        world.acknowledge(&failed);
    });
}

fn unpack_sample(work_dir: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let archive = std::fs::File::open(golden.join("slave-work-dir.tar.gz")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path()).unwrap();
    for name in ["meta", "slaves"] {
        // What this slave has done so far is of no interest.
        let _ = std::fs::remove_dir_all(work_dir.join(name));
        std::fs::rename(folder.path().join("slave").join(name), work_dir.join(name)).unwrap();
    }
}
