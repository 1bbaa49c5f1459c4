//! Support for tests of actors: await, drop or count what passes between them.
//! Called by the tests of every crate; costs a running system one atomic load for each message.
//! Never changes a message.
//!
//! ```no_run
//! # use libprocess::{Runtime, Upid, testing::Intercept};
//! # async fn example<Ping: prost::Message + prost::Name + Default + 'static>(
//! #     runtime: &Runtime, master: &Upid,
//! # ) {
//! let next = Intercept::<Ping>::of(runtime).to(master).next(); // before it can be sent
//! // … make the slave send it …
//! let caught = next.await; // caught.from, caught.to, caught.message
//!
//! let lost = Intercept::<Ping>::of(runtime).drop_next(); // to be awaited likewise
//! let mute = Intercept::<Ping>::of(runtime).drop_all(); // until `mute` goes out of scope
//! # lost.await; mute.count();
//! # }
//! ```
//!
//! A message is caught where it is sent or, from another runtime, where it arrives: it has not
//! been handled yet. `runtime.settle().await` waits for what it sets in motion.
//!
//! Upstream: `FUTURE_PROTOBUF`, `DROP_PROTOBUF`, `DROP_PROTOBUFS`, `EXPECT_NO_FUTURE_PROTOBUFS`,
//! `FUTURE_MESSAGE`, `DROP_MESSAGE`, and `Filter`.

pub(crate) mod filter;
mod intercept;
mod peer;

pub use filter::{Envelope, Installed, Verdict};
pub use intercept::{Caught, Intercept, Next, Tally};
pub use peer::Peer;

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::pid::Upid;
use crate::runtime::Runtime;
use crate::runtime::config::Config;

/// How long [`wait`] waits: more than anything takes on a machine that is busy with tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A runtime on a free port of the loopback interface.
///
/// # Panics
/// When there is none.
pub fn runtime() -> Runtime {
    start(Config::default())
}

/// As [`runtime`], with a configuration whose address is set here.
///
/// # Panics
/// When the runtime does not start.
pub fn start(config: Config) -> Runtime {
    let config = Config { ip: Some(Ipv4Addr::LOCALHOST), ..config };
    Runtime::start(config).expect("a free port on the loopback interface")
}

/// Blocks a test until `future` completes. Upstream: `AWAIT_READY`.
///
/// # Panics
/// When that takes more than half a minute: it never will.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limited = async { tokio::time::timeout(PATIENCE, future).await };
    threads.expect("a test may open files").block_on(limited).expect("completes in time")
}

/// Tells the actor `to` of `runtime` that `from` has ended, which need not be so.
/// Upstream: `process::inject::exited`.
pub fn exited(runtime: &Runtime, from: &Upid, to: &Upid) {
    runtime.tell_exited(&to.id, from);
}
