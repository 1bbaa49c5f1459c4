//! `/state`: everything that the slave knows. Upstream: `Slave::Http::state`.

use libprocess::http::{Body, Reply, Request, Response};

use crate::http::flags::jsonp;
use crate::phase::Phase;
use crate::slave::Slave;
use crate::views::slave::State;

pub(crate) fn state(slave: &mut Slave, request: &Request) -> Reply {
    if slave.phase == Phase::Recovering {
        let mut unavailable = Response::service_unavailable();
        unavailable.body = Body::Bytes("Agent has not finished recovery".into());
        return unavailable.into();
    }
    let shown = stout::json::to_vec(&State(slave));
    Response::json(shown, jsonp(request)).into()
}
