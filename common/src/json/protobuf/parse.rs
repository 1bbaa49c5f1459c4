//! Messages from JSON. Unknown keys are ignored, `null` means unset.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use proto::initialized::{Checker, Incomplete};
use serde_json::{Map, Number, Value as Json};

use super::descriptor;

/// Why JSON is not the wanted message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not an object where a message is wanted.
    #[error("Expecting a JSON object")]
    NotAnObject,
    /// Not an array where a list of messages is wanted.
    #[error("Expecting a JSON array")]
    NotAnArray,
    /// A value of the wrong type, or beyond the field's range.
    #[error("Not expecting a JSON {json} for field '{field}'")]
    Mismatch {
        /// `string`, `number`, …
        json: &'static str,
        /// The field's name in the schema.
        field: String,
    },
    /// An enum value that the schema does not know.
    #[error("Failed to find enum for '{0}'")]
    UnknownEnum(String),
    /// Bytes that are not base64.
    #[error("Failed to base64 decode bytes field '{field}': {cause}")]
    Base64 {
        /// The field's name in the schema.
        field: String,
        /// What is wrong with the text.
        cause: base64::DecodeError,
    },
    /// Required fields are absent.
    #[error("Missing required fields: {0}")]
    Incomplete(String),
}

/// A message from a JSON object.
pub fn parse<M: Message + Name + Default>(json: &Json) -> Result<M, ParseError> {
    let Json::Object(object) = json else { return Err(ParseError::NotAnObject) };
    let message = parse_message(descriptor::<M>(), object)?;
    Checker::of::<M>()
        .decode(Bytes::from(message.encode_to_vec()))
        .map_err(|error: Incomplete| ParseError::Incomplete(error.to_string()))
}

/// Messages from a JSON array of objects.
pub fn parse_array<M: Message + Name + Default>(json: &Json) -> Result<Vec<M>, ParseError> {
    let Json::Array(elements) = json else { return Err(ParseError::NotAnArray) };
    elements.iter().map(parse).collect()
}

fn parse_message(
    descriptor: MessageDescriptor,
    object: &Map<String, Json>,
) -> Result<DynamicMessage, ParseError> {
    let mut message = DynamicMessage::new(descriptor);
    for (name, json) in object {
        if let Some(field) = message.descriptor().get_field_by_name(name) {
            parse_field(&mut message, &field, json)?;
        }
    }
    Ok(message)
}

fn parse_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    json: &Json,
) -> Result<(), ParseError> {
    match json {
        Json::Null => Ok(()),
        Json::Array(elements) if field.is_list() => {
            elements.iter().try_for_each(|element| parse_field(message, field, element))
        }
        Json::Object(object) if field.is_map() => parse_map(message, field, object),
        _ => {
            let value = parse_value(field, json)?;
            match message.get_field_mut(field) {
                Value::List(elements) => elements.push(value),
                place => *place = value,
            }
            Ok(())
        }
    }
}

/// Every map of the schema has strings for keys.
fn parse_map(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    object: &Map<String, Json>,
) -> Result<(), ParseError> {
    let Kind::Message(entry) = field.kind() else { return Ok(()) };
    let value_field = entry.map_entry_value_field();
    let mut entries = HashMap::with_capacity(object.len());
    for (key, json) in object {
        entries.insert(MapKey::String(key.clone()), parse_value(&value_field, json)?);
    }
    message.set_field(field, Value::Map(entries));
    Ok(())
}

fn parse_value(field: &FieldDescriptor, json: &Json) -> Result<Value, ParseError> {
    let mismatch = |json| ParseError::Mismatch { json, field: field.name().to_owned() };
    match (json, field.kind()) {
        (Json::Object(object), Kind::Message(descriptor)) => {
            Ok(Value::Message(parse_message(descriptor, object)?))
        }
        (Json::String(text), Kind::String) => Ok(Value::String(text.clone())),
        (Json::String(text), Kind::Bytes) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Value::Bytes(bytes.into())),
            Err(cause) => Err(ParseError::Base64 { field: field.name().to_owned(), cause }),
        },
        (Json::String(text), Kind::Enum(descriptor)) => descriptor
            .get_value_by_name(text)
            .map(|value| Value::EnumNumber(value.number()))
            .ok_or_else(|| ParseError::UnknownEnum(text.clone())),
        (Json::Bool(value), Kind::Bool) => Ok(Value::Bool(*value)),
        (Json::Number(number), kind) => {
            parse_number(number, &kind).ok_or_else(|| mismatch("number"))
        }
        (Json::Object(_), _) => Err(mismatch("object")),
        (Json::Array(_), _) => Err(mismatch("array")),
        (Json::String(_), _) => Err(mismatch("string")),
        (Json::Bool(_), _) => Err(mismatch("boolean")),
        (Json::Null, _) => Err(mismatch("null")),
    }
}

fn parse_number(number: &Number, kind: &Kind) -> Option<Value> {
    match kind {
        Kind::Double => number.as_f64().map(Value::F64),
        Kind::Float => number.as_f64().map(|value| Value::F32(value as f32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            whole(number)?.try_into().ok().map(Value::I32)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            whole(number)?.try_into().ok().map(Value::I64)
        }
        Kind::Uint32 | Kind::Fixed32 => whole(number)?.try_into().ok().map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => whole(number)?.try_into().ok().map(Value::U64),
        Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => None,
    }
}

/// A whole number; a fraction is cut off, as upstream's cast does.
fn whole(number: &Number) -> Option<i128> {
    let from_i64 = number.as_i64().map(i128::from);
    let from_u64 = || number.as_u64().map(i128::from);
    from_i64.or_else(from_u64).or_else(|| number.as_f64().map(|value| value as i128))
}
