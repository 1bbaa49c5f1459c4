//! How much is going on in a runtime: actors that wait for a thread or are on one, and futures
//! that have been woken. At zero, nothing happens any more unless something comes from outside.
//! Called by `runtime`, for `settle`.
//!
//! Upstream: `ProcessManager::running`, and the run queue that `Clock::settle` looks at.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::trace::{EventId, cause};

/// See the module; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    count: AtomicUsize,
    calm: Notify,
}

impl Activity {
    /// Something has begun that will end.
    pub(super) fn begin(&self) {
        self.shared.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Something that has begun has ended.
    pub(super) fn end(&self) {
        if self.shared.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.calm.notify_waiters();
        }
    }

    /// Something goes on until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.begin();
        Busy(self.clone())
    }

    pub(super) fn is_calm(&self) -> bool {
        self.shared.count.load(Ordering::SeqCst) == 0
    }

    /// Completes when nothing is going on, if only for a moment.
    pub(super) async fn calm(&self) {
        let mut calm = std::pin::pin!(self.shared.calm.notified());
        calm.as_mut().enable();
        if !self.is_calm() {
            calm.await;
        }
    }

    /// The same future, which counts from its start, or from being woken, to its next wait.
    pub(super) fn track<F: Future<Output = ()>>(&self, future: F) -> Tracked<F> {
        self.begin();
        let tracker = Tracker {
            activity: self.clone(),
            awake: AtomicBool::new(true),
            waker: AtomicWaker::new(),
        };
        Tracked { tracker: Arc::new(tracker), future: Box::pin(future), cause: cause::current() }
    }
}

/// Something that goes on.
#[must_use = "it has ended once this is dropped"]
pub(crate) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A future whose wakefulness counts as activity.
pub(super) struct Tracked<F> {
    tracker: Arc<Tracker>,
    future: Pin<Box<F>>,
    /// The event that started it.
    cause: EventId,
}

struct Tracker {
    activity: Activity,
    /// Counted at present.
    awake: AtomicBool,
    waker: AtomicWaker,
}

impl Tracker {
    fn fall_asleep(&self) -> bool {
        self.awake.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Tracker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.activity.begin();
        }
        self.waker.wake();
    }
}

impl<F: Future<Output = ()>> Future for Tracked<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let tracker = self.tracker.clone();
        tracker.waker.register(context.waker());
        // What wakes it from here on counts anew; this poll counts to its end.
        let was_awake = tracker.fall_asleep();
        let waker = Waker::from(tracker.clone());
        let _working = cause::enter(self.cause);
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        if was_awake {
            tracker.activity.end();
        }
        polled
    }
}

impl<F> Drop for Tracked<F> {
    fn drop(&mut self) {
        if self.tracker.fall_asleep() {
            self.tracker.activity.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn a_future_counts_while_it_is_awake() {
        let activity = Activity::default();
        let (go, gone) = oneshot::channel::<()>();
        let mut tracked = activity.track(async { drop(gone.await) });
        assert!(!activity.is_calm());
        assert!((&mut tracked).now_or_never().is_none());
        assert!(activity.is_calm());
        let mut calm = activity.calm().boxed();
        go.send(()).unwrap();
        assert!(!activity.is_calm());
        assert!((&mut tracked).now_or_never().is_some());
        drop(tracked);
        assert!(activity.is_calm() && (&mut calm).now_or_never().is_some());
    }

    #[test]
    fn a_future_that_is_dropped_counts_no_more() {
        let activity = Activity::default();
        drop(activity.track(std::future::pending()));
        assert!(activity.is_calm());
        let (go, gone) = oneshot::channel::<()>();
        let mut tracked = activity.track(async { drop(gone.await) });
        assert!((&mut tracked).now_or_never().is_none());
        drop(go);
        assert!(!activity.is_calm());
        drop(tracked);
        assert!(activity.is_calm());
    }
}
