//! Plain HTTP on the runtime's port: an actix-web application whose one service finds the actor
//! for a request and gives it its answer.
//! Called by `net::incoming`, which decodes requests and writes responses; one application per
//! thread that serves sockets. Never looks into a message stream.
//!
//! Upstream: the second half of `ProcessManager::handle`, and `HttpProxy`.

use std::net::SocketAddr;
use std::path::PathBuf;

use actix_http::Payload;
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::{BodyStream, SizedStream};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::oneshot;

use crate::event::{HttpEvent, Untyped};
use crate::http::auth::Authentication;
use crate::http::{Body, Request, Response, body};
use crate::runtime::{Runtime, WeakRuntime};
use crate::wire::decode::{HttpRequest as Decoded, MAX_BODY_BYTES};
use crate::wire::percent;

type Call = dyn Fn(actix_http::Request) -> LocalBoxFuture<'static, Option<ServiceResponse>>;

/// The application of one thread.
pub(crate) struct Site {
    call: Box<Call>,
}

impl Site {
    pub(crate) async fn new(runtime: WeakRuntime) -> Self {
        let limit = usize::try_from(MAX_BODY_BYTES).unwrap_or(usize::MAX);
        let app = App::new()
            .app_data(web::Data::new(runtime))
            .app_data(web::PayloadConfig::new(limit))
            .default_service(web::to(serve));
        let Ok(service) = app.into_factory().new_service(AppConfig::default()).await else {
            // Nothing in this application can fail to start; a site without one answers 503.
            return Self { call: Box::new(|_| Box::pin(async { None })) };
        };
        let call = move |request| -> LocalBoxFuture<'static, Option<ServiceResponse>> {
            let answered = service.call(request);
            Box::pin(async move { answered.await.ok() })
        };
        Self { call: Box::new(call) }
    }

    /// Gives the response to a decoded request; `None` if it cannot be routed at all.
    pub(crate) fn call(
        &self,
        request: Decoded,
        client: SocketAddr,
    ) -> LocalBoxFuture<'static, Option<ServiceResponse>> {
        let target = match request.query.is_empty() {
            true => request.path,
            false => format!("{}?{}", request.path, request.query),
        };
        let Ok(uri) = target.parse::<actix_web::http::Uri>() else {
            return Box::pin(async { None });
        };
        let (_, mut payload) = actix_http::h1::Payload::create(true);
        payload.unread_data(request.body);
        let mut converted = actix_http::Request::with_payload(Payload::from(payload));
        let head = converted.head_mut();
        head.uri = uri;
        head.peer_addr = Some(client);
        if let Ok(method) = request.method.as_str().parse() {
            head.method = method;
        }
        for (name, value) in &request.headers {
            let name = name.as_str().parse::<actix_http::header::HeaderName>();
            let value = actix_http::header::HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                head.headers_mut().insert(name, value);
            }
        }
        (self.call)(converted)
    }
}

/// The one service: from actix-web's request to the actor's and back.
async fn serve(request: HttpRequest, body: Bytes, runtime: web::Data<WeakRuntime>) -> HttpResponse {
    let Some(runtime) = runtime.upgrade() else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    let accept = request.headers().get(actix_http::header::ACCEPT_ENCODING);
    let accept = accept.and_then(|accept| accept.to_str().ok()).map(str::to_owned);
    let response = match convert(&request, body) {
        Some(request) => route(&runtime, request).await,
        None => Response::new(StatusCode::BAD_REQUEST),
    };
    respond(response, accept.as_deref()).await
}

fn convert(request: &HttpRequest, body: Bytes) -> Option<Request> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        let name = name.as_str().parse::<header::HeaderName>().ok()?;
        headers.insert(name, header::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(Request {
        method: request.method().as_str().parse::<Method>().ok()?,
        path: request.uri().path().to_owned(),
        query: percent::decode_query(request.query_string()).ok()?,
        headers,
        body,
        client: request.peer_addr(),
        principal: None,
    })
}

