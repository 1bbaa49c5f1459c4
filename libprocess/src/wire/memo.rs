//! The heads of messages that came before on a connection, with what they mean: a peer says the
//! same few things all the time, and comparing is faster than reading.
//! Called by `decode.rs` before it reads a head, and after it has read one. Nothing here changes
//! what a head means: the same bytes have been read before.

use super::body::{Body, Coding, Framing};
use super::decode::{Item, Message};
use crate::pid;
use crate::trace::Passed;

/// How many heads are kept; as a rule there is one for each sender, target and name.
const HEADS: usize = 16;

/// The longest head that is kept, in bytes; with the number of them, what a connection may hold.
const HEAD_BYTES_MAX: usize = 256;

/// How the line of a cause begins, as our own processes write it.
const CAUSE: &[u8] = b"Libprocess-Cause: ";

/// How long it is: 16 digits of an event, `;until=`, 10 digits of a moment and the line's end.
const CAUSE_LINE_BYTES: usize = CAUSE.len() + 16 + 7 + 10 + 2;

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
    /// Without the line of the cause.
    head: Box<[u8]>,
    /// Where that line has been left out.
    cause_at: Option<usize>,
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
        let mut from_last = (0..count).map(|step| (self.last + step) % count);
        let (found, len, cause) = from_last.find_map(|at| {
            let (len, cause) = self.heads[at].begins(buf)?;
            Some((at, len, cause))
        })?;
        if pid::logs_parsing() {
            // Reading it again writes the line.
            return None;
        }
        self.last = found;
        let known = &self.heads[found];
        Some(Found {
            len,
            subject: Item::Message(Message { cause, ..known.message.clone() }),
            body: Body::new(known.framing, Coding::Identity),
            last: known.ends_connection,
        })
    }

    /// Keeps a head that has just been read, if it is of the kind that comes again.
    pub(super) fn keep(&mut self, head: &[u8], subject: &Item, body: &Body, last: bool) {
        let (Item::Message(message), Some(framing)) = (subject, body.plain_framing()) else {
            return;
        };
        if head.len() > HEAD_BYTES_MAX {
            return;
        }
        // A cause never comes again, but for it the head may.
        let cause_at = message.cause.and_then(|_| memchr::memmem::find(head, CAUSE));
        if cause_at.is_none() && message.cause.is_some() {
            return;
        }
        let (before, rest) = head.split_at(cause_at.unwrap_or(0));
        let line = cause_at.and_then(|_| memchr::memchr(b'\n', rest)).map_or(0, |end| end + 1);
        let head = [before, &rest[line..]].concat().into();
        let message = Message { cause: None, ..message.clone() };
        let known = Known { head, cause_at, message, framing, ends_connection: last };
        if self.heads.len() < HEADS {
            self.heads.push(known);
        } else {
            self.heads[self.oldest] = known;
            self.oldest = (self.oldest + 1) % HEADS;
        }
    }
}

impl Known {
    /// If `buf` begins with this head, its length there, and the cause that stands in it.
    fn begins(&self, buf: &[u8]) -> Option<(usize, Option<Passed>)> {
        let Some(at) = self.cause_at else {
            return buf.starts_with(&self.head).then_some((self.head.len(), None));
        };
        let (before, after) = self.head.split_at(at);
        let line = buf.strip_prefix(before)?.get(..CAUSE_LINE_BYTES)?;
        let value = line.strip_prefix(CAUSE)?.strip_suffix(b"\r\n")?;
        let cause = Passed::parse(value)?;
        let is_all = buf[at + CAUSE_LINE_BYTES..].starts_with(after);
        is_all.then_some((self.head.len() + CAUSE_LINE_BYTES, Some(cause)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::decode::Decoder;
    use super::super::encode::{
        encode_field, encode_message, encode_message_body, encode_message_head,
    };
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
    fn only_the_cause_of_a_known_head_may_differ() {
        let upid = |id: &str| Upid::new(id, Address::new([127, 0, 0, 1].into(), 5050));
        let mut decoder = Decoder::new();
        for cause in ["", "00000000000000aa;until=1796304599", "00000000000000ab;until=1796304600"]
        {
            let mut out = BytesMut::new();
            encode_message_head(&upid("to"), "name", &upid("from"), &mut out);
            let passed = Passed::parse(cause.as_bytes());
            if let Some(passed) = passed {
                encode_field("Libprocess-Cause", &passed, &mut out);
            }
            encode_message_body(b"body", &mut out);
            // Read, and recognized.
            for _ in 0..2 {
                decoder.feed(&out);
                let Ok(Some(Item::Message(message))) = decoder.decode() else { unreachable!() };
                assert_eq!((message.cause, &message.body[..]), (passed, &b"body"[..]));
            }
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
