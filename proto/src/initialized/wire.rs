//! Reads encoded messages field by field and refuses what prost would refuse, text aside, and
//! maps of a wrong wire type besides, which prost would misread.
//! Called by `initialized.rs` only; copies nothing.
//!
//! Upstream: `WireFormat`, `CodedInputStream` of protobuf.

use super::{Field, Kind, MESSAGES, Malformed, Message};

/// What is left to read of one message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// A value of a known field, as far as it matters here.
pub(super) enum Value<'a> {
    /// A number, bytes, or text.
    Plain,
    /// A number that its enum does not have.
    UnknownEnum,
    /// A message and its encoded body, not yet read.
    Message(&'static Message, &'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WireType {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Reader { rest: body }
    }

    /// The next field of `message` that its table knows, with its number; skips unknown ones.
    /// `depth` is how many levels may still follow below this one.
    pub(super) fn next_known(
        &mut self,
        message: &Message,
        depth: u32,
    ) -> Result<Option<(u32, &'static Field, Value<'a>)>, Malformed> {
        while !self.rest.is_empty() {
            let (number, wire_type) = self.key()?;
            match message.by_number.get(number as usize).and_then(Option::as_ref) {
                Some(field) => {
                    let value = self.value(number, field, wire_type, depth)?;
                    return Ok(Some((number, field, value)));
                }
                None => self.skip(number, wire_type, depth)?,
            }
        }
        Ok(None)
    }

    fn value(
        &mut self,
        number: u32,
        field: &'static Field,
        wire_type: WireType,
        depth: u32,
    ) -> Result<Value<'a>, Malformed> {
        match (field.kind, wire_type) {
            (Kind::Varint, WireType::Varint) => {
                self.varint()?;
            }
            (Kind::Enum(known), WireType::Varint) => {
                // Enums are 32 bits wide; higher bits are cut off by every decoder.
                let number = self.varint()? as i32;
                if !known.contains(&number) {
                    return Ok(Value::UnknownEnum);
                }
            }
            (Kind::Fixed64, WireType::Fixed64) => {
                self.take(8)?;
            }
            (Kind::Bytes, WireType::Bytes) => {
                self.delimited()?;
            }
            (Kind::Message(index), WireType::Bytes) => {
                if depth == 0 {
                    return Err(Malformed::TooDeep);
                }
                return Ok(Value::Message(&MESSAGES[index], self.delimited()?));
            }
            (kind, WireType::Bytes) if field.repeated => {
                Reader::new(self.delimited()?).packed(kind)?;
            }
            _ => return Err(Malformed::WrongWireType(number)),
        }
        Ok(Value::Plain)
    }

    /// Reads to the end numbers that stand packed behind one key.
    fn packed(&mut self, kind: Kind) -> Result<(), Malformed> {
        while !self.rest.is_empty() {
            match kind {
                Kind::Fixed64 => self.take(8).map(drop)?,
                _ => self.varint().map(drop)?,
            }
        }
        Ok(())
    }

    /// Passes over a field that the schema does not know.
    fn skip(&mut self, number: u32, wire_type: WireType, depth: u32) -> Result<(), Malformed> {
        if depth == 0 {
            return Err(Malformed::TooDeep);
        }
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed32 => self.take(4).map(drop),
            WireType::Fixed64 => self.take(8).map(drop),
            WireType::Bytes => self.delimited().map(drop),
            WireType::StartGroup => loop {
                match self.key()? {
                    (end, WireType::EndGroup) if end == number => return Ok(()),
                    (inner, inner_type) => self.skip(inner, inner_type, depth - 1)?,
                }
            },
            WireType::EndGroup => Err(Malformed::UnexpectedEndGroup(number)),
        }
    }

    fn key(&mut self) -> Result<(u32, WireType), Malformed> {
        let key = self.varint()?;
        let wire_type = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(Malformed::BadKey(key)),
        };
        match u32::try_from(key) {
            Ok(key) if key >= 8 => Ok((key >> 3, wire_type)),
            _ => Err(Malformed::BadKey(key)),
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                // The tenth byte has room for one bit.
                if index == 9 && *byte > 1 {
                    return Err(Malformed::OverlongVarint);
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { Malformed::Truncated } else { Malformed::OverlongVarint })
    }

    fn delimited(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| Malformed::Truncated)?)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}
