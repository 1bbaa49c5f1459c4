//! The two encodings of the v1 APIs.
//! Upstream: `ContentType`, `serialize` and `deserialize` in `common/http.hpp`.

use std::fmt;

use bytes::Bytes;
use prost::{Message, Name};
use proto::initialized::{Checker, Incomplete};

use crate::json::protobuf::{self, SortedProtobuf};

/// How bodies and events are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Why a body is not the wanted message.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum DeserializeError {
    /// Malformed bytes, or required fields are absent.
    #[error("Failed to parse body into {0} protobuf")]
    Protobuf(&'static str),
    /// Not JSON.
    #[error("Failed to parse body into JSON: {0}")]
    Json(stout::json::ParseError),
    /// JSON of another shape.
    #[error("Failed to convert JSON into {0} protobuf: {1}")]
    Shape(&'static str, protobuf::ParseError),
}

impl ContentType {
    /// From a header's value, compared as a whole: parameters are not understood.
    pub fn from_header(value: &str) -> Option<ContentType> {
        match value {
            "application/x-protobuf" => Some(ContentType::Protobuf),
            "application/json" => Some(ContentType::Json),
            _ => None,
        }
    }

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentType::Protobuf => "application/x-protobuf",
            ContentType::Json => "application/json",
        }
    }

    /// A message in this encoding.
    pub fn serialize<M: Message + Name>(self, message: &M) -> Vec<u8> {
        match self {
            ContentType::Protobuf => message.encode_to_vec(),
            ContentType::Json => stout::json::to_vec(&SortedProtobuf(message)),
        }
    }

    /// A message from this encoding; `M::NAME` is how errors call it.
    pub fn deserialize<M: Message + Name + Default>(
        self,
        body: Bytes,
    ) -> Result<M, DeserializeError> {
        match self {
            ContentType::Protobuf => Checker::of::<M>()
                .decode(body)
                .map_err(|_: Incomplete| DeserializeError::Protobuf(M::NAME)),
            ContentType::Json => {
                let text = String::from_utf8_lossy(&body);
                let json = stout::json::parse(&text).map_err(DeserializeError::Json)?;
                protobuf::parse(&json).map_err(|error| DeserializeError::Shape(M::NAME, error))
            }
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ContentType;
    use proto::mesos::scheduler::{Call, call};

    #[test]
    fn messages_survive_both_encodings() {
        let call = Call { r#type: call::Type::Revive.into(), ..Call::default() };
        for content_type in [ContentType::Protobuf, ContentType::Json] {
            let body = content_type.serialize(&call);
            assert_eq!(content_type.deserialize(body.into()), Ok(call.clone()));
            assert_eq!(ContentType::from_header(content_type.as_str()), Some(content_type));
        }
        assert_eq!(ContentType::Json.serialize(&call), br#"{"type":"REVIVE"}"#);
        assert_eq!(ContentType::from_header("application/json; charset=utf-8"), None);
    }

    #[test]
    fn bad_bodies_are_told_apart() {
        let check = |content_type: ContentType, body: &'static str, expected: &str| {
            let error = content_type.deserialize::<Call>(body.into()).expect_err(body);
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        check(ContentType::Protobuf, "", "Failed to parse body into Call protobuf");
        check(ContentType::Protobuf, "\u{1}", "Failed to parse body into Call protobuf");
        check(ContentType::Json, "{", "Failed to parse body into JSON: ");
        check(
            ContentType::Json,
            r#"{"type": "ACCEPT_INVERSE_OFFERS"}"#,
            "Failed to convert JSON into Call protobuf: \
             Failed to find enum for 'ACCEPT_INVERSE_OFFERS'",
        );
        check(
            ContentType::Json,
            "{}",
            "Failed to convert JSON into Call protobuf: Missing required fields: type",
        );
    }
}
