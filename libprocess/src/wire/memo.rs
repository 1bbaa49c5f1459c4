//! The heads of messages that came before on a connection, with what they mean: a peer says the
//! same few things all the time, and comparing is faster than reading.
//! Called by `decode.rs` before it reads a head, and after it has read one. Nothing here changes
//! what a head means: the same bytes have been read before.

use super::body::{Body, Coding, Framing};
use super::decode::{Item, Message};
use crate::pid;

/// How many heads are kept; as a rule there is one for each sender, target and name.
const HEADS: usize = 16;

/// The longest head that is kept, in bytes; with the number of them, what a connection may hold.
const HEAD_BYTES_MAX: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memo {
    heads: Vec<Known>,
    /// Where the last one was found: the next one is likely to be there or behind.
    last: usize,
    /// The one to be forgotten next.
    oldest: usize,
}

#[derive(Debug)]
struct Known {
    head: Box<[u8]>,
    /// Without its body.
    message: Message,
    framing: Framing,
    ends_connection: bool,
}

/// A head that was recognized.
pub(super) struct Found {
    /// Its length in bytes.
    pub(super) len: usize,
    pub(super) subject: Item,
    pub(super) body: Body,
    /// Nothing may follow on the connection.
    pub(super) last: bool,
}

impl Memo {
    /// Recognizes the head that `buf` starts with, if it came before.
    pub(super) fn find(&mut self, buf: &[u8]) -> Option<Found> {
        let count = self.heads.len();
        let from_last = (0..count).map(|step| (self.last + step) % count);
        let found = from_last.into_iter().find(|at| buf.starts_with(&self.heads[*at].head))?;
        if pid::logs_parsing() {
            // Reading it again writes the line.
            return None;
        }
        self.last = found;
        let known = &self.heads[found];
        Some(Found {
            len: known.head.len(),
            subject: Item::Message(known.message.clone()),
            body: Body::new(known.framing, Coding::Identity),
            last: known.ends_connection,
        })
    }

    /// Keeps a head that has just been read, if it is of the kind that comes again.
    pub(super) fn keep(&mut self, head: &[u8], subject: &Item, body: &Body, last: bool) {
        let (Item::Message(message), Some(framing)) = (subject, body.plain_framing()) else {
            return;
        };
        // One with a cause never comes again.
        if head.len() > HEAD_BYTES_MAX || message.cause.is_some() {
            return;
        }
        let message = message.clone();
        let known = Known { head: head.into(), message, framing, ends_connection: last };
        if self.heads.len() < HEADS {
            self.heads.push(known);
        } else {
            self.heads[self.oldest] = known;
            self.oldest = (self.oldest + 1) % HEADS;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::decode::Decoder;
    use super::super::encode::encode_message;
    use super::*;
    use crate::pid::{Address, Upid};

    fn message(number: usize) -> BytesMut {
        let upid = |id: String| Upid::new(id, Address::new([127, 0, 0, 1].into(), 5050));
        let (to, from) = (upid(format!("to({})", number / 5)), upid(format!("from({number})")));
        let mut out = BytesMut::new();
        encode_message(&to, "name", &from, &b"body"[..number % 5], &mut out);
        out
    }

    #[test]
    fn what_is_recognized_is_what_was_read() {
        let mut known = Decoder::new();
        // More than are kept, again and again.
        for number in (0..2 * HEADS).chain(0..HEADS).chain(0..2 * HEADS) {
            let (mut fresh, bytes) = (Decoder::new(), message(number));
            fresh.feed(&bytes);
            known.feed(&bytes);
            assert_eq!(known.decode(), fresh.decode(), "{number}");
            assert_eq!(known.decode(), Ok(None));
        }
    }

    #[test]
    fn a_long_head_is_not_kept() {
        let mut memo = Memo::default();
        let mut decoder = Decoder::new();
        decoder.feed(&message(7));
        let subject = decoder.decode().unwrap().unwrap();
        let body = || Body::new(Framing::Length(0), Coding::Identity);
        memo.keep(&[b'x'; HEAD_BYTES_MAX + 1], &subject, &body(), false);
        assert!(memo.find(&[b'x'; 2 * HEAD_BYTES_MAX]).is_none());
        memo.keep(&[b'x'; HEAD_BYTES_MAX], &subject, &body(), false);
        assert_eq!(memo.find(&[b'x'; 2 * HEAD_BYTES_MAX]).unwrap().len, HEAD_BYTES_MAX);
    }
}
