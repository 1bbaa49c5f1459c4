//! `/state-summary`: who is there, and how many tasks. Reads only.
//! Upstream: `Master::Http::stateSummary`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, cluster};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows slaves and frameworks with the number of their tasks in each state.")
        .description(&[
            "An object with `slaves` and `frameworks`. Each has the number of its tasks in each",
            "state, completed ones included as far as they are remembered, and the ids of the",
            "frameworks on the slave or of the slaves of the framework.",
        ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(cluster::summary(view), request.jsonp())
}
