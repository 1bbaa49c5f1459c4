//! Are all required fields there? Asked of the encoded bytes, since prost's types cannot tell an
//! absent required field from a zero. Called once for everything that comes from outside: by
//! message handlers, the HTTP APIs, and readers of checkpoints and of the registry.
//! Never changes or keeps a body, and reads no text: UTF-8 is prost's business.
//!
//! Upstream: `Message::IsInitialized`, `Message::InitializationErrorString`.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Name;

use self::wire::{Reader, Value};

mod wire;

/// How deep messages may nest below the outermost one; prost's own limit.
const MAX_DEPTH: u32 = 100;

/// After this many missing fields the search ends, so that a small body makes no huge report.
const MAX_MISSING: usize = 1000;

/// Why a body is not taken for a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// Required fields are absent, or hold enum values that we do not know. Full paths, such as
    /// `slave.hostname` or `tasks[0].task_id`; printed as upstream prints them.
    #[error("{}", .0.join(", "))]
    MissingFields(Vec<String>),
    /// The bytes are no message of this type at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What is wrong with bytes that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside of a number, a text or a message.
    #[error("truncated")]
    Truncated,
    /// A number is longer than ten bytes or larger than 64 bits.
    #[error("overlong varint")]
    OverlongVarint,
    /// A field number is 0 or too large, or a wire type does not exist.
    #[error("bad field key {0}")]
    BadKey(u64),
    /// A field of the schema is encoded in a way that its type does not have.
    #[error("field {0} has the wrong wire type")]
    WrongWireType(u32),
    /// The end of a group that did not begin.
    #[error("unexpected end of group {0}")]
    UnexpectedEndGroup(u32),
    /// More than 100 messages inside of each other.
    #[error("nested too deeply")]
    TooDeep,
    /// A text is not UTF-8; found by [`Checker::decode`] alone.
    #[error("text that is not UTF-8")]
    NotUtf8,
}

