//! `/__trace__/start`, `/stop` and `/export`: the actor trace, see `crate::trace`.
//! Started by `builtin`. Nothing here runs on an actor's thread for long: an export is written, and
//! those of other processes are fetched, beside it.
//!
//! Upstream has nothing like it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use stout::{duration, number};

use crate::http::client::{self, ClientError};
use crate::http::url::{Scheme, Url};
use crate::http::{Body, Failed, Reply, Request, Response, help};
use crate::process::{Ctx, Process};
use crate::router::Router;
use crate::runtime::Runtime;
use crate::trace::export::chrome::NotAnExport;
use crate::trace::export::{Export, chrome, html, text};

/// How long all events are recorded when `start` does not say.
const DURATION: Duration = Duration::from_secs(60);

/// How long they may be.
const DURATION_MAX: Duration = Duration::from_secs(3_600);

/// How long another process may take to answer.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// How many other processes are asked for one export.
const PROCESSES_MAX: usize = 100;

pub(super) struct Trace;

impl Process for Trace {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Records all events of all actors for a while.").description(&[
            "What was recorded before is forgotten. At any time, without this, some events are",
            "recorded as well: as many as cost next to nothing. Processes that get a message from",
            "this one meanwhile do the same until the same moment. A thread records at most 20,000",
            "events a second; an export says how many were passed over.",
            "",
            "Query parameters:",
            "",
            ">        duration=VALUE       How long (e.g., 10secs; the default is 1mins)",
            ">        events=VALUE         How many to keep, the last ones (the default is 65536)",
        ]);
        router.route("/start", page.into(), Self::start);
        let page = help::tldr("Stops recording all events.")
            .description(&["What was recorded can still be exported."]);
        router.route("/stop", page.into(), Self::stop);
        let page = help::tldr("Shows who sent what to whom, and what caused it.").description(&[
            "Of each event: its cause, how long it waited in the mailbox, how long its handler",
            "ran, and if it was lost, why.",
            "",
            "Query parameters:",
            "",
            ">        format=VALUE         text: a sequence diagram (the default)",
            ">                             html: a page to look at, which needs no network",
            ">                             chrome: JSON for ui.perfetto.dev or about:tracing",
            ">        merge=VALUE          Adds the events of other processes: host:port,… of",
            ">                             each, or `peers` for all that the events mention",
        ]);
        router.route("/export", page.into(), Self::export);
    }
}

impl Trace {
    fn start(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Response {
        match parse_start(&request) {
            Err(why) => Response::bad_request(format!("{why}.\n")),
            Ok((duration, events)) => {
                ctx.runtime().tracer().start(duration, events);
                let duration = stout::duration::display(duration);
                Response::ok(format!("Recording all events for {duration}.\n"))
            }
        }
    }

    fn stop(&mut self, ctx: &mut Ctx<Self>, _: Request) -> Response {
        ctx.runtime().tracer().stop();
        Response::ok("")
    }

    fn export(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Reply {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        let Some(format) = Format::named(query("format").unwrap_or("text")) else {
            let why = "Expecting 'format' to be 'chrome', 'text' or 'html'.\n";
            return Response::bad_request(why).into();
        };
        let merge = Merge::parse(query("merge").unwrap_or_default());
        let runtime = ctx.runtime().clone();
        Reply::later(async move {
            let own = runtime.clone();
            let export = move || Export::of(own.tracer(), own.address());
            let gone = || Failed("the thread ended".to_owned());
            let export = runtime.blocking(export).await.ok_or_else(gone)?;
            let export = merge.into(export, &runtime).await;
            runtime.blocking(move || format.respond(&export)).await.ok_or_else(gone)
        })
    }
}

/// Why nothing is started.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    NotADuration(#[from] duration::DurationError),
    #[error("A trace takes at most {}", duration::display(DURATION_MAX))]
    TooLong,
    #[error(transparent)]
    NotANumber(#[from] number::NotANumber),
}

fn parse_start(request: &Request) -> Result<(Duration, Option<usize>), Refusal> {
    let query = |name: &str| request.query.get(name);
    let duration = query("duration").map(|text| duration::parse(text)).transpose()?;
    let duration = duration.unwrap_or(DURATION);
    if duration > DURATION_MAX {
        return Err(Refusal::TooLong);
    }
    let events = query("events").map(|text| number::numify::<u32>(text)).transpose()?;
    Ok((duration, events.map(|events| events as usize)))
}

/// What an export is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Chrome,
    Text,
    Html,
}

impl Format {
    fn named(name: &str) -> Option<Self> {
        match name {
            "chrome" => Some(Format::Chrome),
            "text" => Some(Format::Text),
            "html" => Some(Format::Html),
            _ => None,
        }
    }

