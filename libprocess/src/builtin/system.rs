//! `/system/stats.json` and the gauges `system/*`: the machine and how busy it is.
//! Started by `builtin`. What the system does not tell is left out.
//!
//! Upstream: `process::System`.

use stout::json;

use crate::http::{Request, Response, help};
use crate::os::host;
use crate::process::{Ctx, Process};
use crate::router::Router;

pub(super) struct System;

impl Process for System {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Tells how busy this machine is.").description(&[
            ">        cpus_total          Processors that are online",
            ">        avg_load_1min       Load average of the last minute, as in uptime(1)",
            ">        avg_load_5min       Load average of the last 5 minutes, as in uptime(1)",
            ">        avg_load_15min      Load average of the last 15 minutes, as in uptime(1)",
            ">        mem_total_bytes     Main memory in bytes",
            ">        mem_free_bytes      Free main memory in bytes",
        ]);
        router.route("/stats.json", page.into(), Self::stats);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        let metrics = ctx.runtime().metrics();
        let add = |name: &str, value: fn() -> Option<f64>| {
            let gauge = move || Box::pin(std::future::ready(value())) as _;
            metrics.gauge(&format!("system/{name}"), gauge);
        };
        add("load_1min", || host::load().ok().map(|load| load.one));
        add("load_5min", || host::load().ok().map(|load| load.five));
        add("load_15min", || host::load().ok().map(|load| load.fifteen));
        add("cpus_total", || host::cpus().ok().map(|cpus| cpus as f64));
        add("mem_total_bytes", || host::memory().ok().map(|memory| memory.total as f64));
        add("mem_free_bytes", || host::memory().ok().map(|memory| memory.free as f64));
    }
}

impl System {
    fn stats(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        let stats = json::object(|stats| {
            if let Ok(load) = host::load() {
                stats.field("avg_load_15min", load.fifteen);
                stats.field("avg_load_1min", load.one);
                stats.field("avg_load_5min", load.five);
            }
            if let Ok(cpus) = host::cpus() {
                stats.field("cpus_total", cpus);
            }
            if let Ok(memory) = host::memory() {
                stats.field("mem_free_bytes", memory.free);
                stats.field("mem_total_bytes", memory.total);
            }
        });
        Response::json(stats, request.jsonp())
    }
}
