//! `/flags`: how the slave was started. Upstream: `Slave::Http::flags`.

use libprocess::http::{Reply, Request, Response};
use stout::json;

use crate::slave::Slave;

pub(crate) fn flags(slave: &mut Slave, request: &Request) -> Reply {
    let shown = json::object(|object| object.field("flags", &slave.config.shown));
    Response::json(shown, jsonp(request)).into()
}

/// The function that wraps the answer, if the client wants one.
pub(crate) fn jsonp(request: &Request) -> Option<&str> {
    request.query.get("jsonp").map(String::as_str)
}
