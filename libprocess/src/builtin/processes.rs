//! `/__processes__`: every actor with what waits in its mailbox, and how busy it is.
//! Started by `builtin`. Looks into the mailboxes from outside, so that a busy actor shows too.
//! Upstream's members, `events` and `id`, come first.
//!
//! Upstream: `ProcessManager::__processes__`.

use std::time::Duration;

use stout::json::{self, Array};

use crate::event::Summary;
use crate::http::{Request, Response};
use crate::pid::Upid;
use crate::process::{Ctx, Process};
use crate::router::Router;

pub(super) struct Processes;

impl Process for Processes {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, Self::list);
    }
}

impl Processes {
    fn list(&mut self, ctx: &mut Ctx<Self>, _: Request) -> Response {
        let cells = ctx.runtime().cells();
        let list = json::array(|list| {
            for (id, cell) in &cells {
                let (waiting, meter) = (cell.waiting(), cell.meter().read());
                list.object(|process| {
                    process.array("events", |events| {
                        waiting.iter().for_each(|event| show(events, event, cell.upid()));
                    });
                    process.field("id", &**id);
                    process.field("queue_length", waiting.len());
                    process.field("handled", meter.handled);
                    process.field("busy_us", micros(meter.busy));
                    if let Some((took, name)) = &meter.longest {
                        process.object("longest_handler", |longest| {
                            longest.field("name", &**name);
                            longest.field("us", micros(*took));
                        });
                    }
                });
            }
        });
        Response::json(list, None)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Members in the order of their names, as upstream's.
fn show(events: &mut Array<'_>, event: &Summary, to: &Upid) {
    events.object(|shown| match event {
        Summary::Message { name, from, body } => {
            shown.field_with("body", |slot| slot.bytes(body));
            shown.field("from", from.to_string());
            shown.field("name", &**name);
            shown.field("to", to.to_string());
            shown.field("type", "MESSAGE");
        }
        Summary::Http { method, url } => {
            shown.field("method", method);
            shown.field("type", "HTTP");
            shown.field("url", url);
        }
        Summary::Dispatch => shown.field("type", "DISPATCH"),
        Summary::Exited => shown.field("type", "EXITED"),
        Summary::Terminate => shown.field("type", "TERMINATE"),
    });
}
