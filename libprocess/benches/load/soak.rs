//! Connections that come, stall half-way through a request and go, a thousand a second, beside a
//! ping-pong with the same server: what becomes of its rate, of the server's memory and of its
//! file descriptors.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libprocess::Address;
use socket2::SockRef;

use crate::ping_pong::Load;
use crate::remote::{Remote, descriptors, lift_the_limit_of_descriptors, memory, start};

const PER_SECOND: u32 = 1_000;

/// How many stall at a time.
const STALLED: usize = 1_000;

/// Round trips between two looks at the clock.
const ROUND: u64 = 40_000;

/// What a peer may have said when it stalls, from nothing to all but the last byte.
const HALVES: [&[u8]; 6] = [
    b"",
    b"POST /serv",
    b"POST /server/ping HTTP/1.1\r\nLibprocess-From: stalled@127.0.0.1:1\r\n",
    b"POST /server/ping HTTP/1.1\r\nLibprocess-From: stalled@127.0.0.1:1\r\n\
      Transfer-Encoding: chunked\r\n\r\nfff\r\nhalf a body",
    b"GET /metrics/snapshot HTTP/1.1\r\nHost: x\r\n",
    b"POST /server/ping HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
];

/// Opens and drops connections until told to stop; gives their number.
fn churn(server: Address, stop: &AtomicBool) -> u64 {
    let mut stalled = VecDeque::new();
    let (begin, mut count) = (Instant::now(), 0_u32);
    while !stop.load(Ordering::Relaxed) {
        let due = begin + Duration::from_secs(1) * count / PER_SECOND;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut stream = TcpStream::connect((server.ip, server.port)).expect("the server listens");
        stream.write_all(HALVES[count as usize % HALVES.len()]).expect("nobody closes so early");
        if count.is_multiple_of(3) {
            // Ends with a reset instead of an orderly end.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        stalled.push_back(stream);
        if stalled.len() > STALLED {
            stalled.pop_front();
        }
        count += 1;
    }
    u64::from(count)
}

/// Plays for so long; gives the round trips per second.
fn play(load: &Load, period: Duration) -> f64 {
    let (begin, mut rounds) = (Instant::now(), 0);
    while begin.elapsed() < period {
        load.round(ROUND);
        rounds += 1;
    }
    (rounds * ROUND) as f64 / begin.elapsed().as_secs_f64()
}

pub(crate) fn run(seconds: u64) {
    lift_the_limit_of_descriptors();
    let runtime = start();
    let (remote, server) = Remote::start();
    let load = Load::new(&runtime, &server, 8, 10);
    let figures = |when: &str| {
        println!("server_kilobytes_{when}: {}", memory(remote.id()) / 1024);
        println!("server_descriptors_{when}: {}", descriptors(remote.id()));
    };
    println!("round_trips_per_second_alone: {:.0}", play(&load, Duration::from_secs(5)));
    figures("before");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let churning = scope.spawn(|| churn(server.address, &stop));
        let end = Instant::now() + Duration::from_secs(seconds);
        let period = Duration::from_secs((seconds / 10).clamp(1, 30));
        let (mut least, mut rates) = (f64::INFINITY, Vec::new());
        while Instant::now() < end {
            let rate = play(&load, period);
            println!(
                "beside: {rate:.0} round trips a second, {} kilobytes, {} descriptors",
                memory(remote.id()) / 1024,
                descriptors(remote.id())
            );
            least = least.min(rate);
            rates.push(rate);
        }
        stop.store(true, Ordering::Relaxed);
        let count = churning.join().expect("it only opens connections");
        println!("connections_that_came_and_went: {count}");
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        println!("round_trips_per_second_beside: {mean:.0}");
        println!("round_trips_per_second_beside_at_least: {least:.0}");
    });
    // The server has seen the ends of all when it has played once more.
    println!("round_trips_per_second_after: {:.0}", play(&load, Duration::from_secs(2)));
    figures("after");
}
