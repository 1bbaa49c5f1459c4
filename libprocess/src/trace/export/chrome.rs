//! An export as JSON that Chrome's `about:tracing` and Perfetto open: a process for each of ours,
//! a track for each actor, a slice for each handler, and a flow from each cause to its effect.
//! What those programs do not need lies in `args` and `otherData`, so that [`read`] gives back the
//! whole export: it is also how one process hands its trace to another, and what the HTML page
//! reads.
//!
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU> is the format.

use std::collections::HashMap;

use serde_json::Value;
use stout::json::{self, Array, Object};

use crate::trace::export::{Export, Hop, Origin};
use crate::trace::{EventId, Kind};

/// The shortest slice, in microseconds: a flow cannot be tied to nothing.
const SLICE_MICROS_MIN: f64 = 0.1;

/// Where an actor is shown: process and track, both counted from 1.
type Place = (usize, usize);

/// The whole export.
pub(crate) fn write(export: &Export) -> Vec<u8> {
    let start = export.hops.iter().map(|hop| hop.queued.min(hop.began)).min().unwrap_or_default();
    json::object(|document| {
        document.field("displayTimeUnit", "ns");
        document.object("otherData", |data| {
            data.field("start_nanos", start);
            data.array("origins", |list| {
                export.origins.iter().for_each(|origin| write_origin(list, origin));
            });
            data.field("notes", &export.notes);
        });
        document.array("traceEvents", |events| {
            let places = write_places(export, events);
            let hops: HashMap<_, _> = export.hops.iter().map(|hop| (hop.id, hop)).collect();
            for hop in &export.hops {
                let Some(place) = places.get(hop.actor()) else { continue };
                write_slice(events, hop, *place, start);
                let cause = hops.get(&hop.cause).copied();
                let from = cause.and_then(|cause| Some((cause, *places.get(cause.actor())?)));
                if let Some(from) = from {
                    write_flow(events, from, (hop, *place), start);
                }
            }
        });
    })
}

fn write_origin(list: &mut Array<'_>, origin: &Origin) {
    list.object(|shown| {
        shown.field("address", &origin.address);
        shown.field("host", &origin.host);
        shown.field("program", &origin.program);
        shown.field("pid", origin.pid);
    });
}

/// Names all processes and tracks.
fn write_places<'a>(export: &'a Export, events: &mut Array<'_>) -> HashMap<&'a str, Place> {
    let mut places = HashMap::new();
    for (process, (address, actors)) in export.lanes().into_iter().enumerate() {
        let origin = export.origins.iter().find(|origin| origin.address == address);
        let name = origin.map_or_else(|| address.to_owned(), ToString::to_string);
        write_name(events, "process_name", (process + 1, 0), &name);
        for (track, actor) in actors.into_iter().enumerate() {
            let id = actor.rsplit_once('@').map_or(actor, |(id, _)| id);
            write_name(events, "thread_name", (process + 1, track + 1), id);
            places.insert(actor, (process + 1, track + 1));
        }
    }
    places
}

fn write_name(events: &mut Array<'_>, what: &str, place: Place, name: &str) {
    events.object(|event| {
        event.field("name", what);
        write_phase(event, "M", place);
        event.object("args", |arguments| arguments.field("name", name));
    });
}

