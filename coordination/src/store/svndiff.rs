//! Patches in Subversion's format svndiff, version 0: how a log keeps a large value that changes
//! a little. Called by the log's storage; pure.
//! A patch is a row of windows, each of which makes up to 100 KiB of the target from copies of a
//! view into the source, copies of what it made so far, and bytes of its own. Integers have seven
//! bits a byte, the highest first.
//! Upstream: `svn::diff`, `svn::patch` (libsvn's `svn_txdelta`).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// `SVN` and the version.
const HEADER: [u8; 4] = [b'S', b'V', b'N', 0];

/// The most that a window makes, and the most that it sees of the source.
const WINDOW: usize = 102_400;

/// The most instruction bytes that any window needs.
const INSTRUCTIONS_MAX: usize = WINDOW * 10;

/// Why a patch cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// It does not begin as a patch does, or is of a later version.
    #[error("Svndiff has invalid header")]
    Header,
    /// It ends too early. Upstream takes what there is.
    #[error("Unexpected end of svndiff input")]
    Truncated,
    /// A window is larger than any writer makes it.
    #[error("Svndiff contains a too-large window")]
    TooLarge,
    /// A window does not hold together, or does not fit the source.
    #[error("Svndiff contains corrupt window")]
    Corrupt,
}

/// The patch that makes `target` from `source`.
pub fn diff(source: &[u8], target: &[u8]) -> Bytes {
    let mut patch = BytesMut::new();
    patch.put_slice(&HEADER);
    let mut last_view = 0;
    for (at, window) in target.chunks(WINDOW).enumerate() {
        let offset = at * WINDOW;
        let shifted = (offset + source.len()).saturating_sub(target.len());
        // As far from the beginning as in the target, or as far from the end. Never backwards.
        let views = [offset, shifted].into_iter().filter(|view| *view >= last_view);
        let best = views.map(|view| View::new(source, view, window)).max_by_key(View::shared);
        let view = best.filter(|view| view.shared() > 0).unwrap_or_default();
        if view.length > 0 {
            last_view = view.offset;
        }
        view.write(window, &mut patch);
    }
    patch.freeze()
}

/// What a window has in common with a part of the source.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    offset: usize,
    length: usize,
    prefix: usize,
    suffix: usize,
}

impl View {
    fn new(source: &[u8], offset: usize, window: &[u8]) -> View {
        let view = source.get(offset..).unwrap_or_default();
        let view = &view[..view.len().min(window.len())];
        let same = |(left, right): &(&u8, &u8)| left == right;
        let prefix = view.iter().zip(window).take_while(same).count();
        let rest = view[prefix..].iter().rev().zip(window[prefix..].iter().rev());
        let suffix = rest.take_while(same).count();
        View { offset, length: view.len(), prefix, suffix }
    }

    fn shared(&self) -> usize {
        self.prefix + self.suffix
    }

    fn write(&self, window: &[u8], patch: &mut BytesMut) {
        let new = &window[self.prefix..window.len() - self.suffix];
        let mut instructions = BytesMut::new();
        if self.prefix > 0 {
            put_instruction(0, self.prefix, &mut instructions);
            put_integer(0, &mut instructions);
        }
        if !new.is_empty() {
            put_instruction(2, new.len(), &mut instructions);
        }
        if self.suffix > 0 {
            put_instruction(0, self.suffix, &mut instructions);
            put_integer(self.length - self.suffix, &mut instructions);
        }
        let header = [self.offset, self.length, window.len(), instructions.len(), new.len()];
        for number in header {
            put_integer(number, patch);
        }
        patch.put_slice(&instructions);
        patch.put_slice(new);
    }
}

fn put_instruction(operation: u8, length: usize, into: &mut BytesMut) {
    match u8::try_from(length) {
        Ok(length @ 1..64) => into.put_u8(operation << 6 | length),
        _ => {
            into.put_u8(operation << 6);
            put_integer(length, into);
        }
    }
}

fn put_integer(number: usize, into: &mut BytesMut) {
    let groups = (usize::BITS - number.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        into.put_u8((number >> (7 * group) & 0x7f) as u8 | more);
    }
}

/// What a patch makes of `source`.
///
/// # Errors
/// When it is no patch, or not one of this source.
pub fn patch(source: &[u8], mut diff: &[u8]) -> Result<Bytes, DiffError> {
    if diff.get(..HEADER.len()) != Some(&HEADER) {
        return Err(DiffError::Header);
    }
    diff.advance(HEADER.len());
    let mut target = BytesMut::new();
    while !diff.is_empty() {
        apply_window(source, &mut diff, &mut target)?;
    }
    Ok(target.freeze())
}

