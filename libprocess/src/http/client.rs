//! Requests to other servers: one at a time, or several on one connection.
//! Called by actors, by way of `Ctx::then`, and by whoever holds a runtime. A request runs on the
//! runtime's own thread for sockets, whether or not its answer is awaited. There is no time limit
//! and no redirection here, as upstream has none: who needs one puts it around.
//!
//! Upstream: `process::http::{get, post, requestDelete, request, connect}`,
//! `process::http::streaming`, `process::http::Connection`.

mod connection;
mod inflate;

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use crate::http::Response;
use crate::http::pipe::Reader;
use crate::http::url::{Scheme, Url};
use crate::os::hostname;
use crate::runtime::Runtime;
use crate::wire::response::ResponseError;

pub use connection::Connection;

/// A request to send.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to: [`Connection::send`] takes the host of its connection, and this one's name.
    pub url: Url,
    /// Header fields beyond `Host`, `Connection` and the length, which are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Content,
    /// Whether the connection is to stay open for other requests.
    pub keep_alive: bool,
}

/// What a request carries.
#[derive(Debug)]
pub enum Content {
    /// Bytes held in memory, often none.
    Bytes(Bytes),
    /// Chunks as they come.
    Stream(Reader),
}

/// How the body of an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All of it, as [`crate::http::Body::Bytes`].
    Whole,
    /// As it comes, as [`crate::http::Body::Stream`]; the answer is there with its head.
    Streamed,
}

impl Request {
    /// A request without a body, the only one of its connection.
    pub fn new(method: Method, url: Url) -> Self {
        let (headers, body) = (HeaderMap::new(), Content::Bytes(Bytes::new()));
        Self { method, url, headers, body, keep_alive: false }
    }

    /// The same with a body of a type.
    pub fn with_body(mut self, body: impl Into<Bytes>, content_type: &str) -> Self {
        self.body = Content::Bytes(body.into());
        self.with_header(header::CONTENT_TYPE, content_type)
    }

    /// The same with a header; one whose value no header can carry is left out.
    pub fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same, on a connection that stays open.
    pub fn keep_alive(self) -> Self {
        Self { keep_alive: true, ..self }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The host's name leads nowhere.
    #[error("Failed to determine IP of domain '{host}': {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// There is no connection.
    #[error("Failed to connect to {address}: {why}")]
    Connect {
        /// Where to.
        address: SocketAddrV4,
        /// What the system said.
        why: String,
    },
    /// The URL asks for encryption, and this runtime has none.
    #[error("Failed to create socket: 'https' scheme requires SSL enabled")]
    NoTls,
    /// The path, query or host has bytes that no request line may have.
    #[error("'{0}' cannot be requested: it has blanks or control characters")]
    Target(String),
    /// The connection has ended, or was ended, before the answer.
    #[error("Disconnected")]
    Disconnected,
    /// A request before this one asked for the end of the connection.
    #[error("Cannot pipeline after 'Connection: close'")]
    Closing,
    /// The answer to a request before this one was the last.
    #[error("Received 'Connection: close' from the server")]
    ClosedByServer,
    /// The server speaks without having been asked.
    #[error("Received data when none is expected")]
    Unexpected,
    /// The connection broke.
    #[error("{0}")]
    Socket(String),
    /// What came is no answer.
    #[error("{0}")]
    Decode(#[from] ResponseError),
    /// The body is longer than is held in memory, or is not what gzip makes.
    #[error("failed to decode body: {0}")]
    Body(#[from] inflate::BadBody),
    /// The stream that was to be sent failed.
    #[error("Failed to send the body: {0}")]
    Content(#[from] crate::http::pipe::PipeError),
    /// Whoever read a streamed answer has closed it before its end.
    #[error("The body of a response is not read any more")]
    Unread,
}

/// Sends a request on a connection of its own.
///
/// # Errors
/// When there is no answer.
pub async fn request(
    runtime: &Runtime,
    request: Request,
    delivery: Delivery,
) -> Result<Response, ClientError> {
    let connection = connect(runtime, &request.url).await?;
    let response = connection.send(Request { keep_alive: false, ..request }, delivery);
    // A streamed body needs the connection longer than this call lasts.
    let ended = connection.disconnected();
    runtime.run(async move {
        ended.await;
        drop(connection);
    });
    response.await
}

/// Asks for a resource.
///
/// # Errors
/// As [`request`].
pub async fn get(runtime: &Runtime, url: Url) -> Result<Response, ClientError> {
    request(runtime, Request::new(Method::GET, url), Delivery::Whole).await
}

/// Sends a body of a type.
///
/// # Errors
/// As [`request`].
pub async fn post(
    runtime: &Runtime,
    url: Url,
    body: impl Into<Bytes>,
    content_type: &str,
) -> Result<Response, ClientError> {
    let post = Request::new(Method::POST, url).with_body(body, content_type);
    request(runtime, post, Delivery::Whole).await
}

/// Asks to delete a resource. Upstream: `requestDelete`.
///
/// # Errors
/// As [`request`].
pub async fn delete(runtime: &Runtime, url: Url) -> Result<Response, ClientError> {
    request(runtime, Request::new(Method::DELETE, url), Delivery::Whole).await
}

/// Opens a connection for any number of requests; only the URL's scheme, host and port count.
///
/// # Errors
/// When there is no such host, or it takes no connection.
pub async fn connect(runtime: &Runtime, url: &Url) -> Result<Connection, ClientError> {
    let tls = match (url.scheme, runtime.tls()) {
        (Scheme::Http, _) => None,
        (Scheme::Https, Some(tls)) => Some((tls, url.host.clone())),
        (Scheme::Https, None) => return Err(ClientError::NoTls),
    };
    let address = SocketAddrV4::new(resolve(runtime, &url.host).await?, url.port);
    Connection::open(runtime, address, tls).await
}

async fn resolve(runtime: &Runtime, host: &str) -> Result<Ipv4Addr, ClientError> {
    if let Ok(ip) = host.parse() {
        return Ok(ip);
    }
    let name = host.to_owned();
    let failed = |why: String| ClientError::Resolve { host: host.to_owned(), why };
    match runtime.blocking(move || hostname::to_ip(&name)).await {
        Some(found) => found.map_err(|error| failed(error.to_string())),
        None => Err(ClientError::Disconnected),
    }
}
