//! HTTP as actors see it: requests, replies, and what a reply's body may be.
//! Called by every route handler. Knows neither sockets nor actix; `http::server` does.
//!
//! Upstream: `process::http::Request`, `process::http::Response` and its kinds.

mod accept;
pub mod auth;
pub(crate) mod body;
pub mod client;
pub mod help;
pub(crate) mod mime;
pub mod pipe;
mod route;
pub(crate) mod server;
pub mod url;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::oneshot;

use crate::http::accept::accepts;
use crate::http::pipe::Reader;
use crate::runtime::Runtime;

/// A request that has reached an actor. Upstream: `process::http::Request`.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method, as sent.
    pub method: Method,
    /// The path, beginning with the actor's id: a request that the delegate serves has been
    /// rewritten already. Not percent-decoded.
    pub path: String,
    /// The query's keys and values, decoded; the last of a repeated key.
    pub query: BTreeMap<String, String>,
    /// The headers; of a repeated one the last.
    pub headers: HeaderMap,
    /// The whole body, inflated if it came gzipped.
    pub body: Bytes,
    /// Who sent it; none for a request made inside the process.
    pub client: Option<SocketAddr>,
    /// Whom the authenticator of the route's realm found it to be.
    pub principal: Option<String>,
}

impl Request {
    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The function that the answer is to be wrapped in a call of, for [`Response::json`].
    pub fn jsonp(&self) -> Option<&str> {
        self.query.get("jsonp").map(String::as_str)
    }

    /// Whether the client would take `content_type`. Upstream: `Request::acceptsMediaType`.
    pub fn accepts_media_type(&self, content_type: &str) -> bool {
        let Some(accept) = self.header("Accept") else { return true };
        let Some((family, _)) = content_type.split_once('/') else { return false };
        accepts(accept, &[content_type, &format!("{family}/*"), "*/*"])
    }
}

/// What a response carries.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing: `Content-Length: 0`.
    #[default]
    Empty,
    /// Bytes held in memory, gzipped on the way out if the client takes that and it is worth it.
    Bytes(Bytes),
    /// A file, read as it is sent.
    File(PathBuf),
    /// Chunks as they come. A writer that fails ends the connection before the last chunk, so that
    /// the client does not take what it has for the whole; a client that has gone closes the pipe.
    Stream(Reader),
}

/// An answer to a request. Upstream: `process::http::Response`.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Headers beyond `Date`, `Content-Length` and the codings, which the server adds.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response with `status` and no body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// 200 with a text of no declared type. Upstream: `OK(body)`.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes(body.into()), ..Self::new(StatusCode::OK) }
    }

    /// 200 with JSON that is already written, wrapped in a call of `jsonp` if that is given.
    /// Upstream: `OK(value, jsonp)`.
    pub fn json(json: impl Into<Bytes>, jsonp: Option<&str>) -> Self {
        let json = json.into();
        match jsonp {
            None => Self::ok(json).with_type("application/json"),
            Some(call) => {
                let wrapped = [call.as_bytes(), b"(", &json, b");"].concat();
                Self::ok(wrapped).with_type("text/javascript")
            }
        }
    }

    /// 200 with a file. Upstream: `Response::PATH`.
    pub fn file(path: PathBuf) -> Self {
        Self { body: Body::File(path), ..Self::new(StatusCode::OK) }
    }

    /// 400 that says why. Upstream: `BadRequest(body)`.
    pub fn bad_request(why: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes(why.into()), ..Self::new(StatusCode::BAD_REQUEST) }
    }

    /// 404 without a body. Upstream: `NotFound()`.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND)
    }

    /// 403 that says why. Upstream: `Forbidden(body)`.
    pub fn forbidden(why: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes(why.into()), ..Self::new(StatusCode::FORBIDDEN) }
    }

    /// 405 that names the methods that are allowed and the one that came.
    /// Upstream: `MethodNotAllowed`.
    pub fn method_not_allowed(allowed: &[&str], came: &Method) -> Self {
        let quoted: Vec<_> = allowed.iter().map(|method| format!("'{method}'")).collect();
        let expected = match &quoted[..] {
            [first @ .., last] if !first.is_empty() => {
                format!("{} or {last}", first.join(", "))
            }
            _ => quoted.join(""),
        };
        let mut response = Self::new(StatusCode::METHOD_NOT_ALLOWED);
        response.body = Body::Bytes(format!("Expecting {expected}, received '{came}'").into());
        response.with_header(header::ALLOW, &allowed.join(", "))
    }

    /// 500 without a body. Upstream: `InternalServerError()`.
    pub fn internal_server_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 500 that says why. Upstream: `InternalServerError(body)`.
    pub fn internal_server_error_with(why: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes(why.into()), ..Self::internal_server_error() }
    }

    /// 503 without a body, which also stands for a handler that failed.
    /// Upstream: `ServiceUnavailable()`.
    pub fn service_unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// 307 to `location`. Upstream: `TemporaryRedirect`.
    pub fn temporary_redirect(location: &str) -> Self {
        Self::new(StatusCode::TEMPORARY_REDIRECT).with_header(header::LOCATION, location)
    }

    /// The same with `Content-Type`.
    pub fn with_type(self, content_type: &str) -> Self {
        self.with_header(header::CONTENT_TYPE, content_type)
    }

    /// The same with a header; one whose value no header can carry is left out.
    pub fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// The handler, or what it waited for, failed; the client gets 503.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// What a route handler returns: the answer, or the promise of one.
