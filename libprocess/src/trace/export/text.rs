//! An export as a sequence diagram in plain text: a column for each actor, a line for each event,
//! an arrow from whoever sent it. Lines have numbers, and name the line of their cause.
//! Made for `curl` and `less -S`; never wraps.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use stout::duration;

use crate::clock::Time;
use crate::trace::Kind;
use crate::trace::export::{Export, Hop, address};

/// The width of a column, in characters.
const COLUMN: usize = 5;

/// The whole diagram.
pub(crate) fn write(export: &Export) -> String {
    let rows = rows(export);
    let columns = columns(&rows);
    let mut text = String::new();
    write_head(&mut text, export, &rows, &columns);
    let numbers: HashMap<_, _> =
        rows.iter().enumerate().map(|(at, row)| (row.hop.id, at + 1)).collect();
    let mut last = rows.first().map_or(0, |row| row.hop.began);
    for (at, row) in rows.iter().enumerate() {
        let hop = row.hop;
        let since = Duration::from_nanos(hop.began.saturating_sub(last));
        last = hop.began;
        let arrow = arrow(columns.get(&*hop.from), columns.get(&*hop.to), columns.len(), hop);
        let cause = row.cause.and_then(|cause| numbers.get(&cause.id));
        let cause = cause.map(|number| format!(" <- #{number}")).unwrap_or_default();
        let micros = since.as_nanos() as f64 / 1e3;
        push(&mut text, format_args!("{micros:>+14.3}us  {arrow}  #{}{cause}  ", at + 1));
        write_story(&mut text, hop);
    }
    text
}

/// An event that has a line, and what caused it.
struct Row<'a> {
    hop: &'a Hop,
    cause: Option<&'a Hop>,
}

/// All events but those sent whose arrival is there as well.
fn rows(export: &Export) -> Vec<Row<'_>> {
    let hops: HashMap<_, _> = export.hops.iter().map(|hop| (hop.id, hop)).collect();
    let is_arrival = |hop: &&Hop| hop.kind != Kind::Send;
    let arrived: HashSet<_> = export.hops.iter().filter(is_arrival).map(|hop| hop.cause).collect();
    let has_line = |hop: &&Hop| hop.kind != Kind::Send || !arrived.contains(&hop.id);
    let cause = |hop: &Hop| {
        let cause = hops.get(&hop.cause).copied()?;
        if has_line(&cause) { Some(cause) } else { hops.get(&cause.cause).copied() }
    };
    let hops = export.hops.iter().filter(has_line);
    hops.map(|hop| Row { hop, cause: cause(hop) }).collect()
}

/// The actors by pid, and their columns: those of one process side by side.
fn columns<'a>(rows: &[Row<'a>]) -> BTreeMap<&'a str, usize> {
    let mut actors = Vec::new();
    for hop in rows.iter().map(|row| row.hop) {
        let from = (hop.kind != Kind::Request).then_some(&*hop.from);
        actors.extend(from.into_iter().chain([&*hop.to]).filter(|actor| !actor.is_empty()));
    }
    actors.sort_by_key(|actor| (address(actor), *actor));
    actors.dedup();
    actors.into_iter().enumerate().map(|(column, actor)| (actor, column)).collect()
}

fn write_head(
    text: &mut String,
    export: &Export,
    rows: &[Row<'_>],
    columns: &BTreeMap<&str, usize>,
) {
    let start = rows.first().map_or(0, |row| row.hop.began);
    push(text, format_args!("{} events of {} actors", rows.len(), columns.len()));
    push(text, format_args!(", from {}\n", Time::from_epoch(Duration::from_nanos(start))));
    export.origins.iter().for_each(|origin| push(text, format_args!("  {origin}\n")));
    export.notes.iter().for_each(|note| push(text, format_args!("  {}\n", plain(note))));
    text.push('\n');
    let mut actors: Vec<_> = columns.iter().collect();
    actors.sort_by_key(|(_, column)| **column);
    for (actor, column) in actors {
        let line = bars(*column);
        push(text, format_args!("{:16}  {line}{}\n", "", plain(actor)));
    }
}

fn bars(count: usize) -> String {
    format!("|{:1$}", "", COLUMN - 1).repeat(count)
}

/// The columns with an arrow in them: `|    +--->|`. A lost event ends in an `x`.
fn arrow(from: Option<&usize>, to: Option<&usize>, count: usize, hop: &Hop) -> String {
    let mut cells: Vec<char> = bars(count).chars().collect();
    let Some(to) = to.map(|column| column * COLUMN) else { return cells.into_iter().collect() };
    let from = from.map_or(to, |column| column * COLUMN);
    cells[from.min(to)..from.max(to)].fill('-');
    cells[from] = '+';
    match to.cmp(&from) {
        std::cmp::Ordering::Greater => cells[to - 1] = '>',
        std::cmp::Ordering::Less => cells[to + 1] = '<',
        std::cmp::Ordering::Equal => {}
    }
    cells[to] = match (&hop.lost, from == to) {
        (Some(_), _) => 'x',
        (None, true) => 'o',
        (None, false) => '|',
    };
    cells.into_iter().collect()
}

fn write_story(text: &mut String, hop: &Hop) {
    push(
        text,
        format_args!(
            "{}{}{}",
            hop.kind,
            if hop.name.is_empty() { "" } else { " " },
            plain(&hop.name)
        ),
    );
    if hop.bytes > 0 {
        push(text, format_args!(", {} bytes", hop.bytes));
    }
    let show = |from: u64, to: u64| {
        duration::display(Duration::from_nanos(to.saturating_sub(from))).to_string()
    };
    if hop.kind != Kind::Send {
        push(text, format_args!(", waited {}", show(hop.queued, hop.began)));
    }
    match &hop.lost {
        Some(why) => push(text, format_args!(", lost: {why}")),
        None if hop.kind == Kind::Send => push(text, format_args!(", no record of its arrival")),
        None => push(text, format_args!(", ran {}", show(hop.began, hop.ended))),
    }
    text.push('\n');
}

/// The same text on one line, whatever a peer has put into it.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a string takes any text");
}
