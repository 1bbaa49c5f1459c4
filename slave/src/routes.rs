//! THE table of endpoints below the slave's own id, one line each.
//! Called once, when the actor is spawned.
//! Upstream: the `route` calls of `Slave::initialize`.

use coordination::daemon::log_request;
use libprocess::Router;
use libprocess::http::help::{self, Page};
use libprocess::http::{Reply, Request, Response};

use crate::http::{flags, health, state};
use crate::slave::Slave;

/// An endpoint's work.
type Serve = fn(&mut Slave, &Request) -> Reply;

pub(crate) fn install(router: &mut Router<Slave>) {
    let mut route = |path: &str, page: Page, serve: Serve| {
        router.route(path, page.into(), move |slave, _, request| {
            log_request(&request);
            serve(slave, &request)
        });
    };
    let everything = help::tldr("What this slave knows.").description(&[
        "One object: the slave itself, its resources, attributes and flags, its master, and its",
        "`frameworks` and `completed_frameworks` with their executors and tasks.",
    ]);
    route("/state", everything.clone(), state::state);
    route("/state.json", everything, state::state);
    route("/flags", help::tldr("The flags that this slave was started with."), flags::flags);
    let page = help::tldr("The executor API, version 1.").description(&[
        "Takes calls as JSON or protobuf, by POST. SUBSCRIBE is answered with 200 and a stream of",
        "events that goes on until the executor ends, each behind its length (RecordIO); any other",
        "call with 202 once it is accepted.",
    ]);
    router.route("/api/v1/executor", page.into(), |slave: &mut Slave, ctx, request| {
        log_request(&request);
        let reply = slave.executor_call(ctx, &request);
        if cfg!(debug_assertions) {
            slave.frameworks.check_invariants();
        }
        reply.unwrap_or_else(|refusal| Response::from(refusal).into())
    });
    // The only one that is not worth a line in the log.
    let page = help::tldr("Whether this slave is well.")
        .description(&["Answers 200 if it is; a late answer is a bad sign."]);
    router.route("/health", page.into(), |_: &mut Slave, _, _| health::health());
}
