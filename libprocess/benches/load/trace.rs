//! What it costs to record all events: processor time for a round trip between two processes, with
//! and without, in turns.

use std::time::Duration;

use libprocess::Runtime;
use libprocess::http::Request;
use libprocess::testing::wait;

use crate::ping_pong::Load;
use crate::remote::{Remote, processor_time, start};

/// How often each is measured; the median counts.
const TURNS: usize = 9;

/// How many round trips are measured at a time.
const ROUND_TRIPS: u64 = 1_000_000;

/// How long the other process, which follows this one, goes on recording after the start.
const RECORDED: Duration = Duration::from_secs(5);

/// Prints how much more a round trip takes while all events are recorded, in percent.
pub(crate) fn run() {
    let (runtime, (remote, server)) = (start(), Remote::start());
    let load = Load::new(&runtime, &server, 8, 10);
    let processes = [std::process::id(), remote.id()];
    let spent = || processes.into_iter().map(processor_time).sum::<Duration>();
    let cost = || {
        let before = spent();
        load.round(ROUND_TRIPS);
        (spent() - before).as_secs_f64()
    };
    load.round(ROUND_TRIPS);
    let mut ratios: Vec<_> = (0..TURNS)
        .map(|_| {
            let off = cost();
            ask(&runtime, "start", &[("duration", "5secs")]);
            let on = cost();
            ask(&runtime, "stop", &[]);
            // Rounded up to whole seconds on its way to the other process.
            std::thread::sleep(RECORDED + Duration::from_secs(1));
            100.0 * (on / off - 1.0)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("recording_all_events_costs_percent: {:.1}", ratios[TURNS / 2]);
}

fn ask(runtime: &Runtime, what: &str, query: &[(&str, &str)]) {
    let pairs = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let path = format!("/__trace__/{what}");
    let request = Request { path, query: pairs.collect(), ..Request::default() };
    assert!(wait(runtime.request(request)).status.is_success());
}