fn write_phase(event: &mut Object<'_>, phase: &str, (process, track): Place) {
    event.field("ph", phase);
    event.field("pid", process);
    event.field("tid", track);
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

fn write_slice(events: &mut Array<'_>, hop: &Hop, place: Place, start: u64) {
    events.object(|event| {
        event.field("name", &hop.name);
        event.field("cat", hop.kind.to_string());
        write_phase(event, "X", place);
        event.field("ts", micros(hop.began.saturating_sub(start)));
        event.field("dur", micros(hop.ended.saturating_sub(hop.began)).max(SLICE_MICROS_MIN));
        event.object("args", |arguments| {
            arguments.field("id", hop.id.to_string());
            if !hop.cause.is_none() {
                arguments.field("cause", hop.cause.to_string());
            }
            arguments.field("from", &hop.from);
            arguments.field("to", &hop.to);
            arguments.field("bytes", hop.bytes);
            if let Some(why) = &hop.lost {
                arguments.field("lost", why);
            }
            arguments.field("queued_nanos", hop.queued);
            arguments.field("began_nanos", hop.began);
            arguments.field("ended_nanos", hop.ended);
        });
    });
}

/// From where the cause was at work when the effect was queued to where the effect began.
fn write_flow(
    events: &mut Array<'_>,
    (cause, from): (&Hop, Place),
    (effect, to): (&Hop, Place),
    start: u64,
) {
    let left = effect.queued.clamp(cause.began, cause.ended.max(cause.began));
    for (phase, place, at) in [("s", from, left), ("f", to, effect.began)] {
        events.object(|event| {
            event.field("name", "causes");
            event.field("cat", "cause");
            write_phase(event, phase, place);
            event.field("id", effect.id.to_string());
            event.field("ts", micros(at.saturating_sub(start)));
            if phase == "f" {
                event.field("bp", "e");
            }
        });
    }
}

/// Why a document is no export of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnExport {
    /// It is no JSON.
    #[error("not JSON: {0}")]
    Json(#[from] json::ParseError),
    /// Something is missing or of another kind.
    #[error("{0} is missing or malformed")]
    Member(&'static str),
}

/// Reads what [`write`] wrote, here or in another process.
pub(crate) fn read(document: &str) -> Result<Export, NotAnExport> {
    let document = json::parse(document)?;
    let list = |name: &'static str, value: &Value| {
        value.as_array().cloned().ok_or(NotAnExport::Member(name))
    };
    let origins = list("origins", &document["otherData"]["origins"])?;
    let notes = list("notes", &document["otherData"]["notes"])?;
    let events = list("traceEvents", &document["traceEvents"])?;
    let mut export = Export {
        origins: origins.iter().map(read_origin).collect::<Result<_, _>>()?,
        hops: events
            .iter()
            .filter(|event| event["ph"] == "X")
            .map(read_hop)
            .collect::<Result<_, _>>()?,
        notes: notes.iter().filter_map(|note| note.as_str().map(str::to_owned)).collect(),
    };
    export.complete();
    Ok(export)
}

fn text(value: &Value, name: &'static str) -> Result<String, NotAnExport> {
    value[name].as_str().map(str::to_owned).ok_or(NotAnExport::Member(name))
}

fn number(value: &Value, name: &'static str) -> Result<u64, NotAnExport> {
    value[name].as_u64().ok_or(NotAnExport::Member(name))
}

fn id(value: &Value, name: &'static str) -> Result<EventId, NotAnExport> {
    text(value, name)?.parse().map_err(|_| NotAnExport::Member(name))
}

fn read_origin(origin: &Value) -> Result<Origin, NotAnExport> {
    let pid = u32::try_from(number(origin, "pid")?).map_err(|_| NotAnExport::Member("pid"))?;
    Ok(Origin {
        address: text(origin, "address")?,
        host: text(origin, "host")?,
        program: text(origin, "program")?,
        pid,
    })
}

fn read_hop(event: &Value) -> Result<Hop, NotAnExport> {
    let arguments = &event["args"];
    let cause = match &arguments["cause"] {
        Value::Null => EventId::NONE,
        _ => id(arguments, "cause")?,
    };
    Ok(Hop {
        id: id(arguments, "id")?,
        cause,
        kind: Kind::named(&text(event, "cat")?).ok_or(NotAnExport::Member("cat"))?,
        lost: arguments["lost"].as_str().map(str::to_owned),
        from: text(arguments, "from")?,
        to: text(arguments, "to")?,
        name: text(event, "name")?,
        bytes: number(arguments, "bytes")?,
        queued: number(arguments, "queued_nanos")?,
        began: number(arguments, "began_nanos")?,
        ended: number(arguments, "ended_nanos")?,
    })
}
