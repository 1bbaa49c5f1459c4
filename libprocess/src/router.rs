//! An actor's table of what it understands: messages by name, HTTP routes by path, delegates.
//! Filled once by `Process::install`, read by `mailbox` when it serves an event and by
//! `http::server` before it queues one. Never changes after the actor has been spawned.
//!
//! Upstream: `ProcessBase::install`, `delegate`, `route`, `ProtobufProcess::install`.

mod table;

use bytes::Bytes;

use crate::event::Message;
use crate::http::{Reply, Request, Response};
use crate::pid::Upid;
use crate::process::{Ctx, Process};
use crate::router::table::Table;
use crate::trace::{Outcome, cause};

/// Tells which `required` fields an encoded message lacks; decoding itself is prost's.
pub type Check = Box<dyn Fn(&[u8]) -> Result<(), Vec<String>> + Send + Sync>;

/// Gives the check for a protobuf type by its full name; `None` if it has no required fields.
pub type Schema = fn(&str) -> Option<Check>;

type OnMessage<P> = Box<dyn Fn(&mut P, &mut Ctx<P>, Message) + Send + Sync>;
type OnRequest<P> = Box<dyn Fn(&mut P, &mut Ctx<P>, Request) -> Reply + Send + Sync>;

/// One HTTP route of an actor.
pub(crate) struct Route<P: Process> {
    pub(crate) handler: OnRequest<P>,
    pub(crate) realm: Option<String>,
    pub(crate) help: Option<String>,
}

/// The table; see the module.
pub struct Router<P: Process> {
    schema: Option<Schema>,
    messages: Table<OnMessage<P>>,
    delegates: Table<Upid>,
    routes: Table<Route<P>>,
    assets: Table<std::path::PathBuf>,
    otherwise: Option<OnRequest<P>>,
}

impl<P: Process> Router<P> {
    pub(crate) fn new(schema: Option<Schema>) -> Self {
        Self {
            schema,
            messages: Table::new(),
            delegates: Table::new(),
            routes: Table::new(),
            assets: Table::new(),
            otherwise: None,
        }
    }