/// Checks bodies of one message type. Look it up once, it is as cheap as a reference.
#[derive(Debug, Clone, Copy)]
pub struct Checker(&'static Message);

/// The checker of the message of this full name, such as `mesos.internal.StatusUpdate`.
pub fn checker(full_name: &str) -> Option<Checker> {
    let index = MESSAGES.binary_search_by_key(&full_name, |message| message.name).ok()?;
    Some(Checker(&MESSAGES[index]))
}

/// Tells which required fields a body lacks.
pub type Check = Box<dyn Fn(&[u8]) -> Result<(), Vec<String>> + Send + Sync>;

/// The check of a message type as an actor runtime takes it, in types of the standard library
/// only; `None` for a type that is not ours. Malformed bytes pass: decoding finds them.
pub fn schema(full_name: &str) -> Option<Check> {
    let checker = checker(full_name)?;
    Some(Box::new(move |body| match checker.check(body) {
        Err(Incomplete::MissingFields(missing)) => Err(missing),
        Ok(()) | Err(Incomplete::Malformed(_)) => Ok(()),
    }))
}

impl Checker {
    /// The checker of a type of this crate.
    ///
    /// # Panics
    /// If `M` is a message of another crate.
    pub fn of<M: Name>() -> Self {
        checker(&M::full_name()).expect("each message of this crate has a table")
    }

    /// The full name of the checked message.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Succeeds if `body` is well-formed and holds every required field at every level.
    ///
    /// A field counts if any occurrence has it, as occurrences of one message are merged. Of a
    /// required enum the last occurrence counts, so that what prost keeps is always a known value.
    ///
    /// # Errors
    /// The missing fields in upstream's order, or what is malformed.
    pub fn check(&self, body: &[u8]) -> Result<(), Incomplete> {
        if is_complete(self.0, body, MAX_DEPTH)? {
            return Ok(());
        }
        let mut missing = Vec::new();
        collect_missing(self.0, &[body], "", MAX_DEPTH, &mut missing)?;
        if missing.is_empty() { Ok(()) } else { Err(Incomplete::MissingFields(missing)) }
    }

    /// [`Self::check`], then prost's decoding into `M`, which must be the checked type.
    ///
    /// # Errors
    /// As [`Self::check`]; text that is not UTF-8 besides.
    pub fn decode<M: Name + Default>(&self, body: Bytes) -> Result<M, Incomplete> {
        debug_assert_eq!(self.0.name, M::full_name());
        self.check(&body)?;
        M::decode(body).map_err(|_| Malformed::NotUtf8.into())
    }
}

/// The good path: every occurrence of a message is complete by itself. Allocates nothing.
fn is_complete(message: &Message, body: &[u8], depth: u32) -> Result<bool, Malformed> {
    let mut complete = true;
    let mut absent = message.all_required();
    let mut reader = Reader::new(body);
    while let Some((_, field, value)) = reader.next_known(message, depth)? {
        absent = field.mark(absent, &value);
        if let Value::Message(inner, inner_body) = value {
            complete &= is_complete(inner, inner_body, depth - 1)?;
        }
    }
    Ok(complete && absent == 0)
}

/// The exact answer, about a message that came in `parts` to be merged: first its own missing
/// fields as declared, then those of its members by field number.
fn collect_missing(
    message: &Message,
    parts: &[&[u8]],
    path: &str,
    depth: u32,
    missing: &mut Vec<String>,
) -> Result<(), Malformed> {
    let mut absent = message.all_required();
    let mut members: BTreeMap<u32, Member<'_>> = BTreeMap::new();
    for part in parts {
        let mut reader = Reader::new(part);
        while let Some((number, field, value)) = reader.next_known(message, depth)? {
            absent = field.mark(absent, &value);
            if let Value::Message(inner, body) = value {
                let new = || Member { field, message: inner, occurrences: Vec::new() };
                members.entry(number).or_insert_with(new).add(body);
            }
        }
    }
    for (bit, name) in message.required.iter().enumerate() {
        if absent & (1 << bit) != 0 {
            missing.push(format!("{path}{name}"));
        }
    }
    for member in members.values() {
        for (index, occurrence) in member.occurrences.iter().enumerate() {
            if missing.len() >= MAX_MISSING {
                return Ok(());
            }
            let inner_path = match (member.field.repeated, member.field.name) {
                (true, name) => format!("{path}{name}[{index}]."),
                (false, name) => format!("{path}{name}."),
            };
            collect_missing(member.message, occurrence, &inner_path, depth - 1, missing)?;
        }
    }
    Ok(())
}

/// A message-typed field with all that came of it: of a repeated one each element, of a
/// singular one a single element in parts.
struct Member<'a> {
    field: &'static Field,
    message: &'static Message,
    occurrences: Vec<Vec<&'a [u8]>>,
}

impl<'a> Member<'a> {
    fn add(&mut self, body: &'a [u8]) {
        match self.occurrences.first_mut() {
            Some(merged) if !self.field.repeated => merged.push(body),
            _ => self.occurrences.push(vec![body]),
        }
    }
}

/// What the walk needs to know of a message. `required` is in the order of declaration.
#[derive(Debug)]
struct Message {
    name: &'static str,
    required: &'static [&'static str],
    by_number: &'static [Option<Field>],
}

impl Message {
    /// A set bit for each required field.
    fn all_required(&self) -> u64 {
        u64::MAX.checked_shr(64 - self.required.len() as u32).unwrap_or(0)
    }
}

/// What the walk needs to know of a field. `required` is its index among the required ones.
#[derive(Debug)]
struct Field {
    name: &'static str,
    required: Option<u8>,
    repeated: bool,
    kind: Kind,
}

impl Field {
    /// The required fields that are still absent after this value of this field.
    fn mark(&self, absent: u64, value: &Value<'_>) -> u64 {
        match (self.required, value) {
            (None, _) => absent,
            (Some(bit), Value::UnknownEnum) => absent | 1 << bit,
            (Some(bit), _) => absent & !(1 << bit),
        }
    }
}

/// How a field is encoded.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Varint,
    Fixed64,
    /// Bytes or text.
    Bytes,
    /// The known values.
    Enum(&'static [i32]),
    /// An index into `MESSAGES`.
    Message(usize),
}

/// Every message of the schema, sorted by full name. Written by `build/tables.rs`.
static MESSAGES: &[Message] = include!(concat!(env!("OUT_DIR"), "/tables.rs"));

#[cfg(test)]
mod tests;
