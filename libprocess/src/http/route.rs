//! Which actor serves a request, and whether it may: paths, delegate, firewall, realms.
//! Called by `http::server` for what comes from outside and by whoever asks from within.
//! Never runs a handler: the actor does, in its turn.
//!
//! Upstream: the second half of `ProcessManager::handle`, `ProcessBase::visit(HttpEvent)`.

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::oneshot;

use crate::event::{HttpEvent, Untyped};
use crate::http::auth::Authentication;
use crate::http::{Request, Response};
use crate::mailbox::AnyCell;
use crate::runtime::Runtime;
use crate::trace::{EventId, Passed, cause};
use crate::wire::percent;

impl Runtime {
    /// Gives what the actor that a request is for answers to it, as if it had come over the
    /// network. Requests to one actor are served in the order in which they are first polled.
    pub async fn request(&self, mut request: Request) -> Response {
        let cell = match self.find(&mut request) {
            Ok(cell) => cell,
            Err(refusal) => return *refusal,
        };
        let (responder, response) = oneshot::channel();
        {
            let _turn = cell.door().lock().await;
            if let Some(refusal) = self.authenticate(&*cell, &mut request).await {
                return refusal;
            }
            let _working = self.cause_of(&request).map(cause::enter);
            cell.deliver(Untyped::Http(Box::new(HttpEvent { request, responder })));
        }
        // A handler that drops the request without a word has failed.
        response.await.unwrap_or_else(|_| Response::service_unavailable())
    }

    /// The event in another process that sent a request, if that says so.
    fn cause_of(&self, request: &Request) -> Option<EventId> {
        let passed = Passed::parse(request.headers.get(cause::FIELD)?.as_bytes())?;
        Some(self.tracer().heed(passed))
    }

    /// The actor that a request is for; puts the delegate's id into the path where it stands in.
    fn find(&self, request: &mut Request) -> Result<Arc<dyn AnyCell>, Box<Response>> {
        let path = &request.path;
        if !path.starts_with('/') {
            crate::vlog!(1, "Returning '400 Bad Request' for '{path}'");
            return Err(Box::new(Response::new(StatusCode::BAD_REQUEST)));
        }
        if path.contains("/..") {
            crate::vlog!(
                1,
                "Returning '404 Not Found' for '{path}' (ignoring requests with relative paths)"
            );
            return Err(Box::new(Response::not_found()));
        }
        let Some((cell, path)) = self.addressee(path) else {
            crate::vlog!(1, "Returning '404 Not Found' for '{path}'");
            return Err(Box::new(Response::not_found()));
        };
        request.path = path;
        if self.is_disabled(&request.path) {
            crate::vlog!(
                1,
                "Returning '403 Forbidden' for '{}' (firewall rule forbids request)",
                request.path
            );
            let why = format!("Endpoint '{}' is disabled", request.path);
            return Err(Box::new(Response::forbidden(why)));
        }
        Ok(cell)
    }

    fn addressee(&self, path: &str) -> Option<(Arc<dyn AnyCell>, String)> {
        let first = path.split('/').nth(1).unwrap_or_default();
        let id = percent::decode(first.as_bytes()).ok();
        let id = id.and_then(|id| String::from_utf8(id.into_owned()).ok());
        if let Some(cell) = id.filter(|id| !id.is_empty()).and_then(|id| self.cell(&id)) {
            return Some((cell, path.to_owned()));
        }
        let delegate = self.delegate()?;
        let below = if path == "/" { "" } else { path };
        Some((self.cell(&delegate)?, format!("/{delegate}{below}")))
    }

    async fn authenticate(&self, cell: &dyn AnyCell, request: &mut Request) -> Option<Response> {
        let realm = cell.routes().realm(&request.path)?;
        let Some(authenticator) = self.authenticator(&realm) else {
            crate::vlog!(
                2,
                "Request for '{}' requires authentication in realm '{realm}' but no \
                 authenticator found",
                request.path
            );
            return None;
        };
        match authenticator.authenticate(request).await {
            Authentication::Principal(principal) => {
                request.principal = Some(principal);
                None
            }
            Authentication::Refused(response) => Some(*response),
        }
    }
}