fn apply_window(source: &[u8], diff: &mut &[u8], target: &mut BytesMut) -> Result<(), DiffError> {
    let offset = take_integer(diff)?;
    let (view, length) = (take_integer(diff)?, take_integer(diff)?);
    let (instructions, new) = (take_integer(diff)?, take_integer(diff)?);
    if view > WINDOW || length > WINDOW || new > WINDOW || instructions > INSTRUCTIONS_MAX {
        return Err(DiffError::TooLarge);
    }
    let view = slice(source, offset, view)?;
    let mut instructions = take(diff, instructions)?;
    let mut new = take(diff, new)?;
    let start = target.len();
    while !instructions.is_empty() {
        let instruction = instructions.get_u8();
        let length = match usize::from(instruction & 0x3f) {
            0 => take_integer(&mut instructions)?,
            length => length,
        };
        if length == 0 || length > WINDOW - (target.len() - start) {
            return Err(DiffError::Corrupt);
        }
        match instruction >> 6 {
            0 => {
                let from = take_integer(&mut instructions)?;
                target.put_slice(slice(view, from, length)?);
            }
            1 => {
                let from = start.checked_add(take_integer(&mut instructions)?);
                let from = from.filter(|from| *from < target.len()).ok_or(DiffError::Corrupt)?;
                // Byte by byte: it may copy what it has just made.
                for at in from..from + length {
                    target.put_u8(target[at]);
                }
            }
            2 => target.put_slice(take(&mut new, length).map_err(|_| DiffError::Corrupt)?),
            _ => return Err(DiffError::Corrupt),
        }
    }
    let complete = target.len() - start == length && new.is_empty();
    if complete { Ok(()) } else { Err(DiffError::Corrupt) }
}

fn slice(bytes: &[u8], offset: usize, length: usize) -> Result<&[u8], DiffError> {
    let end = offset.checked_add(length).ok_or(DiffError::Corrupt)?;
    bytes.get(offset..end).ok_or(DiffError::Corrupt)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], DiffError> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(DiffError::Truncated)?;
    *bytes = rest;
    Ok(taken)
}

fn take_integer(bytes: &mut &[u8]) -> Result<usize, DiffError> {
    let mut number: usize = 0;
    loop {
        let byte = *take(bytes, 1)?.first().ok_or(DiffError::Truncated)?;
        if number > usize::MAX >> 7 {
            return Err(DiffError::Corrupt);
        }
        number = number << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn patches_of_libsvn_are_applied() {
        let check = |source: &str, diff: &str, expected: Result<&str, DiffError>| {
            let patched = patch(source.as_bytes(), &hex(diff));
            let expected = expected.map(|text| Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(patched, expected, "{diff}");
        };
        // Nothing, and the same again, as libsvn writes them.
        check("anything", "53564e00", Ok(""));
        check("hello world", "53564e00 00 0b 0b 02 00 0b 00", Ok("hello world"));
        // New bytes, a copy of the source, and a copy of the target that overlaps itself.
        check("hello", "53564e00 00 00 03 01 03 83 616263", Ok("abc"));
        check("hello", "53564e00 01 03 03 02 00 03 00", Ok("ell"));
        check("", "53564e00 00 00 07 03 02 82 45 00 6162", Ok("abababa"));

        check("", "", Err(DiffError::Header));
        check("", "53564e", Err(DiffError::Header));
        check("", "53564e02", Err(DiffError::Header));
        check("hello", "53564e00 00 00 03 01 03 83 6162", Err(DiffError::Truncated));
        check("hello", "53564e00 00 05", Err(DiffError::Truncated));
        check("hello", "53564e00 00 06 03 02 00 03 00", Err(DiffError::Corrupt));
        check("hello", "53564e00 00 03 03 02 00 03 01", Err(DiffError::Corrupt));
        check("hello", "53564e00 00 05 03 02 00 04 00", Err(DiffError::Corrupt));
        check("hello", "53564e00 00 00 03 01 04 83 61626364", Err(DiffError::Corrupt));
        check("", "53564e00 00 00 03 02 00 43 00", Err(DiffError::Corrupt));
        check("", "53564e00 00 00 03 02 00 c3 00", Err(DiffError::Corrupt));
        check("", "53564e00 00 00 86a001 01 00 80", Err(DiffError::TooLarge));
        check("", "53564e00 ffffffffffffffffffff", Err(DiffError::Corrupt));
    }

    #[test]
    fn what_is_shared_is_not_repeated() {
        let check = |source: &[u8], target: &[u8], size_max: usize| {
            let diff = diff(source, target);
            assert_eq!(patch(source, &diff).unwrap(), target);
            assert!(diff.len() <= size_max, "{} bytes", diff.len());
        };
        let large: Vec<u8> = (0..300_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        check(b"", b"", 4);
        check(b"hello world", b"hello world", 12);
        check(b"hello world", b"hello wide world", 22);
        // A change in the middle of a large value, bytes put in, bytes taken out.
        let mut changed = large.clone();
        changed[500_000] ^= 1;
        check(&large, &changed, 300);
        let inserted = [&large[..500_000], &[1; 200], &large[500_000..]].concat();
        check(&large, &inserted, 13_000);
        let removed = [&large[..500_000], &large[500_200..]].concat();
        check(&large, &removed, 13_000);
    }

    proptest! {
        #[test]
        fn a_diff_leads_from_source_to_target(
            source in proptest::collection::vec(0_u8..3, 0..300),
            target in proptest::collection::vec(0_u8..3, 0..300),
        ) {
            let diff = diff(&source, &target);
            prop_assert_eq!(patch(&source, &diff).unwrap(), target);
        }

        #[test]
        fn no_patch_ends_the_process(
            source in proptest::collection::vec(any::<u8>(), 0..50),
            body in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let _ = patch(&source, &[&HEADER[..], &body].concat());
        }
    }
}