    fn respond(self, export: &Export) -> Response {
        match self {
            Format::Chrome => Response::json(chrome::write(export), None),
            Format::Text => {
                Response::ok(text::write(export)).with_type("text/plain; charset=utf-8")
            }
            Format::Html => Response::ok(html::write(export)).with_type("text/html; charset=utf-8"),
        }
    }
}

/// Whose events are added.
struct Merge {
    addresses: BTreeSet<String>,
    /// All that are mentioned as well, and all that those mention.
    peers: bool,
}

impl Merge {
    fn parse(text: &str) -> Self {
        let words = || text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self {
            addresses: words().filter(|word| *word != "peers").map(str::to_owned).collect(),
            peers: words().any(|word| word == "peers"),
        }
    }

    /// Adds them; those that cannot be had leave a note.
    async fn into(self, mut export: Export, runtime: &Runtime) -> Export {
        let mut asked = BTreeSet::new();
        let mut open = self.addresses;
        loop {
            if self.peers {
                open.extend(export.absent());
            }
            let next: Vec<_> = open.difference(&asked).cloned().collect();
            if next.is_empty() {
                return export;
            }
            if asked.len() + next.len() > PROCESSES_MAX {
                export.notes.push(format!("More than {PROCESSES_MAX} processes: not all asked"));
                return export;
            }
            for (address, other) in join_all(next.iter().map(|next| fetch(runtime, next))).await {
                match other {
                    Ok(other) => export.merge(other),
                    Err(why) => export.notes.push(format!("No events of {address}: {why}")),
                }
            }
            asked.extend(next);
        }
    }
}

/// Why the events of a process cannot be had.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error("not an address")]
    Address,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("it answers {0}")]
    Status(http::StatusCode),
    #[error(transparent)]
    NotAnExport(#[from] NotAnExport),
    #[error("it does not answer in {}", duration::display(FETCH_WITHIN))]
    Late,
    #[error("it cannot be read")]
    Reader,
}

async fn fetch<'a>(runtime: &Runtime, address: &'a str) -> (&'a str, Result<Export, NotFetched>) {
    let fetched = tokio::time::timeout(FETCH_WITHIN, fetch_in_time(runtime, address)).await;
    (address, fetched.unwrap_or(Err(NotFetched::Late)))
}

async fn fetch_in_time(runtime: &Runtime, address: &str) -> Result<Export, NotFetched> {
    let (host, port) = address.rsplit_once(':').ok_or(NotFetched::Address)?;
    let port = port.parse().map_err(|_| NotFetched::Address)?;
    let url = Url::new(Scheme::Http, host, port, "/__trace__/export");
    let url = url.with_query([("format", "chrome")]);
    let response = client::get(runtime, url).await?;
    if response.status != http::StatusCode::OK {
        return Err(NotFetched::Status(response.status));
    }
    let Body::Bytes(document) = response.body else { return Err(NotFetched::Reader) };
    let read = move || chrome::read(&String::from_utf8_lossy(&document));
    Ok(runtime.blocking(read).await.ok_or(NotFetched::Reader)??)
}
