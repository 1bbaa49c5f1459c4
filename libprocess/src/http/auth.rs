//! Who asks: authenticators of HTTP requests, one for each realm.
//! Called by `http::server` before a request is queued for its actor.
//!
//! Upstream: `http::authentication::Authenticator`, `BasicAuthenticator`.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{StatusCode, header};

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

/// Basic authentication against a list of secrets. Upstream: `BasicAuthenticator`.
pub struct BasicAuthenticator {
    realm: String,
    /// Secrets by principal.
    credentials: HashMap<String, String>,
}

impl BasicAuthenticator {
    /// Lets the principals of `credentials`, pairs with their secrets, into `realm`.
    pub fn new(
        realm: impl Into<String>,
        credentials: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { realm: realm.into(), credentials: credentials.into_iter().collect() }
    }

    fn principal(&self, request: &Request) -> Option<String> {
        let (scheme, encoded) = request.header("Authorization")?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok().filter(|_| scheme == "Basic")?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (principal, secret) = decoded.split_once(':')?;
        // COMPAT: a secret with a colon never fits, for upstream splits at each of them; held by
        // `case_33_basic_authentication`.
        let fits = self.credentials.get(principal).is_some_and(|expected| expected == secret);
        (fits && !secret.contains(':')).then(|| principal.to_owned())
    }

    fn challenge(&self) -> Response {
        let challenge = format!("Basic realm=\"{}\"", self.realm);
        Response::new(StatusCode::UNAUTHORIZED).with_header(header::WWW_AUTHENTICATE, &challenge)
    }
}

impl Authenticator for BasicAuthenticator {
    fn authenticate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Authentication> {
        let found = match self.principal(request) {
            Some(principal) => Authentication::Principal(principal),
            None => Authentication::Refused(Box::new(self.challenge())),
        };
        async move { found }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_authentication_test_basic() {
        let credentials = [("user", "password"), ("odd", "a:b"), ("", "")];
        let credentials = credentials.map(|(name, secret)| (name.to_owned(), secret.to_owned()));
        let authenticator = BasicAuthenticator::new("realm", credentials);
        let check = |authorization: Option<String>, expected: Option<&str>| {
            let mut request = Request::default();
            if let Some(text) = &authorization {
                request.headers.insert("authorization", text.parse().unwrap());
            }
            match (authenticator.authenticate(&request).now_or_never(), expected) {
                (Some(Authentication::Principal(found)), Some(name)) => assert_eq!(found, name),
                (Some(Authentication::Refused(response)), None) => {
                    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
                    let challenge = &response.headers["www-authenticate"];
                    assert_eq!(challenge, "Basic realm=\"realm\"");
                }
                (found, _) => panic!("{authorization:?}: {found:?}"),
            }
        };
        let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
        check(None, None);
        check(basic("user:password"), Some("user"));
        check(basic("user:wrong"), None);
        check(basic("nobody:password"), None);
        check(basic("user"), None);
        check(basic("user:password:"), None);
        check(basic("odd:a:b"), None);
        check(basic("user:password").map(|text| text.replace("Basic", "basic")), None);
        check(basic("user:password").map(|text| text.replace(' ', "  ")), None);
        check(basic("user:password").map(|text| text + " "), None);
        check(Some("Basic".to_owned()), None);
        check(Some("Basic %%%".to_owned()), None);
    }

    #[test]
    fn http_authentication_test_basic_without_credentials() {
        let authenticator = BasicAuthenticator::new("mesos", []);
        for authorization in [None, Some("user:password"), Some(":")] {
            let mut request = Request::default();
            if let Some(text) = authorization {
                let basic = format!("Basic {}", STANDARD.encode(text));
                request.headers.insert("authorization", basic.parse().unwrap());
            }
            let found = authenticator.authenticate(&request).now_or_never();
            let Some(Authentication::Refused(response)) = found else { panic!("{found:?}") };
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
            assert_eq!(response.headers["www-authenticate"], "Basic realm=\"mesos\"");
        }
    }
}
