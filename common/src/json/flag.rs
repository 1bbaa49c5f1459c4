//! A flag whose value is a message as JSON, in place or in a file. For the flags of daemons.
//! Upstream: `flags::parse<T>` for protobuf types.

use prost::{Message, Name};
use stout::flags::load::{FileNames, FlagValue, ValueError};
use stout::json;

use super::protobuf::{SortedProtobuf, parse};

/// A message that is typed as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonFlag<M>(pub M);

impl<M: Message + Name + Default> FlagValue for JsonFlag<M> {
    const FILE_NAMES: FileNames = FileNames::UriOrAbsolute;

    fn parse(text: &str) -> Result<Self, ValueError> {
        let object = json::parse_object(text)?;
        let message = parse(&serde_json::Value::Object(object));
        message.map(JsonFlag).map_err(|error| ValueError::Other(error.into()))
    }

    fn print(&self) -> String {
        json::to_string(&SortedProtobuf(&self.0))
    }
}
