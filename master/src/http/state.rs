//! `/state` and `/state.json`: everything. Reads only.
//! Upstream: `Master::Http::state`.

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::{View, cluster};

/// The help page.
pub fn help() -> Page {
    help::tldr("Shows all that the master knows of the cluster.").description(&[
        "An object with the master's version, times, address and flags, the `slaves`, the",
        "`frameworks` with their tasks, executors and offers, the `completed_frameworks`, and",
        "`orphan_tasks` and `unregistered_frameworks`: what slaves brought back whose framework",
        "has yet to come back.",
        "",
        "`/state-summary` is much smaller and tells how many tasks there are.",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(cluster::state(view), request.jsonp())
}

#[cfg(test)]
mod tests {
    use libprocess::http::Body;

    use super::*;
    use crate::views::fixture::Books;

    #[test]
    fn state_is_wrapped_in_a_call_on_request() {
        let (books, mut request) = (Books::empty(), Request::default());
        request.query.insert("jsonp".into(), "cb".into());
        let response = serve(&books.view(), &request);
        assert_eq!(response.headers["content-type"], "text/javascript");
        let Body::Bytes(body) = response.body else { panic!("no body") };
        assert!(body.starts_with(b"cb({\"version\":") && body.ends_with(b"});"));
    }
}
