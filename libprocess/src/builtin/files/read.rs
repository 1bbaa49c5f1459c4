//! A piece of a file as JSON: `{"data":"…","offset":…}`.
//! Called by `/files/read`, where it may block. Never gives more than 16 pages at a time.
//!
//! Upstream: `FilesProcess::read`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use stout::json;
use stout::number::{NotANumber, numify};

use crate::http::Response;

/// The most that one answer holds, in pages. Upstream: `sysconf(_SC_PAGE_SIZE) * 16`.
const PAGES_MAX: u64 = 16;

/// Which piece is asked for; `-1`, upstream's word for "not said", counts as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Where it begins; none asks for the size alone.
    offset: Option<u64>,
    /// How long it is; up to the end if absent.
    length: Option<u64>,
}

/// Why no piece can be made out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRange {
    #[error("Failed to parse offset: {0}")]
    Offset(NotANumber),
    #[error("Failed to parse length: {0}")]
    Length(NotANumber),
    #[error("Negative {what} provided: {value}")]
    Negative { what: &'static str, value: i64 },
}

impl Range {
    pub(super) fn of(query: &BTreeMap<String, String>) -> Result<Self, BadRange> {
        let number = |what: &'static str, bad: fn(NotANumber) -> BadRange| {
            let Some(text) = query.get(what) else { return Ok(None) };
            match numify::<i64>(text).map_err(bad)? {
                -1 => Ok(None),
                value => {
                    u64::try_from(value).map(Some).map_err(|_| BadRange::Negative { what, value })
                }
            }
        };
        let offset = number("offset", BadRange::Offset)?;
        let length = number("length", BadRange::Length)?;
        Ok(Self { offset, length })
    }
}

/// The piece of the file at `path`, which is canonical.
pub(super) fn read(path: &Path, range: Range, jsonp: Option<&str>) -> Response {
    match read_piece(path, range) {
        Ok((offset, data)) => {
            let piece = json::object(|piece| {
                piece.field_with("data", |slot| slot.bytes(&data));
                piece.field("offset", offset);
            });
            Response::json(piece, jsonp)
        }
        Err(error) => {
            let why = format!("Failed to open file at '{}': {error}", path.display());
            tracing::warn!("{why}");
            Response::internal_server_error_with(format!("{why}.\n"))
        }
    }
}

fn read_piece(path: &Path, range: Range) -> io::Result<(u64, Vec<u8>)> {
    // Without waiting for the writer of a named pipe, nor following a link put there meanwhile.
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let size = file.metadata()?.len();
    let offset = range.offset.unwrap_or(size);
    if offset >= size {
        return Ok((size, Vec::new()));
    }
    let length = range.length.unwrap_or(size - offset).min(bytes_max());
    Ok((offset, read_at(&file, offset, usize::try_from(length).unwrap_or(usize::MAX))?))
}

fn bytes_max() -> u64 {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    page.and_then(|page| u64::try_from(page).ok()).unwrap_or(4096) * PAGES_MAX
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut data[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_from_the_query() {
        let check = |pairs: &[(&str, &str)], expected: Result<(Option<u64>, Option<u64>), &str>| {
            let query = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            let range = Range::of(&query).map(|range| (range.offset, range.length));
            assert_eq!(range.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check(&[], Ok((None, None)));
        check(&[("offset", "-1"), ("length", "-1")], Ok((None, None)));
        check(&[("offset", "3"), ("length", "0")], Ok((Some(3), Some(0))));
        check(
            &[("offset", "hello")],
            Err("Failed to parse offset: Failed to convert 'hello' to number"),
        );
        check(&[("length", "")], Err("Failed to parse length: Failed to convert '' to number"));
        check(&[("length", "-2")], Err("Negative length provided: -2"));
        check(&[("offset", "-2")], Err("Negative offset provided: -2"));
    }
}
