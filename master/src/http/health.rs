//! `/health`: whether this master serves requests at all.
//! Upstream: `Master::Http::health`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::View;

/// The help page.
pub fn help() -> Page {
    help::tldr("Answers 200 OK while this master is healthy.")
        .description(&["An answer that takes long says that the master is not quite well."])
}

/// The answer.
pub fn serve(_: &View<'_>, _: &Request) -> Response {
    Response::ok("")
}
