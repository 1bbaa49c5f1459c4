//! The actor behind `/monitor/statistics`: what each executor consumes, asked of the slave for
//! each request and at most twice a second.
//! Started with the slave. Keeps no figures.
//! Upstream: `ResourceMonitorProcess`.

use libprocess::http::{Failed, Reply, Request, Response, help};
use libprocess::sync::RateLimiter;
use libprocess::{Ctx, Pid, Process, Router, Runtime, vlog};

use crate::constants::STATISTICS_INTERVAL;
use crate::http::flags::jsonp;
use crate::http::statistics::Statistics;
use crate::slave::Slave;

/// The id that operators' tools know.
const ID: &str = "monitor";

struct Monitor {
    slave: Pid<Slave>,
    limiter: RateLimiter,
}

/// Starts the monitor of a slave. Of several slaves in one process the first one has it.
pub(crate) fn start(runtime: &Runtime, slave: &Pid<Slave>) {
    let limiter = RateLimiter::new(runtime.clock(), STATISTICS_INTERVAL);
    let monitor = Monitor { slave: slave.clone(), limiter };
    if runtime.spawn(ID, monitor).is_err() {
        vlog!(1, "Another slave of this process has the monitor");
    }
}

impl Process for Monitor {
    fn install(&self, router: &mut Router<Self>) {
        for path in ["/statistics", "/statistics.json"] {
            let page = help::tldr("What the containers of this slave consume.").description(&[
                "An array of an object for each executor: `executor_id`, `executor_name`,",
                "`framework_id`, `source` and `statistics`, a ResourceStatistics message.",
                "Answers twice a second at most.",
            ]);
            router.route(path, page.into(), Monitor::statistics);
        }
    }
}

impl Monitor {
    fn statistics(&mut self, _: &mut Ctx<Self>, request: Request) -> Reply {
        let (slave, permit) = (self.slave.clone(), self.limiter.acquire());
        Reply::later(async move {
            permit.await;
            let usage = slave.dispatch_then(|slave, _| slave.usage()).await;
            let usage = usage.map_err(|gone| Failed(gone.to_string()))?;
            let shown = stout::json::to_vec(&Statistics(&usage));
            Ok(Response::json(shown, jsonp(&request)))
        })
    }
}
