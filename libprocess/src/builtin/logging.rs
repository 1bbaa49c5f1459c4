//! `/logging/toggle`: more verbose logs for a while.
//! Started by `builtin`. The level is one for the whole program, whatever the number of runtimes.
//!
//! Upstream: `process::Logging`.

use std::time::Duration;

use stout::{duration, number};

use crate::clock::Timer;
use crate::http::{Request, Response, help};
use crate::logging;
use crate::process::{Ctx, Process};
use crate::router::Router;

#[derive(Default)]
pub(super) struct Logging {
    /// Ends the present toggle.
    revert: Option<Timer>,
}

impl Process for Logging {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Makes the logs more verbose for a limited time.")
            .description(&[
                "Verbose lines are those of [glog][glog]'s VLOG; at level 0, the default, none is",
                "written. The actor layer uses levels 1, 2 and 3.",
                "",
                "Without parameters the present level is returned.",
                "",
                "Query parameters:",
                "",
                ">        level=VALUE          The level (e.g., 1, 2, 3)",
                ">        duration=VALUE       How long it stays (e.g., 10secs, 15mins, etc.)",
            ])
            .references(&["[glog]: https://github.com/google/glog"]);
        router.route("/toggle", page.into(), Self::toggle);
    }
}

impl Logging {
    fn toggle(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Response {
        let (level, duration) = match (request.query.get("level"), request.query.get("duration")) {
            (None, None) => return Response::ok(format!("{}\n", logging::verbosity())),
            (Some(_), None) => {
                return Response::bad_request("Expecting 'duration=value' in query.\n");
            }
            (None, Some(_)) => return Response::bad_request("Expecting 'level=value' in query.\n"),
            (Some(level), Some(duration)) => (level, duration),
        };
        match parse(level, duration) {
            Err(why) => Response::bad_request(format!("{why}.\n")),
            Ok((level, duration)) => {
                set(level);
                if level != logging::original_verbosity() {
                    let timer = ctx.after(duration, |_, _| set(logging::original_verbosity()));
                    if let Some(superseded) = self.revert.replace(timer) {
                        ctx.cancel(superseded);
                    }
                }
                Response::ok("")
            }
        }
    }
}

/// Why the level stays as it is.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    NotANumber(#[from] number::NotANumber),
    #[error("Invalid level '{0}'")]
    Negative(i32),
    #[error("'{0}' < original level")]
    BelowOriginal(i32),
    #[error(transparent)]
    NotADuration(#[from] duration::DurationError),
}

fn parse(level: &str, duration: &str) -> Result<(i32, Duration), Refusal> {
    let level: i32 = number::numify(level)?;
    if level < 0 {
        return Err(Refusal::Negative(level));
    }
    if level < logging::original_verbosity() {
        return Err(Refusal::BelowOriginal(level));
    }
    Ok((level, duration::parse(duration)?))
}

fn set(level: i32) {
    if logging::verbosity() != level {
        // Shown at whatever level was set.
        crate::vlog!(0, "Setting verbose logging level to {level}");
        logging::set_verbosity(level);
    }
}