pub enum Reply {
    /// The answer.
    Now(Response),
    /// The answer, later. Dropped when the client goes away first.
    Later(BoxFuture<'static, Result<Response, Failed>>),
}

impl Reply {
    /// A reply that comes when `future` completes.
    pub fn later(future: impl Future<Output = Result<Response, Failed>> + Send + 'static) -> Self {
        Self::Later(future.boxed())
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Now(response)
    }
}

impl<E: Into<Response>> From<Result<Response, E>> for Reply {
    fn from(result: Result<Response, E>) -> Self {
        Self::Now(result.unwrap_or_else(Into::into))
    }
}

/// Hands a reply to the connection that waits for it; a client that goes away meanwhile drops
/// the work of a later one.
pub(crate) fn serve_reply(
    runtime: &Runtime,
    reply: Reply,
    mut responder: oneshot::Sender<Response>,
) {
    match reply {
        // The connection may be gone: nobody is left to tell.
        Reply::Now(response) => drop(responder.send(response)),
        Reply::Later(future) => runtime.run(async move {
            let response = tokio::select! {
                response = future => response,
                () = responder.closed() => return,
            };
            let response = response.unwrap_or_else(|failed| {
                crate::vlog!(1, "Failed to serve a request: {failed}");
                Response::service_unavailable()
            });
            drop(responder.send(response));
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_test_accepts() {
        let check = |accept: &str, content_type: &str, accepted: bool| {
            let mut request = Request::default();
            request.headers.insert("accept", accept.parse().unwrap());
            assert_eq!(request.accepts_media_type(content_type), accepted, "{accept}");
        };
        for accept in [
            "text/*;q=0.0",
            "text/html;q=0.0",
            "text/",
            "text",
            "foo/*",
            "foo/*, text/*;q=0.0",
            "foo/*,\ttext/*;q=0.0",
            "*/*, text/*;q=0.0",
            "*/*;q=0.0, foo",
            "textttt/*",
        ] {
            check(accept, "text/html", false);
        }
        for accept in [
            "text/*",
            "text/*;q=0.1",
            "text/html",
            "text/html;q=0.1",
            "text/bar, text/html,q=0.1",
            "*/*, text/bar;q=0.5",
            "*/*;q=0.9, text/foo",
            "text/foo,\ttext/*;q=0.1",
            "*/*, foo/*",
        ] {
            check(accept, "text/html", true);
        }
        assert!(Request::default().accepts_media_type("text/html"));
    }

    #[test]
    fn http_test_case_insensitive_headers() {
        let mut request = Request::default();
        request.headers.insert("content-type", "text/plain".parse().unwrap());
        for name in ["Content-Type", "content-type", "CONTENT-TYPE"] {
            assert_eq!(request.header(name), Some("text/plain"));
        }
    }

    #[test]
    fn method_not_allowed_lists_what_is() {
        let check = |allowed: &[&str], text: &str| {
            let response = Response::method_not_allowed(allowed, &Method::PUT);
            let Body::Bytes(body) = response.body else { panic!("no body") };
            assert_eq!(body, text);
        };
        check(&["POST"], "Expecting 'POST', received 'PUT'");
        check(&["GET", "POST"], "Expecting 'GET' or 'POST', received 'PUT'");
        check(&["GET", "POST", "DELETE"], "Expecting 'GET', 'POST' or 'DELETE', received 'PUT'");
    }
}
