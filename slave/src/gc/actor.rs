//! The actor that removes directories. Told by the slave; removes beside itself, so that no
//! large tree holds it up.
//! Upstream: `GarbageCollectorProcess`.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use libprocess::clock::{Time, Timer};
use libprocess::{Ctx, Inject, Pid, Process, Runtime};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::gc::schedule::Schedule;

/// How old a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// It has come out of use only now.
    New,
    /// As old as it looks: it was out of use before.
    Kept,
}

/// When what could not be removed is tried again.
const REMOVAL_RETRY_INTERVAL: Duration = Duration::from_secs(60 * 60);

type OnRemoved = Box<dyn FnOnce() + Send>;

/// The actor; see the module.
pub(crate) struct Actor {
    schedule: Schedule,
    /// What to do when a scheduled path has gone.
    on_removed: BTreeMap<PathBuf, OnRemoved>,
    /// Paths that are being removed, and who waits for that.
    removing: BTreeMap<PathBuf, Vec<oneshot::Sender<()>>>,
    timer: Option<Timer>,
}

impl Process for Actor {}

impl Actor {
    fn schedule(
        &mut self,
        ctx: &mut Ctx<Self>,
        path: PathBuf,
        (keep, age): (Duration, Age),
        then: OnRemoved,
    ) {
        // COMPAT: a directory keeps its age over restarts by its modification time, which
        // `Slave::removeExecutor` sets; held by `gc::directories_get_the_time_of_their_end`.
        let age = match age {
            Age::New => touch(&path, ctx.now()).map(|()| Duration::ZERO),
            Age::Kept => age_of(&path, ctx.now()),
        };
        let age = match age {
            Ok(age) => age,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                error!("Failed to find the mtime of '{}': {error}", path.display());
                return;
            }
        };
        let keep = keep.saturating_sub(age);
        info!(
            "Scheduling '{}' for gc {} in the future",
            path.display(),
            stout::duration::display(keep)
        );
        self.on_removed.insert(path.clone(), then);
        self.schedule.add(path, ctx.now() + keep);
        self.reset(ctx);
    }

    /// Keeps paths that were to be removed. What is being removed already will have gone when
    /// the receivers hear of it.
    fn unschedule(&mut self, paths: &[PathBuf]) -> Vec<oneshot::Receiver<()>> {
        let mut removals = Vec::new();
        for path in paths {
            if self.schedule.remove(path) {
                info!("Unscheduling '{}' from gc", path.display());
                self.on_removed.remove(path);
            }
            if let Some(waiting) = self.removing.get_mut(path) {
                let (removed, removal) = oneshot::channel();
                waiting.push(removed);
                removals.push(removal);
            }
        }
        removals
    }

    fn remove_due(&mut self, ctx: &mut Ctx<Self>, within: Duration) {
        for path in self.schedule.take_due(ctx.now(), within) {
            info!("Deleting {}", path.display());
            self.removing.entry(path.clone()).or_default();
            let tree = path.clone();
            let removal = ctx.runtime().blocking(move || remove_tree(&tree));
            ctx.then(removal, move |actor, ctx, removed| {
                actor.on_path_removed(ctx, path, removed);
            });
        }
        self.reset(ctx);
    }

    fn on_path_removed(
        &mut self,
        ctx: &mut Ctx<Self>,
        path: PathBuf,
        removed: Option<io::Result<()>>,
    ) {
        // Whoever waits may have gone; the senders are dropped either way.
        let is_wanted = self.removing.remove(&path).is_some_and(|waiting| !waiting.is_empty());
        let failure = match removed {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("interrupted".to_owned()),
        };
        let Some(why) = failure else {
            info!("Deleted '{}'", path.display());
            if let Some(then) = self.on_removed.remove(&path) {
                then();
            }
            return;
        };
        warn!("Failed to delete '{}': {why}", path.display());
        if !is_wanted {
            self.schedule.add(path, ctx.now() + REMOVAL_RETRY_INTERVAL);
            self.reset(ctx);
        }
    }

    fn reset(&mut self, ctx: &mut Ctx<Self>) {
        self.timer.take().map(|timer| ctx.cancel(timer));
        let Some(next) = self.schedule.next() else { return };
        self.timer = Some(ctx.at(next, |actor, ctx| actor.remove_due(ctx, Duration::ZERO)));
    }
}

/// How long ago a directory has changed last.
fn age_of(path: &Path, now: Time) -> io::Result<Duration> {
    let modified = std::fs::metadata(path)?.modified()?;
    let now = SystemTime::UNIX_EPOCH + now.since_epoch();
    Ok(now.duration_since(modified).unwrap_or_default())
}

fn touch(path: &Path, now: Time) -> io::Result<()> {
    File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + now.since_epoch())
}

/// Removes a tree; one that has gone with its parent is fine.
fn remove_tree(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// How the slave speaks to the actor.
#[derive(Clone)]
pub(crate) struct GarbageCollector(Pid<Actor>);

impl GarbageCollector {
    pub(crate) fn start(runtime: &Runtime) -> GarbageCollector {
        GarbageCollector(runtime.spawn_numbered("slave-garbage-collector", || Actor {
            schedule: Schedule::default(),
            on_removed: BTreeMap::new(),
            removing: BTreeMap::new(),
            timer: None,
        }))
    }

    /// Lets a directory, if it is there, become `keep` old, and calls `then` when it has been
    /// removed.
    pub(crate) fn schedule(
        &self,
        path: PathBuf,
        keep: Duration,
        age: Age,
        then: impl FnOnce() + Send + 'static,
    ) {
        self.0.tell(move |actor, ctx| actor.schedule(ctx, path, (keep, age), Box::new(then)));
    }

    /// Keeps directories. Completes when none of them is being removed; false if that cannot be
    /// promised, because the actor has gone.
    pub(crate) fn unschedule(
        &self,
        paths: Vec<PathBuf>,
    ) -> impl Future<Output = bool> + Send + 'static {
        let removals = self.0.dispatch(move |actor, _| actor.unschedule(&paths));
        async move {
            let Ok(removals) = removals.await else { return false };
            for removal in removals {
                // Dropped, not sent, when the path has gone.
                let _ = removal.await;
            }
            true
        }
    }

    /// Removes at once what would be removed `within` this time.
    pub(crate) fn prune(&self, within: Duration) {
        self.0.tell(move |actor, ctx| actor.remove_due(ctx, within));
    }

    /// Ends the actor; what was scheduled stays.
    pub(crate) fn stop(&self) {
        self.0.terminate(Inject::Front);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use libprocess::testing::{start, wait};

    use super::*;

    #[test]
    fn what_could_not_be_removed_is_tried_again() {
        let runtime = start(libprocess::Config::default());
        runtime.clock().pause();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox");
        // A file is no directory that could be removed.
        std::fs::write(&path, "").unwrap();
        let collector = GarbageCollector::start(&runtime);
        let (gone, removal) = mpsc::channel();
        collector.schedule(path.clone(), Duration::ZERO, Age::New, move || {
            let _ = gone.send(());
        });
        wait(runtime.settle());
        runtime.clock().advance(Duration::from_secs(1));
        let has_failed = |actor: &mut Actor| actor.removing.is_empty();
        while !wait(collector.0.dispatch(move |actor, _| has_failed(actor))).unwrap() {}
        assert!(removal.try_recv().is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        runtime.clock().advance(REMOVAL_RETRY_INTERVAL);
        removal.recv().unwrap();
        assert!(!path.exists());
    }
}
