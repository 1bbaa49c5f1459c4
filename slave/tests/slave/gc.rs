//! Directories of what has ended go after a while.

use std::time::Duration;

use proto::mesos::internal::ExitedExecutorMessage;

use crate::containers::destroyed;
use crate::support::{World, executor_task, run, run_task};

/// Runs an executor to its end, and gives its sandbox.
async fn ended_executor(world: &mut World) -> std::path::PathBuf {
    world.tell(&run_task(executor_task("t")));
    let spec = world.launched().await;
    world.containers.end(&spec.container_id, destroyed());
    world.master.next::<ExitedExecutorMessage>().await;
    let update = world.update().await;
    world.acknowledge(&update);
    world.settle().await;
    spec.directory
}

/// Waits until a path has gone, which happens on another thread.
pub(crate) async fn gone(path: &std::path::Path) {
    crate::support::soon("the removal", async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[test]
fn exited_framework() {
    run(async {
        let mut world =
            World::registered(&["--gc_delay=1hrs", "--disk_watch_interval=1days"]).await;
        world.runtime.clock().pause();
        let sandbox = ended_executor(&mut world).await;
        // It is looked at on another thread before it is shown.
        crate::support::soon("the sandbox in /files", async {
            while world.get("/files/debug.json") == serde_json::json!({}) {
                world.settle().await;
            }
        })
        .await;
        world.runtime.clock().advance(Duration::from_secs(3599));
        world.settle().await;
        assert!(sandbox.is_dir());
        world.runtime.clock().advance(Duration::from_secs(1));
        gone(&world.work_dir().join("slaves/S0/frameworks/F")).await;
        crate::support::soon("the end of the sandbox in /files", async {
            while world.get("/files/debug.json") != serde_json::json!({}) {
                world.settle().await;
            }
        })
        .await;
    });
}

#[test]
fn unschedule() {
    run(async {
        let mut world =
            World::registered(&["--gc_delay=1hrs", "--disk_watch_interval=1days"]).await;
        world.runtime.clock().pause();
        let sandbox = ended_executor(&mut world).await;
        world.tell(&run_task(executor_task("t2")));
        let again = world.launched().await;
        world.runtime.clock().advance(Duration::from_secs(3600));
        gone(&sandbox).await;
        world.settle().await;
        assert!(again.directory.is_dir(), "its executor is in use again");
    });
}

#[test]
fn disk_usage() {
    run(async {
        let mut world = World::registered(&["--gc_disk_headroom=1.0"]).await;
        world.runtime.clock().pause();
        let sandbox = ended_executor(&mut world).await;
        // Nothing may be kept on a disk that is to be free.
        world.runtime.clock().advance(Duration::from_secs(60));
        gone(&sandbox).await;
    });
}

#[test]
fn directories_get_the_time_of_their_end() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.runtime.clock().pause();
        world.runtime.clock().advance(Duration::from_secs(30));
        let sandbox = ended_executor(&mut world).await;
        let modified = sandbox.metadata().unwrap().modified().unwrap();
        let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(modified, world.runtime.clock().now().since_epoch());
    });
}
