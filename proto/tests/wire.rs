//! Every message that upstream's daemons were recorded sending decodes into our types, is complete,
//! and encodes again to the same bytes. Run by cargo alone; the streams' framing is libprocess's
//! business, so the splitter here knows just what these recordings need.
//! Upstream: `MessageEncoder::encode`, which wrote the recordings.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use prost::Name;
use proto::initialized::Checker;
use proto::mesos::{internal, scheduler};

/// Decodes a body and encodes it again.
type RoundTrip = fn(&Bytes) -> Vec<u8>;

#[test]
fn recorded_messages_encode_again_to_the_same_bytes() {
    let round_trips = round_trips();
    let mut seen = 0;
    for entry in fs::read_dir("../tests/golden/wire").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "http") {
            continue;
        }
        for (name, body) in split(&fs::read(&path).unwrap()) {
            let round_trip = round_trips.get(&name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(round_trip(&body), body, "{name} in {}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 74);
}

fn round_trips() -> BTreeMap<String, RoundTrip> {
    fn entry<M: Name + Default>() -> (String, RoundTrip) {
        (M::full_name(), |body| {
            let decoded: M = Checker::of::<M>().decode(body.clone()).expect(M::NAME);
            decoded.encode_to_vec()
        })
    }
    BTreeMap::from([
        entry::<internal::ExecutorRegisteredMessage>(),
        entry::<internal::FrameworkRegisteredMessage>(),
        entry::<internal::PingSlaveMessage>(),
        entry::<internal::PongSlaveMessage>(),
        entry::<internal::RegisterExecutorMessage>(),
        entry::<internal::RegisterSlaveMessage>(),
        entry::<internal::ResourceOffersMessage>(),
        entry::<internal::RunTaskMessage>(),
        entry::<internal::ShutdownExecutorMessage>(),
        entry::<internal::ShutdownFrameworkMessage>(),
        entry::<internal::SlaveRegisteredMessage>(),
        entry::<internal::StatusUpdateAcknowledgementMessage>(),
        entry::<internal::StatusUpdateMessage>(),
        entry::<internal::UpdateSlaveMessage>(),
        entry::<scheduler::Call>(),
    ])
}

/// The names and bodies of a stream of messages.
fn split(mut stream: &[u8]) -> Vec<(String, Bytes)> {
    let mut messages = Vec::new();
    while !stream.is_empty() {
        let head = take_until(&mut stream, "\r\n\r\n");
        let path = head.split(' ').nth(1).expect("a request line");
        let (_, name) = path.rsplit_once('/').expect("an absolute path");
        let mut body = Vec::new();
        while head.contains("\r\nTransfer-Encoding: chunked") {
            let length = take_until(&mut stream, "\r\n");
            let length = usize::from_str_radix(length, 16).expect("a length in hex");
            body.extend(&stream[..length]);
            stream = stream[length..].strip_prefix(b"\r\n").expect("a chunk ends with its line");
            if length == 0 {
                break;
            }
        }
        messages.push((name.to_owned(), body.into()));
    }
    messages
}

fn take_until<'a>(stream: &mut &'a [u8], end: &str) -> &'a str {
    let is_end = |window: &[u8]| window == end.as_bytes();
    let at = stream.windows(end.len()).position(is_end).expect("a whole message");
    let (taken, rest) = stream.split_at(at);
    *stream = &rest[end.len()..];
    std::str::from_utf8(taken).expect("heads and lengths are text")
}
