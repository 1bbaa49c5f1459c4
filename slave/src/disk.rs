//! Checkpoints on their way to the disk: one after the other in the order in which they were asked
//! for, beside the actors, which hear of each when it is safe. Used by the slave and by its manager
//! of status updates, so that what one has asked for comes before what the other asks for later.
//! Upstream: the blocking calls of `state::checkpoint`.

use std::collections::VecDeque;
use std::sync::Arc;

use libprocess::Runtime;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::storage::{Step, Storage, StorageError};

/// What becomes of a checkpoint.
pub(crate) type Written = Result<(), StorageError>;

struct Job {
    steps: Vec<Step>,
    then: Box<dyn FnOnce(Written) + Send>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Whether a thread works on the jobs.
    is_served: bool,
}

/// A disk that is written to in order. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Disk {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    queue: Arc<Mutex<Queue>>,
}

impl Disk {
    pub(crate) fn new(runtime: &Runtime, storage: Arc<dyn Storage>) -> Disk {
        Disk { runtime: runtime.clone(), storage, queue: Arc::default() }
    }

    /// Does the steps behind all that were asked for before, up to the first that fails. `then` is
    /// called on a thread that may block; the calls come in the order of the checkpoints.
    pub(crate) fn write(&self, steps: Vec<Step>, then: impl FnOnce(Written) + Send + 'static) {
        let mut queue = self.queue.lock();
        queue.jobs.push_back(Job { steps, then: Box::new(then) });
        if !std::mem::replace(&mut queue.is_served, true) {
            let disk = self.clone();
            // The work goes on whether or not anybody waits.
            drop(self.runtime.blocking(move || disk.serve()));
        }
    }

    /// Whether anything has still to be done.
    pub(crate) fn is_busy(&self) -> bool {
        self.queue.lock().is_served
    }

    /// Waits until all that was asked for so far has been done.
    pub(crate) async fn flushed(&self) {
        let (done, flushed) = oneshot::channel::<()>();
        self.write(Vec::new(), move |_| drop(done));
        // Dropped, not sent.
        let _ = flushed.await;
    }

    fn serve(&self) {
        while let Some(Job { steps, then }) = self.next() {
            then(steps.iter().try_for_each(|step| self.storage.perform(step)));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        let job = queue.jobs.pop_front();
        queue.is_served = job.is_some();
        job
    }
}
