//! `/profiler/start` and `/profiler/stop`, as a build without gperftools answers them.
//! Started by `builtin`, so that scripts get the answer that they know how to read.
//!
//! Upstream: `process::Profiler`.

use crate::http::{Request, Response, help};
use crate::process::{Ctx, Process};
use crate::router::Router;

const DISABLED: &str = "Perftools is disabled. To enable perftools, \
                        configure libprocess with --enable-perftools.\n";

pub(super) struct Profiler;

impl Process for Profiler {
    fn install(&self, router: &mut Router<Self>) {
        let page = |line| help::tldr(line).description(&["Uses google perftools."]).into();
        router.route("/start", page("Starts profiling."), Self::refuse);
        router.route("/stop", page("Stops profiling."), Self::refuse);
    }
}

impl Profiler {
    fn refuse(&mut self, _: &mut Ctx<Self>, _: Request) -> Response {
        Response::bad_request(DISABLED)
    }
}
