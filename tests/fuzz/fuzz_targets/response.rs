//! Whatever a server answers, and however it is cut into reads, the client's decoder gives the same
//! answers, and never panics. The last two bytes of the input say where to cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use libprocess::wire::response::{Decoder, Expected, Item, ResponseError};

/// What can be seen of a connection: heads as text, bodies put together, and how it ends.
fn decode(reads: &[&[u8]]) -> (Vec<String>, Vec<u8>, bool) {
    let (mut heads, mut body) = (Vec::new(), Vec::new());
    let mut note = |item: Item| match item {
        Item::Head(head) => heads.push(format!("{head:?}")),
        Item::Data(data) => {
            assert!(!data.is_empty());
            body.extend_from_slice(&data);
        }
        Item::End => body.push(0),
    };
    let mut decoder = Decoder::default();
    let mut run = || -> Result<(), ResponseError> {
        for read in reads {
            decoder.buffer().extend_from_slice(read);
            while let Some(item) = decoder.decode(Expected::Body)? {
                note(item);
            }
        }
        decoder.finish().map(|end| end.into_iter().for_each(&mut note))
    };
    let is_whole = run().is_ok();
    (heads, body, is_whole)
}

fuzz_target!(|input: &[u8]| {
    let Some((bytes, cut)) = input.split_last_chunk::<2>() else { return };
    let (head, tail) = bytes.split_at(usize::from(u16::from_le_bytes(*cut)) % (bytes.len() + 1));
    assert_eq!(decode(&[head, tail]), decode(&[bytes]));
});
