//! `/slaves`: the registered slaves. Reads only.
//! Upstream: `Master::Http::slaves`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, cluster};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows the registered slaves.").description(&[
        "An object with `slaves`. Beside sums, each shows its reserved, used and offered",
        "resources in full: in the form in which the endpoints that unreserve resources and",
        "destroy volumes take them.",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(cluster::slaves(view), request.jsonp())
}
