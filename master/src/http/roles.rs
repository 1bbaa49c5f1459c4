//! `/roles` and `/roles.json`: the roles that matter. Reads only.
//! Upstream: `Master::Http::roles`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, role};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows the roles with their weights, frameworks and resources.").description(&[
        "An object with `roles`: those of `--roles` if that is given, or else `*` and all that",
        "have a registered framework or a weight. The resources are what the role's frameworks",
        "use and are offered.",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(role::roles(view), request.jsonp())
}
