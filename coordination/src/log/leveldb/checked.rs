//! Whether bytes of LevelDB's files are as they were written. Called by `files`, since the library
//! ends a file in silence where it finds it damaged, and so would forget promises and writes.
//! Reads no file itself, and knows nothing of records.
//!
//! Upstream: `log::Reader` and `ReadBlock` of LevelDB 1.4, with `paranoid_checks`.

use std::io::{self, ErrorKind};

/// Somebody else has changed the file, or the disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged at byte {0}")]
pub(super) struct Damage(pub(super) u64);

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        io::Error::new(ErrorKind::InvalidData, damage)
    }
}

/// Logs and manifests are blocks of this size, which pieces of records fill up.
const BLOCK: usize = 32 * 1024;
/// Before each piece: checksum, length and kind.
const HEADER: usize = 4 + 2 + 1;
/// A whole record, its first piece, one in between, its last one.
const KINDS: std::ops::RangeInclusive<u8> = 1..=4;

/// How much of a log or manifest was written: all, or up to where a crash has cut it off.
pub(super) fn written(journal: &[u8]) -> Result<usize, Damage> {
    let mut at = 0;
    while at < journal.len() {
        match piece_end(journal, at) {
            // What is left of a block is no piece.
            Some(end) if BLOCK - end % BLOCK < HEADER => at = end.next_multiple_of(BLOCK),
            Some(end) => at = end,
            None if is_cut_off(journal, at) => return Ok(at),
            None => return Err(Damage(at as u64)),
        }
    }
    Ok(journal.len())
}

/// Where the piece at `at` ends, if it is whole.
fn piece_end(journal: &[u8], at: usize) -> Option<usize> {
    let end = claimed_end(journal, at)?;
    let body = journal.get(at + HEADER - 1..end)?;
    let fits = (end - 1) / BLOCK == at / BLOCK && KINDS.contains(&body[0]);
    (fits && has_checksum(body, journal[at..].first_chunk()?)).then_some(end)
}

/// Where the piece at `at` ends, if its length is right.
fn claimed_end(journal: &[u8], at: usize) -> Option<usize> {
    let length = journal.get(at + 4..)?.first_chunk()?;
    Some(at + HEADER + usize::from(u16::from_le_bytes(*length)))
}

/// Whether the piece at `at` was just being written: it goes on behind all that is there, and
/// nothing whole follows. Files may have been prolonged by zeros before they were written.
fn is_cut_off(journal: &[u8], at: usize) -> bool {
    let end = journal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    claimed_end(journal, at).is_none_or(|claimed| claimed > end)
        && (at + 1..end).all(|later| piece_end(journal, later).is_none())
}

/// The checksum behind a block of a table, and the way of compression before it.
pub(super) const TRAILER: usize = 1 + 4;

/// Whether the last bytes are the checksum of those before.
pub(super) fn is_block(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(block, checksum)| has_checksum(block, checksum))
}

/// The size of a table's last part, which tells where the others are and has no checksum.
pub(super) const FOOTER: usize = 48;

/// Whether a table of this size ends so: after the index of its filters and that of its blocks.
pub(super) fn is_footer(footer: &[u8; FOOTER], size: u64) -> bool {
    let mut handles = &footer[..];
    let mut number = || prost::encoding::decode_varint(&mut handles).unwrap_or(u64::MAX);
    let mut block_end = || (number(), number().saturating_add(TRAILER as u64));
    let ((filters, filters_size), (blocks, blocks_size)) = (block_end(), block_end());
    footer.ends_with(&0xdb47_7524_8b80_fb57_u64.to_le_bytes())
        && filters.checked_add(filters_size) == Some(blocks)
        && blocks.checked_add(blocks_size) == size.checked_sub(FOOTER as u64)
}

/// Checksums are kept rotated and shifted, since they may be summed up themselves.
fn has_checksum(bytes: &[u8], checksum: &[u8; 4]) -> bool {
    let masked = crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
    masked == u32::from_le_bytes(*checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(journal: &mut Vec<u8>, kind: u8, data: &[u8]) {
        let body = [&[kind], data].concat();
        let checksum = crc32c::crc32c(&body).rotate_right(15).wrapping_add(0xa282_ead8);
        journal.extend(checksum.to_le_bytes());
        journal.extend(u16::try_from(data.len()).expect("short").to_le_bytes());
        journal.extend(body);
    }

    /// Three records, the second of which crosses blocks; and where the pieces begin.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let (mut journal, mut starts) = (Vec::new(), Vec::new());
        let pieces = [(1, 100), (2, BLOCK - 2 * HEADER - 100 - 3), (4, 50), (1, 20)];
        for (kind, size) in pieces {
            if BLOCK - journal.len() % BLOCK < HEADER {
                journal.resize(BLOCK, 0);
            }
            starts.push(journal.len());
            put(&mut journal, kind, &vec![b'x'; size]);
        }
        (journal, starts)
    }

    #[test]
    fn a_journal_that_is_whole() {
        let (journal, starts) = journal();
        assert_eq!((starts[2], written(&journal)), (BLOCK, Ok(journal.len())));
        assert_eq!(written(&[]), Ok(0));
    }

    #[test]
    fn what_was_cut_off_was_not_written() {
        let (journal, starts) = journal();
        let last = starts[3];
        for end in last..journal.len() {
            let mut cut = journal[..end].to_vec();
            assert_eq!(written(&cut), Ok(last), "{end}");
            // As files are that were prolonged before.
            cut.resize(2 * BLOCK, 0);
            assert_eq!(written(&cut), Ok(last), "{end} and zeros");
        }
        assert_eq!(written(&journal[..BLOCK - 1]), Ok(BLOCK - 1), "within what fills a block up");
    }

    #[test]
    fn what_is_damaged_before_its_end_is_found() {
        let (journal, starts) = journal();
        for (start, next) in starts.iter().zip(&starts[1..]) {
            for at in [0, 3, 4, 5, 6, 7, 40] {
                let mut damaged = journal.clone();
                damaged[start + at] ^= 0x41;
                assert_eq!(written(&damaged), Err(Damage(*start as u64)), "{}", start + at);
            }
            let mut damaged = journal.clone();
            damaged[*start..*next].fill(0);
            assert_eq!(written(&damaged), Err(Damage(*start as u64)), "nothing at {start}");
        }
        let mut damaged = journal.clone();
        damaged[starts[3] + HEADER] ^= 1;
        assert_eq!(
            written(&damaged),
            Err(Damage(starts[3] as u64)),
            "a last record that is all there"
        );
    }
}
