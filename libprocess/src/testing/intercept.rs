//! Filters for messages of one protobuf type: await the next one, with or without losing it.
//! Called by tests. Of two that fit a message the newer one has it.
//!
//! Upstream: `FutureMessage`, `DropMessages`, `ExpectNoFutureMessages` in process/gmock.hpp.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::pid::Upid;
use crate::runtime::Runtime;
use crate::testing::filter::{Envelope, Installed, Verdict};

type Condition<M> = Box<dyn Fn(&M) -> bool + Send>;

/// Which messages of type `M` to look for, and in which runtime.
pub struct Intercept<M> {
    runtime: Runtime,
    from: Option<Upid>,
    to: Option<Upid>,
    when: Option<Condition<M>>,
}

/// A message that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Caught<M> {
    /// The sender.
    pub from: Upid,
    /// The receiver.
    pub to: Upid,
    /// The message.
    pub message: M,
}

impl<M: prost::Message + prost::Name + Default + 'static> Intercept<M> {
    /// All messages of the type in `runtime`: sent by its actors or received for them.
    pub fn of(runtime: &Runtime) -> Self {
        Self { runtime: runtime.clone(), from: None, to: None, when: None }
    }

    /// Only those from `sender`.
    pub fn from(self, sender: &Upid) -> Self {
        Self { from: Some(sender.clone()), ..self }
    }

    /// Only those to `receiver`.
    pub fn to(self, receiver: &Upid) -> Self {
        Self { to: Some(receiver.clone()), ..self }
    }

    /// Only those that fulfil `condition`.
    pub fn when(self, condition: impl Fn(&M) -> bool + Send + 'static) -> Self {
        Self { when: Some(Box::new(condition)), ..self }
    }

    /// Gives the next one, which goes on its way. Upstream: `FUTURE_PROTOBUF`.
    pub fn next(self) -> Next<M> {
        self.once(Verdict::Deliver)
    }

    /// Gives the next one, which is lost. Upstream: `DROP_PROTOBUF`.
    pub fn drop_next(self) -> Next<M> {
        self.once(Verdict::Drop)
    }

    /// Loses every one from now on and counts them. Upstream: `DROP_PROTOBUFS`.
    pub fn drop_all(self) -> Tally {
        self.tally(Verdict::Drop)
    }

    /// Counts every one from now on. Upstream, with a look at the count:
    /// `EXPECT_NO_FUTURE_PROTOBUFS`.
    pub fn count(self) -> Tally {
        self.tally(Verdict::Deliver)
    }

    fn once(self, verdict: Verdict) -> Next<M> {
        let (catch, caught) = oneshot::channel();
        let mut catch = Some(catch);
        let runtime = self.runtime.clone();
        let mut fits = self.into_test();
        let installed = runtime.filter(move |envelope| {
            if catch.is_none() {
                return Verdict::NotMine;
            }
            let Some(message) = fits(envelope) else { return Verdict::NotMine };
            let (from, to) = (envelope.from.clone(), envelope.to.clone());
            if let Some(catch) = catch.take() {
                // The test may have stopped waiting; the message fares the same.
                let _ = catch.send(Caught { from, to, message });
            }
            verdict
        });
        Next { caught, _installed: installed }
    }

    fn tally(self, verdict: Verdict) -> Tally {
        let count = Arc::new(AtomicUsize::new(0));
        let runtime = self.runtime.clone();
        let mut fits = self.into_test();
        let counted = count.clone();
        let installed = runtime.filter(move |envelope| match fits(envelope) {
            None => Verdict::NotMine,
            Some(_) => {
                counted.fetch_add(1, Ordering::SeqCst);
                verdict
            }
        });
        Tally { count, _installed: installed }
    }

    fn into_test(self) -> impl FnMut(&Envelope<'_>) -> Option<M> + Send {
        let Self { from, to, when, .. } = self;
        let name = M::full_name();
        move |envelope| {
            let is_candidate = envelope.name == name
                && from.as_ref().is_none_or(|from| from == envelope.from)
                && to.as_ref().is_none_or(|to| to == envelope.to);
            let message = is_candidate.then(|| M::decode(&**envelope.body).ok()).flatten()?;
            when.as_ref().is_none_or(|when| when(&message)).then_some(message)
        }
    }
}

/// The next message that fits: a future. Nothing is looked for any more once it is dropped.
#[must_use = "nothing is intercepted any more once this value is gone"]
pub struct Next<M> {
    caught: oneshot::Receiver<Caught<M>>,
    _installed: Installed,
}

impl<M> Future for Next<M> {
    type Output = Caught<M>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Caught<M>> {
        let caught = self.caught.poll_unpin(context);
        caught.map(|caught| caught.expect("the filter, which holds the sender, is in force"))
    }
}

impl<M> Next<M> {
    /// The message, if it has passed already.
    pub fn passed(&mut self) -> Option<Caught<M>> {
        self.caught.try_recv().ok()
    }
}

/// How many messages have been intercepted. Nothing is looked for any more once it is dropped.
#[must_use = "nothing is intercepted any more once this value is gone"]
pub struct Tally {
    count: Arc<AtomicUsize>,
    _installed: Installed,
}

impl Tally {
    /// How many there have been so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
