//! One at a time: work that starts when the work before it has completed.
//! Called by actors whose answers must come in the order of the questions.
//!
//! Upstream: `process::Sequence`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::runtime::Runtime;

type Work = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// Runs pieces of work one after another. Dropping it discards what has not begun.
pub struct Sequence {
    waiting: mpsc::UnboundedSender<Work>,
    /// Dropped with the sequence: that is how the task learns of its end.
    _alive: oneshot::Sender<()>,
}

/// The work was discarded before it had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("discarded")]
pub struct Discarded;

/// The outcome of a piece of work. It runs, whether or not this is awaited or kept.
pub struct Turn<T> {
    outcome: oneshot::Receiver<T>,
    discarded: Arc<AtomicBool>,
}

impl Sequence {
    /// An empty sequence, whose work `runtime` runs beside its actors.
    pub fn new(runtime: &Runtime) -> Self {
        let (waiting, mut work) = mpsc::unbounded_channel::<Work>();
        let (alive, mut ended) = oneshot::channel();
        runtime.run(async move {
            loop {
                let next = tokio::select! {
                    biased;
                    _ = &mut ended => return,
                    next = work.recv() => next,
                };
                let Some(next) = next else { return };
                next().await;
            }
        });
        Self { waiting, _alive: alive }
    }

    /// Calls `work` when everything added before has completed.
    pub fn add<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Turn<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let discarded = Arc::new(AtomicBool::new(false));
        let skip = discarded.clone();
        let run = move || {
            let work = (!skip.load(Ordering::Acquire)).then(work);
            async move {
                if let Some(work) = work {
                    // Nobody may want to know.
                    let _ = done.send(work.await);
                }
            }
            .boxed()
        };
        // The task ends only with the sequence or its runtime; then the work is discarded.
        let _ = self.waiting.send(Box::new(run));
        Turn { outcome, discarded }
    }
}

impl<T> Turn<T> {
    /// Skips the work, unless it has begun.
    pub fn discard(&self) {
        self.discarded.store(true, Ordering::Release);
    }
}

impl<T> Future for Turn<T> {
    type Output = Result<T, Discarded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.outcome.poll_unpin(context).map_err(|_| Discarded)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::testing::{runtime, wait};

    #[test]
    fn sequence_test_serialize() {
        let runtime = runtime();
        let sequence = Sequence::new(&runtime);
        let (go, gone) = oneshot::channel::<()>();
        let first = sequence.add(|| async move { gone.await.is_ok() });
        let mut second = sequence.add(|| async {});
        wait(runtime.settle());
        assert!((&mut second).now_or_never().is_none());
        go.send(()).unwrap();
        assert_eq!(wait(first), Ok(true));
        assert_eq!(wait(second), Ok(()));
        wait(runtime.shutdown());
    }

    #[test]
    fn sequence_test_discard_one() {
        let runtime = runtime();
        let sequence = Sequence::new(&runtime);
        let (go, gone) = oneshot::channel::<()>();
        let _first = sequence.add(|| async move { gone.await.is_ok() });
        let second = sequence.add(|| async { 2 });
        let third = sequence.add::<(), BoxFuture<'static, ()>>(|| unreachable!("discarded"));
        let fourth = sequence.add(|| async { 4 });
        third.discard();
        go.send(()).unwrap();
        assert_eq!(wait(fourth), Ok(4));
        assert_eq!(wait(second), Ok(2));
        assert_eq!(wait(third), Err(Discarded));
        wait(runtime.shutdown());
    }

    #[test]
    fn sequence_test_discard_all() {
        let runtime = runtime();
        let sequence = Sequence::new(&runtime);
        let (go, gone) = oneshot::channel::<()>();
        let (begin, begun) = oneshot::channel::<()>();
        let first = sequence.add(|| async move { (begin.send(()), gone.await.is_ok()).1 });
        let second = sequence.add::<(), BoxFuture<'static, ()>>(|| unreachable!("discarded"));
        wait(begun).unwrap();
        drop(sequence);
        go.send(()).unwrap();
        assert_eq!(wait(first), Ok(true));
        assert_eq!(wait(second), Err(Discarded));
        wait(runtime.shutdown());
    }

    #[test]
    fn sequence_test_random() {
        let runtime = runtime();
        let sequence = Sequence::new(&runtime);
        let value = Arc::new(AtomicU32::new(0));
        let turns: Vec<_> = (0..100u32)
            .map(|turn| {
                let value = value.clone();
                let pulses = turn.wrapping_mul(2_654_435_761) >> 16 & 1 == 0;
                sequence.add(move || async move {
                    assert_eq!(value.fetch_add(u32::from(pulses), Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    value.fetch_sub(u32::from(pulses), Ordering::SeqCst);
                })
            })
            .collect();
        for turn in turns {
            assert_eq!(wait(turn), Ok(()));
        }
        wait(runtime.shutdown());
    }
}
