//! `/health`: 200 from whoever can answer. Upstream: `Slave::Http::health`.

use libprocess::http::{Reply, Response};

pub(crate) fn health() -> Reply {
    Response::ok("").into()
}
