//! Who asks: authenticators of HTTP requests, one for each realm.
//! Called by `http::server` before a request is queued for its actor.
//!
//! Upstream: `http::authentication::Authenticator`, `BasicAuthenticator`.

use futures_util::future::BoxFuture;

use crate::http::{Request, Response};

/// What an authenticator found. Upstream: `AuthenticationResult`.
#[derive(Debug)]
pub enum Authentication {
    /// The request is from this principal.
    Principal(String),
    /// It is not let through: 401 with a challenge, or 403.
    Refused(Box<Response>),
}

/// Finds out whom a request is from.
pub trait Authenticator: Send + Sync {
    /// Decides on one request.
    fn authenticate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Authentication>;
}
