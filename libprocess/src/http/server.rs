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
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Method, StatusCode, header};

use crate::http::{Body, Request, Response, body};
use crate::runtime::WeakRuntime;
use crate::wire::decode::{HttpRequest as Decoded, MAX_BODY_BYTES};
use crate::wire::percent;

/// What a request asks for, not decoded.
#[derive(Clone, Default)]
struct Target {
    path: String,
    query: String,
}

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
            // Nothing in this application can fail to start.
            return Self::closed();
        };
        let call = move |request| -> LocalBoxFuture<'static, Option<ServiceResponse>> {
            let answered = service.call(request);
            Box::pin(async move { answered.await.ok() })
        };
        Self { call: Box::new(call) }
    }

    /// A site that serves nothing.
    pub(crate) fn closed() -> Self {
        Self { call: Box::new(|_| Box::pin(async { None })) }
    }

    /// Gives the response to a decoded request; `None` if the application has failed.
    pub(crate) fn call(
        &self,
        request: Decoded,
        client: SocketAddr,
    ) -> LocalBoxFuture<'static, Option<ServiceResponse>> {
        let (_, mut payload) = actix_http::h1::Payload::create(true);
        payload.unread_data(request.body);
        let mut converted = actix_http::Request::with_payload(Payload::from(payload));
        // As sent: upstream takes paths that are no URIs by today's rules.
        let target = Target { path: request.path, query: request.query };
        converted.extensions_mut().insert(target);
        let head = converted.head_mut();
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
        Some(request) => runtime.request(request).await,
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
    let Target { path, query } = request.extensions_mut().remove().unwrap_or_default();
    Some(Request {
        method: request.method().as_str().parse::<Method>().ok()?,
        path,
        query: percent::decode_query(&query).ok()?,
        headers,
        body,
        client: request.peer_addr(),
        principal: None,
    })
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
        Body::Stream(chunks) => builder(status, &headers).body(BodyStream::new(chunks)),
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
