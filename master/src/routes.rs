//! THE table of endpoints: which a master serves, and what answers each.
//! What is large is written from a clone of the books, beside the actor.
//! Upstream: the `route` calls of `Master::initialize`, `Master::Http::log`.

use std::path::Path;
use std::sync::Arc;

use coordination::daemon::log_request;
use libprocess::clock::Time;
use libprocess::http::help::Page;
use libprocess::http::{Failed, Reply, Request, Response};
use libprocess::{Ctx, Router, vlog};
use proto::mesos::MasterInfo;

use crate::config::Config;
use crate::constants::HTTP_REALM;
use crate::http::{
    flags, frameworks, health, observe, redirect, roles, slaves, state, summary, tasks, teardown,
};
use crate::master::Master;
use crate::state::Cluster;
use crate::views::View;

type Serve = fn(&View<'_>, &Request) -> Response;

type Act = fn(&mut Master, &mut Ctx<Master>, &Request) -> Reply;

/// Whether a request is worth a line in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Logged {
    Yes,
    No,
}

/// Fills the router.
pub(crate) fn install(router: &mut Router<Master>, webui: &Path) {
    beside(router, "/state", state::help(), state::serve);
    beside(router, "/state.json", state::help(), state::serve);
    beside(router, "/state-summary", summary::help(), summary::serve);
    beside(router, "/slaves", slaves::help(), slaves::serve);
    beside(router, "/frameworks", frameworks::help(), frameworks::serve);
    beside(router, "/tasks", tasks::help(), tasks::serve);
    beside(router, "/tasks.json", tasks::help(), tasks::serve);
    beside(router, "/roles", roles::help(), roles::serve);
    beside(router, "/roles.json", roles::help(), roles::serve);

    at_once(router, ("/flags", Logged::Yes), flags::help(), flags::serve);
    at_once(router, ("/observe", Logged::Yes), observe::help(), observe::serve);
    at_once(router, ("/health", Logged::No), health::help(), health::serve);
    at_once(router, ("/redirect", Logged::No), redirect::help(), redirect::serve);

    acting(router, "/teardown", teardown::help(), Master::teardown_endpoint);

    router.provide("", webui.join("master/static/index.html"));
    router.provide("static", webui.join("master/static"));
}

/// Answers from the books themselves, in the actor.
fn at_once(router: &mut Router<Master>, (path, logged): (&str, Logged), help: Page, serve: Serve) {
    router.route(path, help.into(), move |master: &mut Master, _, request| {
        match logged {
            Logged::Yes => log_request(&request),
            Logged::No => vlog!(1, "Serving {}", request.path),
        }
        serve(&master.view(), &request)
    });
}

/// Answers from a clone of the books, on another thread.
fn beside(router: &mut Router<Master>, path: &str, help: Page, serve: Serve) {
    router.route(path, help.into(), move |master: &mut Master, ctx, request| {
        log_request(&request);
        let snapshot = master.snapshot();
        let written = ctx.runtime().blocking(move || serve(&snapshot.view(), &request));
        let failed = || Failed("the answer's writer ended".to_owned());
        Reply::later(async move { written.await.ok_or_else(failed) })
    });
}

/// Changes something, so that it asks first whether this master leads for certain. What only shows
/// something does not: it may be out of date, as upstream's.
fn acting(router: &mut Router<Master>, path: &str, help: Page, act: Act) {
    router.route_in_realm(
        path,
        HTTP_REALM,
        help.into(),
        move |master: &mut Master, ctx, request| {
            log_request(&request);
            if master.doubts(ctx) {
                return Response::service_unavailable().into();
            }
            act(master, ctx, &request)
        },
    );
}

/// All that endpoints show, as it was at a moment.
struct Snapshot {
    cluster: Cluster,
    config: Arc<Config>,
    info: MasterInfo,
    leader: Option<MasterInfo>,
    start_time: Time,
    elected_time: Option<Time>,
}

impl Snapshot {
    fn view(&self) -> View<'_> {
        let Snapshot { cluster, config, info, leader, start_time, elected_time } = self;
        view((cluster, config), (info, leader.as_ref()), (*start_time, *elected_time))
    }
}

fn view<'a>(
    (cluster, config): (&'a Cluster, &'a Config),
    (info, leader): (&'a MasterInfo, Option<&'a MasterInfo>),
    (start_time, elected_time): (Time, Option<Time>),
) -> View<'a> {
    View {
        cluster,
        info,
        leader,
        start_time,
        elected_time,
        build: &config.build,
        flags: &config.shown,
        role_whitelist: config.roles.as_ref(),
        weights: &config.weights,
    }
}

impl Master {
    fn view(&self) -> View<'_> {
        let leader = self.leader.as_ref();
        let times = (self.start_time, self.elected_time);
        view((&self.cluster, &self.config), (&self.info, leader), times)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            cluster: self.cluster.clone(),
            config: self.config.clone(),
            info: self.info.clone(),
            leader: self.leader.clone(),
            start_time: self.start_time,
            elected_time: self.elected_time,
        }
    }
}
