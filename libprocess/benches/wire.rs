//! How fast messages pass the wire code: small ones, the greater part of a cluster's traffic, and
//! ones of 4 KiB. Run by `cargo bench -p libprocess`.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libprocess::pid::{Address, Upid};
use libprocess::wire::decode::Decoder;
use libprocess::wire::encode::encode_message;

/// Messages that arrive together, as they do on a busy connection.
const BATCH: u64 = 64;

fn encode(body: &[u8], out: &mut BytesMut) {
    let to = Upid::new("slave(1)", Address::new([10, 0, 0, 1].into(), 5051));
    let from = Upid::new("master", Address::new([10, 0, 0, 2].into(), 5050));
    for _ in 0..BATCH {
        encode_message(&to, "mesos.internal.PingSlaveMessage", &from, body, out);
    }
}

fn wire(criterion: &mut Criterion) {
    for (size, body) in [("small", vec![1; 2]), ("4k", vec![1; 4096])] {
        let mut group = criterion.benchmark_group(size);
        group.throughput(Throughput::Elements(BATCH));
        let mut out = BytesMut::new();
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(&body), &mut out);
            });
        });
        out.clear();
        encode(&body, &mut out);
        let mut decoder = Decoder::new();
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                decoder.feed(&out);
                while let Ok(Some(item)) = decoder.decode() {
                    black_box(item);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, wire);
criterion_main!(benches);
