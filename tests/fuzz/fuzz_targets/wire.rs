//! Whatever arrives on a connection, and however it is cut into reads, the decoder gives the same
//! items, and never panics. The last two bytes of the input say where to cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use libprocess::wire::decode::{Decoder, Item};

/// All items of a connection, and whether it ended in an error.
fn decode(reads: &[&[u8]]) -> (Vec<Item>, bool) {
    let mut decoder = Decoder::new();
    let mut items = Vec::new();
    for read in reads {
        decoder.feed(read);
        loop {
            match decoder.decode() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(_) => return (items, true),
            }
        }
    }
    (items, false)
}

fuzz_target!(|input: &[u8]| {
    let Some((bytes, cut)) = input.split_last_chunk::<2>() else { return };
    let (head, tail) = bytes.split_at(usize::from(u16::from_le_bytes(*cut)) % (bytes.len() + 1));
    assert_eq!(decode(&[head, tail]), decode(&[bytes]));
});
