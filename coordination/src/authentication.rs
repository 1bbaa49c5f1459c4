//! Proving who one is to the leading master. Called by slaves and scheduler drivers, which know
//! only the trait. Never logs a secret.
//!
//! Upstream: `mesos::Authenticatee`.

mod authenticatee;
pub mod cram_md5;

use futures_util::future::BoxFuture;
use libprocess::{Runtime, Upid};
use proto::mesos::Credential;

pub use authenticatee::CramMd5Authenticatee;

/// What the master thinks of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Authenticated,
    /// It does not, and will not by trying again.
    Refused,
}

/// Why there is no verdict; it may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The master could not go on.
    #[error("Authentication error: {0}")]
    Master(String),
    /// The master said something that was not its turn to say.
    #[error("Unexpected authentication '{0}' received")]
    OutOfTurn(&'static str),
    /// None of the mechanisms that the master offers is ours.
    #[error("Failed to start the SASL client: no mechanism of '{0}' is known")]
    Mechanisms(String),
    /// Nobody waits for it any more.
    #[error("Authentication discarded")]
    Discarded,
}

/// A way to prove who one is.
pub trait Authenticatee: Send {
    /// Proves to `master` that the actor `client` has the credential. Dropping the future gives
    /// the attempt up.
    fn authenticate(
        &self,
        runtime: &Runtime,
        master: &Upid,
        client: &Upid,
        credential: &Credential,
    ) -> BoxFuture<'static, Result<Verdict, AuthenticationError>>;
}
