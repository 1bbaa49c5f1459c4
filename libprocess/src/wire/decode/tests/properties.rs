//! What holds for the decoder whatever arrives: recorded messages survive it, the cuts between
//! reads do not matter, garbage does no harm.

use std::path::Path;

use bytes::BytesMut;
use proptest::prelude::*;

use super::transcript;
use crate::pid::{Address, Parsed, Upid};
use crate::wire::decode::{Decoder, Item, Message, Reply};
use crate::wire::encode::encode_message;

/// Each recorded conversation, by name.
fn golden() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/wire");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name.ends_with(".http"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "recordings are missing");
    files
}

#[test]
fn recorded_messages_decode_and_encode_to_the_same_bytes() {
    for (name, bytes) in golden() {
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        let mut encoded = BytesMut::new();
        while let Some(item) = decoder.decode().unwrap() {
            let Item::Message(message) = item else { panic!("{name}: {item:?}") };
            let Parsed::Upid(from) = message.from else { panic!("{name}: {:?}", message.from) };
            assert_eq!(message.reply, Reply::Silent, "{name}");
            let to = Upid::new(message.to_id, Address::ANY);
            encode_message(&to, &message.name, &from, &message.body, &mut encoded);
        }
        assert!(decoder.is_idle(), "{name}");
        assert_eq!(encoded.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{name}");
    }
}

#[test]
fn recorded_messages_split_anywhere_decode_the_same() {
    for (name, bytes) in golden() {
        let start = &bytes[..bytes.len().min(2000)];
        let whole = transcript(&[start]);
        for at in 0..start.len() {
            let (head, tail) = start.split_at(at);
            assert_eq!(transcript(&[head, tail]), whole, "{name} split at {at}");
        }
    }
}

/// Pieces of requests, so that random input gets past the first line.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "POST /a/b HTTP/1.1\r\n",
        "GET /c?d=%41 HTTP/1.0\r\n",
        "PUT http://h HTTP/1.1\n",
        "User-Agent: libprocess/x@1.2.3.4:5\r\n",
        "Libprocess-From: y@h:6\r\n",
        "\r\n",
        "\n",
        "\r",
        "Connection: keep-alive\r\n",
        "Connection: close\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\n",
        "Content-Encoding: gzip\r\n",
        "Upgrade: x\r\n",
        "5\r\n",
        "hello",
        "0\r\n",
        "A: b\r\n",
        "odd\r\n",
        ";",
        "%",
        " ",
        "/",
        "POST ",
        "HTTP/1.1",
        "\0",
        "\u{e9}",
    ]);
    let word = prop_oneof![
        12 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..16).prop_map(|words| words.concat())
}

/// Cuts `input` where `cuts` say.
fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    ends.push(input.len());
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, end)| &input[start..*end]).collect()
}

/// The transcript without the cause of the error: a cut may let an earlier cause show.
fn outline(mut transcript: Vec<String>) -> Vec<String> {
    if let Some(last) = transcript.last_mut().filter(|last| last.starts_with("error")) {
        last.truncate("error".len());
    }
    transcript
}

proptest! {
    #[test]
    fn requests_split_anywhere_decode_the_same(
        input in fragments(), cuts: Vec<prop::sample::Index>,
    ) {
        let whole = outline(transcript(&[&input]));
        prop_assert_eq!(outline(transcript(&cut(&input, &cuts))), whole);
    }

    #[test]
    fn garbage_never_panics(input: Vec<u8>) {
        transcript(&[&input]);
    }

    #[test]
    fn messages_survive_the_wire(
        id in "[a-z0-9()_-]{0,12}", name in "[A-Za-z.]{1,30}", from in "[a-z0-9()-]{0,12}",
        ip: [u8; 4], port: u16, body: Vec<u8>,
    ) {
        prop_assume!(!id.is_empty());
        let from = Upid::new(from, Address::new(ip.into(), port));
        let to = Upid::new(id, Address::ANY);
        let mut decoder = Decoder::new();
        encode_message(&to, &name, &from, &body, decoder.buffer());
        let expected = Message {
            to_id: to.id,
            name: name.into(),
            from: Parsed::Upid(from),
            body: body.into(),
            cause: None,
            reply: Reply::Silent,
        };
        prop_assert_eq!(decoder.decode(), Ok(Some(Item::Message(expected))));
        prop_assert!(decoder.is_idle());
    }
}
