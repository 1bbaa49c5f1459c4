//! A flag whose value is a message as JSON, in place or in a file.
//! Upstream: `flags::parse<T>` for protobuf types.

use common::json::protobuf::{SortedProtobuf, parse};
use prost::{Message, Name};
use stout::flags::load::{FileNames, FlagValue, ValueError};
use stout::json;

/// A message that is typed as JSON.
#[derive(Clone, Debug)]
pub struct Json<M>(pub M);

impl<M: Message + Name + Default> FlagValue for Json<M> {
    const FILE_NAMES: FileNames = FileNames::UriOrAbsolute;

    fn parse(text: &str) -> Result<Self, ValueError> {
        let object = json::parse_object(text)?;
        let message = parse(&serde_json::Value::Object(object));
        message.map(Json).map_err(|error| ValueError::Other(error.into()))
    }

    fn print(&self) -> String {
        json::to_string(&SortedProtobuf(&self.0))
    }
}