/// Finds the actor for a request and gives what it answers.
async fn route(runtime: &Runtime, mut request: Request) -> Response {
    if !request.path.starts_with('/') {
        crate::vlog!(1, "Returning '400 Bad Request' for '{}'", request.path);
        return Response::new(StatusCode::BAD_REQUEST);
    }
    if request.path.contains("/..") {
        crate::vlog!(
            1,
            "Returning '404 Not Found' for '{}' (ignoring requests with relative paths)",
            request.path
        );
        return Response::not_found();
    }
    let Some((id, path)) = addressee(runtime, &request.path) else {
        crate::vlog!(1, "Returning '404 Not Found' for '{}'", request.path);
        return Response::not_found();
    };
    request.path = path;
    if runtime.is_disabled(&request.path) {
        crate::vlog!(
            1,
            "Returning '403 Forbidden' for '{}' (firewall rule forbids request)",
            request.path
        );
        return Response::forbidden(format!("Endpoint '{}' is disabled", request.path));
    }
    let Some(cell) = runtime.cell(&id) else { return Response::not_found() };
    if let Some(realm) = cell.routes().realm(&request.path) {
        match runtime.authenticator(&realm) {
            None => crate::vlog!(
                2,
                "Request for '{}' requires authentication in realm '{realm}' but no \
                 authenticator found",
                request.path
            ),
            Some(authenticator) => match authenticator.authenticate(&request).await {
                Authentication::Principal(principal) => request.principal = Some(principal),
                Authentication::Refused(response) => return *response,
            },
        }
    }
    let (responder, response) = oneshot::channel();
    cell.deliver(Untyped::Http(HttpEvent { request, responder }));
    // A handler that drops the request without a word has failed.
    response.await.unwrap_or_else(|_| Response::service_unavailable())
}

/// The id of the actor that a path is for, and the path with the delegate's id in it where the
/// delegate stands in.
fn addressee(runtime: &Runtime, path: &str) -> Option<(String, String)> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_rooted = !path.starts_with("//");
    let decoded = percent::decode(first.as_bytes()).ok()?;
    let id = String::from_utf8(decoded.into_owned()).ok()?;
    if is_rooted && !id.is_empty() && runtime.cell(&id).is_some() {
        return Some((id, path.to_owned()));
    }
    let delegate = runtime.delegate()?;
    let path = if path == "/" { format!("/{delegate}") } else { format!("/{delegate}{path}") };
    Some((delegate, path))
}

/// An actor's response as actix-web's, compressed where the client takes that.
async fn respond(response: Response, accept: Option<&str>) -> HttpResponse {
    let Response { status, mut headers, body } = response;
    match body {
        Body::Empty => builder(status, &headers).finish(),
        Body::Bytes(bytes) => {
            let is_plain = !headers.contains_key(header::CONTENT_ENCODING);
            let compressed = is_plain.then(|| body::gzip(&bytes, accept)).flatten();
            if compressed.is_some() {
                let gzip = header::HeaderValue::from_static("gzip");
                headers.insert(header::CONTENT_ENCODING, gzip);
            }
            let size = compressed.as_ref().unwrap_or(&bytes).len() as u64;
            let whole = compressed.unwrap_or(bytes);
            // As a stream, because a body of bytes would be given a type of its own.
            let once = futures_util::stream::once(async { Ok::<_, std::io::Error>(whole) });
            builder(status, &headers).body(SizedStream::new(size, Box::pin(once)))
        }
        Body::File(path) => respond_file(status, headers, path).await,
        Body::Stream(chunks) => {
            let chunks = body::drawn(chunks).map(Ok::<_, std::io::Error>);
            builder(status, &headers).body(BodyStream::new(Box::pin(chunks)))
        }
    }
}

async fn respond_file(status: StatusCode, mut headers: HeaderMap, path: PathBuf) -> HttpResponse {
    let wanted = path.clone();
    let opened = tokio::task::spawn_blocking(move || body::open(&wanted)).await.ok().flatten();
    let Some((file, length)) = opened else {
        crate::vlog!(1, "Returning '404 Not Found' for path: '{}'", path.display());
        return HttpResponse::NotFound().finish();
    };
    crate::vlog!(1, "Sending file at '{}' with length {length}", path.display());
    body::add_type(&mut headers, &path);
    // What is appended while it is being sent is not sent.
    let pieces = Box::pin(body::pieces(file, path));
    builder(status, &headers).body(SizedStream::new(length, pieces))
}

fn builder(status: StatusCode, headers: &HeaderMap) -> HttpResponseBuilder {
    let code = actix_http::StatusCode::from_u16(status.as_u16());
    let mut builder = HttpResponse::build(code.unwrap_or_default());
    for (name, value) in headers {
        builder.append_header((name.as_str(), value.as_bytes()));
    }
    builder
}
