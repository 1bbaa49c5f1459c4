//! The way of a response's body out: which files exist, what is worth compressing, and how a
//! stream of chunks is drawn.
//! Called by `http::server`. Files are read where that may block.
//!
//! Upstream: `HttpProxy::process` and `HttpResponseEncoder`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, Stream};
use http::{HeaderMap, header};
use tokio::sync::mpsc;

use crate::http::accept::accepts;
use crate::http::mime;

/// The smallest body that is compressed, in bytes. Upstream: `GZIP_MINIMUM_BODY_LENGTH`.
const GZIP_BODY_BYTES_MIN: usize = 1024;

/// How much of a file is read at a time, in bytes.
const FILE_CHUNK_BYTES: usize = 64 << 10;

/// How many pieces of a file wait for a slow client.
const FILE_CHUNKS_AHEAD: usize = 4;

/// Compresses `body` if it is long enough and `accept` lists gzip.
pub(crate) fn gzip(body: &Bytes, accept: Option<&str>) -> Option<Bytes> {
    if body.len() < GZIP_BODY_BYTES_MIN || !accept.is_some_and(takes_gzip) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    encoder.write_all(body).and_then(|()| encoder.finish()).ok().map(Bytes::from)
}

fn takes_gzip(field: &str) -> bool {
    accepts(field, &["gzip", "*"])
}

/// Opens a file to be served; none for a folder or where nothing is.
pub(crate) fn open(path: &Path) -> Option<(File, u64)> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some((file, metadata.len()))
}

/// Adds the `Content-Type` that belongs to the file's extension, unless there is one.
pub(crate) fn add_type(headers: &mut HeaderMap, path: &Path) {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if let Some(known) = extension.and_then(mime::of_extension) {
        let value = header::HeaderValue::from_static(known);
        headers.entry(header::CONTENT_TYPE).or_insert(value);
    }
}

/// The pieces of a file, read ahead of the client by a few; ends early, with the length short,
/// if the file cannot be read on.
pub(crate) fn pieces(
    mut file: File,
    path: PathBuf,
) -> impl Stream<Item = std::io::Result<Bytes>> + 'static {
    let (piece, pieces) = mpsc::channel(FILE_CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; FILE_CHUNK_BYTES];
            let read = file.read(&mut chunk);
            if let Err(error) = &read {
                tracing::warn!("Failed to read '{}': {error}", path.display());
            }
            let next = match read {
                Ok(0) => return,
                Ok(count) => {
                    chunk.truncate(count);
                    Ok(Bytes::from(chunk))
                }
                Err(error) => Err(error),
            };
            let is_last = next.is_err();
            // A client that has gone takes nothing more.
            if piece.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    });
    drawn(pieces)
}

/// A channel as a stream.
pub(crate) fn drawn<T>(channel: mpsc::Receiver<T>) -> impl Stream<Item = T> {
    stream::unfold(channel, |mut channel| async move {
        channel.recv().await.map(|item| (item, channel))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_long_bodies_and_clients_that_take_it() {
        let long = Bytes::from(vec![b'a'; GZIP_BODY_BYTES_MIN]);
        let check = |accept: &str, compressed: bool| {
            assert_eq!(gzip(&long, Some(accept)).is_some(), compressed, "{accept}");
        };
        check("gzip", true);
        check("gzip;q=0.5", true);
        check("deflate, *", true);
        check("gzip;q=0", false);
        check("gzip;q=0.0", false);
        check("deflate", false);
        assert!(gzip(&long.slice(1..), Some("gzip")).is_none());
        assert!(gzip(&long, None).is_none());
    }
}
