//! What a log call costs: a verbose site that is off, and a line that is written (to /dev/null).

use std::fs::File;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use libprocess::logging::{self, Config};

fn lines(criterion: &mut Criterion) {
    let null = File::options().write(true).open("/dev/null").expect("every system has it");
    nix::unistd::dup2_stderr(&null).expect("stderr can be replaced");
    logging::init(&Config::default(), "bench", |_| None).expect("the first call succeeds");

    criterion.bench_function("vlog that is off", |bencher| {
        bencher.iter(|| libprocess::vlog!(1, "Resuming {}", black_box("master@127.0.0.1:5050")));
    });
    criterion.bench_function("info line to stderr", |bencher| {
        bencher.iter(|| tracing::info!("Launching task {} on {}", black_box(7), black_box("S1")));
    });
}

criterion_group!(benches, lines);
criterion_main!(benches);
