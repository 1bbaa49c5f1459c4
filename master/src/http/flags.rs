//! `/flags`: how this master was started. Reads only.
//! Upstream: `Master::Http::flags`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, cluster};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows the flags of this master that have a value.")
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(cluster::flags(view), request.jsonp())
}
