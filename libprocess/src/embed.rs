//! What a library needs to run actors inside somebody else's program: a runtime that ends with
//! it, a thread that calls the user's code, and a latch for those who wait for its end.
//! Called by the scheduler and the executor driver. Nothing here is shared by a whole process.
//!
//! Upstream: `process::Latch`, `Stopwatch`, and what the drivers' constructors and destructors do.

use std::any::Any;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::runtime::Runtime;
use crate::runtime::config::{Config, StartError};
use crate::trace::cause;

/// How long those who wait for a latch wait for messages that are still on their way out.
const FLUSH_AT_MOST: Duration = Duration::from_secs(1);

/// How long the end of an embedded runtime is waited for.
const END_AT_MOST: Duration = Duration::from_secs(5);

/// A runtime; if it was started for this value, it ends with it.
pub struct Embedded {
    runtime: Runtime,
    is_owned: bool,
}

impl Embedded {
    /// Starts a runtime that ends with this value.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn start(config: Config) -> Result<Self, StartError> {
        Ok(Self { runtime: Runtime::start(config)?, is_owned: true })
    }

    /// Uses a runtime that others use, too.
    pub fn shared(runtime: Runtime) -> Self {
        Self { runtime, is_owned: false }
    }
}

impl Deref for Embedded {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

impl Drop for Embedded {
    /// Waits for the end, so that what was asked for last is done and sent; but not on a thread
    /// that serves a runtime, which could be this one.
    fn drop(&mut self) {
        if !self.is_owned {
            return;
        }
        let (runtime, end) = (self.runtime.clone(), Latch::default());
        let opened = OpenOnDrop(end.clone());
        self.runtime.run(async move {
            let _opened = opened;
            // Ends this future with the threads.
            runtime.shutdown().await;
        });
        if tokio::runtime::Handle::try_current().is_err() {
            end.wait_at_most(END_AT_MOST);
        }
    }
}

struct OpenOnDrop(Latch);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

type Call<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A thread that owns the user's object and calls it, one call at a time, in order. It ends with
/// the last handle, after the calls that wait, or with a call that panics.
pub struct Callbacks<T> {
    calls: mpsc::Sender<Call<T>>,
    thread: ThreadId,
}

impl<T> Clone for Callbacks<T> {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone(), thread: self.thread }
    }
}

impl<T: Send + 'static> Callbacks<T> {
    /// Starts the thread. A panic of the user's code is logged, `on_panic` is told, and there are
    /// no more calls.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        name: &str,
        mut target: T,
        on_panic: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (calls, waiting) = mpsc::channel::<Call<T>>();
        let run = move || {
            for call in waiting {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(&mut target))) {
                    tracing::error!("A callback panicked: {}", panic_text(&*panic));
                    return on_panic();
                }
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { calls, thread: thread.thread().id() })
    }

    /// Queues a call; `name` is for the line that says how long it took.
    pub fn call(&self, name: &'static str, call: impl FnOnce(&mut T) + Send + 'static) {
        let cause = cause::current();
        let call = move |target: &mut T| {
            let _working = cause::enter(cause);
            let start = Instant::now();
            call(target);
            crate::vlog!(1, "{name} took {}", stout::duration::display(start.elapsed()));
        };
        // The thread may have ended by a panic: then there are no more calls.
        let _ = self.calls.send(Box::new(call));
    }

    /// As [`Callbacks::call`], and waits for its end, unless this is the thread itself.
    pub fn call_and_wait(&self, name: &'static str, call: impl FnOnce(&mut T) + Send + 'static) {
        let (done, end) = mpsc::channel::<()>();
        self.call(name, move |target| {
            call(target);
            drop(done);
        });
        if thread::current().id() != self.thread {
            // Nothing is ever sent: the sender's end is the call's, be it by a panic.
            let _ = end.recv();
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)")
}

/// A door that is opened once; clones are the same door. Upstream: `process::Latch`.
#[derive(Clone, Default)]
pub struct Latch {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Latch {
    /// Opens it. Upstream: `trigger`.
    pub fn open(&self) {
        let (is_open, opened) = &*self.inner;
        *is_open.lock() = true;
        opened.notify_all();
    }

    /// Waits until it is open. Upstream: `await`.
    pub fn wait(&self) {
        let (is_open, opened) = &*self.inner;
        let mut is_open = is_open.lock();
        while !*is_open {
            opened.wait(&mut is_open);
        }
    }

    /// As [`Latch::wait`], but no longer than this.
    pub fn wait_at_most(&self, at_most: Duration) {
        let (is_open, opened) = &*self.inner;
        let mut is_open = is_open.lock();
        opened.wait_while_for(&mut is_open, |is_open| !*is_open, at_most);
    }

    /// Opens it as soon as what was sent so far has left the runtime.
    pub fn open_when_flushed(&self, runtime: &Runtime) {
        let (latch, flushing) = (self.clone(), runtime.clone());
        runtime.run(async move {
            flushing.flush(FLUSH_AT_MOST).await;
            latch.open();
        });
    }
}

/// Waits for a future on this thread, which must not be one of a runtime's own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
    waiting.expect("a runtime without sockets needs nothing from the system").block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_run_in_order_until_one_panics() {
        let (told, tell) = mpsc::channel();
        let ended = Latch::default();
        let (end, seen) = (ended.clone(), told.clone());
        let callbacks = Callbacks::start("callbacks", told, move || end.open()).expect("a thread");
        for number in 0..3 {
            callbacks.call("test", move |told| told.send(number).expect("the test listens"));
        }
        callbacks.call_and_wait("test", |_| panic!("on purpose"));
        ended.wait();
        callbacks.call_and_wait("test", |told| told.send(9).expect("the test listens"));
        drop(seen);
        assert_eq!(tell.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_callback_may_wait_for_another_without_blocking_itself() {
        let (told, tell) = mpsc::channel();
        let callbacks = Callbacks::start("callbacks", told, || {}).expect("a thread");
        let again = callbacks.clone();
        callbacks.call_and_wait("outer", move |told| {
            again.call_and_wait("inner", |told| told.send("inner").expect("the test listens"));
            told.send("outer").expect("the test listens");
        });
        drop(callbacks);
        assert_eq!(tell.into_iter().collect::<Vec<_>>(), ["outer", "inner"]);
    }
}
