//! `/metrics/snapshot`: all metrics as one object of doubles.
//! Started by `builtin`. Whoever asks too often waits; nobody is refused.
//!
//! Upstream: `metrics::internal::MetricsProcess`.

use std::time::Duration;

use stout::duration::{self, DurationError};
use stout::json;

use crate::http::{Reply, Request, Response, help};
use crate::metrics::{Metrics, SnapshotRate};
use crate::process::{Ctx, Process};
use crate::router::Router;
use crate::runtime::Runtime;
use crate::sync::RateLimiter;

pub(super) struct Snapshots {
    limiter: Option<RateLimiter>,
}

impl Snapshots {
    pub(super) fn new(runtime: &Runtime, rate: SnapshotRate) -> Self {
        let limiter = match rate {
            SnapshotRate::Unlimited => None,
            SnapshotRate::Every(interval) => Some(RateLimiter::new(runtime.clock(), interval)),
        };
        Self { limiter }
    }

    fn snapshot(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Reply {
        let metrics = ctx.runtime().metrics().clone();
        let permit = self.limiter.as_ref().map(RateLimiter::acquire);
        Reply::later(async move {
            if let Some(permit) = permit {
                permit.await;
            }
            Ok(respond(&metrics, &request).await)
        })
    }
}

impl Process for Snapshots {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Shows the present values of all metrics.").description(&[
            "The object has a member for each metric: its name and its value, a double.",
            "",
            "Query parameters:",
            "",
            ">        timeout=VALUE        How long to wait for values (e.g., 5secs); metrics",
            ">                             that take longer are left out.",
        ]);
        router.route("/snapshot", page.into(), Self::snapshot);
    }
}

async fn respond(metrics: &Metrics, request: &Request) -> Response {
    let timeout = match request.query.get("timeout").map(|text| parse(text)).transpose() {
        Ok(timeout) => timeout,
        Err(why) => return Response::bad_request(format!("{why}.\n")),
    };
    let values = metrics.snapshot(timeout).await;
    let snapshot = json::object(|snapshot| {
        values.iter().for_each(|(name, value)| snapshot.field(name, value));
    });
    Response::json(snapshot, request.jsonp())
}

/// A timeout that is no duration.
#[derive(Debug, thiserror::Error)]
#[error("Invalid timeout '{text}': {source}")]
struct BadTimeout {
    text: String,
    source: DurationError,
}

fn parse(text: &str) -> Result<Duration, BadTimeout> {
    duration::parse(text).map_err(|source| BadTimeout { text: text.to_owned(), source })
}
