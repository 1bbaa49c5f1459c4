//! `/frameworks`: the frameworks, registered and completed. Reads only.
//! Upstream: `Master::Http::frameworks`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, cluster};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows the frameworks with their tasks, executors and offers.").description(&[
        "An object with the registered `frameworks`, the `completed_frameworks`, and the ids of",
        "`unregistered_frameworks`, which have tasks but have yet to come back.",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(cluster::frameworks(view), request.jsonp())
}
