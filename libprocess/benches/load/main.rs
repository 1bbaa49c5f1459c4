//! Loads on whole runtimes, one of which is named on the command line; each prints its figures as
//! `<figure>: <number>`. Run by `cargo xtask bench ping-pong`, `links`, `spawn`,
//! `trace` and `soak`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod links;
mod ping_pong;
mod remote;
mod soak;
mod spawn;
mod trace;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_asked_for = |name: &str| arguments.iter().any(|argument| argument == name);
    if is_asked_for(remote::SERVE) {
        remote::serve();
    } else if is_asked_for("links") {
        links::run();
    } else if is_asked_for("spawn") {
        spawn::run();
    } else if is_asked_for("trace") {
        trace::run();
    } else if is_asked_for("soak") {
        let seconds = arguments.iter().find_map(|argument| argument.parse().ok());
        soak::run(seconds.unwrap_or(60));
    } else {
        ping_pong::run();
    }
}