    /// Handles the protobuf message `M`. A body that lacks required fields, or that does not
    /// decode, is logged and dropped.
    pub fn on<M>(&mut self, handler: impl Fn(&mut P, &mut Ctx<P>, Upid, M) + Send + Sync + 'static)
    where
        M: prost::Message + prost::Name + Default + 'static,
    {
        let name = M::full_name();
        let check = self.schema.and_then(|schema| schema(&name));
        let on_message = move |process: &mut P, ctx: &mut Ctx<P>, message: Message| {
            if let Some(message) = decode::<M>(check.as_ref(), &message) {
                let from = ctx.from().clone();
                handler(process, ctx, from, message);
            }
        };
        self.messages.insert(&name, Box::new(on_message));
    }

    /// Handles the message called `name`, whatever its body is.
    pub fn on_raw(
        &mut self,
        name: &str,
        handler: impl Fn(&mut P, &mut Ctx<P>, Upid, Bytes) + Send + Sync + 'static,
    ) {
        let on_message = move |process: &mut P, ctx: &mut Ctx<P>, message: Message| {
            handler(process, ctx, message.from, message.body);
        };
        self.messages.insert(name, Box::new(on_message));
    }

    /// Passes messages called `name` on to `to`, with their sender unchanged.
    pub fn delegate(&mut self, name: &str, to: Upid) {
        self.delegates.insert(name, to);
    }

    /// Serves `path` (below the actor's id, beginning with `/`) and everything deeper that no
    /// longer route claims. `help` is the text of its `/help` page.
    pub fn route<R: Into<Reply>>(
        &mut self,
        path: &str,
        help: Option<String>,
        handler: impl Fn(&mut P, &mut Ctx<P>, Request) -> R + Send + Sync + 'static,
    ) {
        self.add_route(path, None, help, handler);
    }

    /// As [`Router::route`], for requests that pass the authenticator of `realm`.
    pub fn route_in_realm<R: Into<Reply>>(
        &mut self,
        path: &str,
        realm: &str,
        help: Option<String>,
        handler: impl Fn(&mut P, &mut Ctx<P>, Request) -> R + Send + Sync + 'static,
    ) {
        self.add_route(path, Some(realm.to_owned()), help, handler);
    }

    fn add_route<R: Into<Reply>>(
        &mut self,
        path: &str,
        realm: Option<String>,
        help: Option<String>,
        handler: impl Fn(&mut P, &mut Ctx<P>, Request) -> R + Send + Sync + 'static,
    ) {
        let handler: OnRequest<P> =
            Box::new(move |process, ctx, request| handler(process, ctx, request).into());
        let name = path.trim_start_matches('/');
        self.routes.insert(name, Route { handler, realm, help });
    }

    /// Serves the file, or the files below the folder, at `path` under the asset `name`.
    pub fn provide(&mut self, name: &str, path: impl Into<std::path::PathBuf>) {
        self.assets.insert(name, path.into());
    }

    /// Serves what neither a route nor an asset claims, instead of 404.
    pub(crate) fn otherwise(
        &mut self,
        handler: impl Fn(&mut P, &mut Ctx<P>, Request) -> Response + Send + Sync + 'static,
    ) {
        let handler: OnRequest<P> =
            Box::new(move |process, ctx, request| handler(process, ctx, request).into());
        self.otherwise = Some(handler);
    }

    /// Runs the handler of a message, or hands it on to its delegate. Gives the message's name.
    pub(crate) fn serve_message(
        &self,
        process: &mut P,
        ctx: &mut Ctx<P>,
        message: Message,
    ) -> &str {
        if let Some((name, handler)) = self.messages.get(&message.name) {
            handler(process, ctx, message);
            return name;
        }
        let Some((name, to)) = self.delegates.get(&message.name) else {
            cause::fares(Outcome::NoHandler);
            return "";
        };
        crate::vlog!(1, "Delegating message '{name}' to {to}");
        ctx.runtime().deliver(message, to);
        name
    }

    /// Runs the route for a request, or answers with a file or 404. Gives the route's name, too.
    pub(crate) fn serve_request(
        &self,
        process: &mut P,
        ctx: &mut Ctx<P>,
        request: Request,
    ) -> (Reply, &str) {
        if let Some((name, route)) = self.find_route(&request.path) {
            return ((route.handler)(process, ctx, request), name);
        }
        let reply = match (self.asset(&request.path), &self.otherwise) {
            (Some(asset), _) => Response::file(asset).into(),
            (None, Some(otherwise)) => otherwise(process, ctx, request),
            (None, None) => {
                crate::vlog!(1, "Returning '404 Not Found' for '{}'", request.path);
                Response::not_found().into()
            }
        };
        (reply, "")
    }

    /// The route that claims `path`, which begins with the actor's id: the longest prefix wins.
    pub(crate) fn find_route(&self, path: &str) -> Option<(&str, &Route<P>)> {
        let mut name = below_id(path);
        if let Some((name, route)) = self.routes.get(name) {
            return Some((name, route));
        }
        // COMPAT: a trailing slash is not a component, so `/master/state/` is not found where
        // `/master/state/x` is (`ProcessBase::visit`); held by `case_30_routing`.
        while let Some((shorter, _)) = name.trim_end_matches('/').rsplit_once('/') {
            name = shorter;
            if let Some((name, route)) = self.routes.get(name) {
                return Some((name, route));
            }
        }
        None
    }

    /// The file that is provided for `path`; whether it exists is another question.
    fn asset(&self, path: &str) -> Option<std::path::PathBuf> {
        let below = below_id(path);
        let (name, rest) = below.split_once('/').unwrap_or((below, ""));
        let (_, root) = self.assets.get(name)?;
        // Joining nothing would add a slash.
        Some(if rest.is_empty() { root.clone() } else { root.join(rest.trim_start_matches('/')) })
    }

    /// The names of all routes with their help texts.
    pub(crate) fn help(&self) -> Vec<(String, Option<String>)> {
        let page = |(name, route): (&str, &Route<P>)| (name.to_owned(), route.help.clone());
        self.routes.iter().map(page).collect()
    }
}

/// What follows the actor's id in a path, without leading slashes.
fn below_id(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    path.split_once('/').map_or("", |(_, rest)| rest.trim_start_matches('/'))
}

fn decode<M: prost::Message + Default>(check: Option<&Check>, message: &Message) -> Option<M> {
    if let Some(Err(missing)) = check.map(|check| check(&message.body)) {
        cause::fares(Outcome::Malformed);
        tracing::warn!("Initialization errors: {}", missing.join(", "));
        return None;
    }
    match M::decode(message.body.clone()) {
        Ok(decoded) => Some(decoded),
        Err(error) => {
            cause::fares(Outcome::Malformed);
            tracing::error!(
                "Failed to deserialize '{}' from {}: {error}",
                message.name,
                message.from
            );
            None
        }
    }
}

/// What is asked of a table without knowing the actor's type.
pub(crate) trait Routes: Send + Sync {
    /// The realm of the route for `path`, if it has one.
    fn realm(&self, path: &str) -> Option<String>;
    /// The names of all routes with their help texts.
    fn pages(&self) -> Vec<(String, Option<String>)>;
}

impl<P: Process> Routes for Router<P> {
    fn realm(&self, path: &str) -> Option<String> {
        self.find_route(path).and_then(|(_, route)| route.realm.clone())
    }

    fn pages(&self) -> Vec<(String, Option<String>)> {
        self.help()
    }
}
