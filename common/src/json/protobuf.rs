//! Any protobuf message as JSON and back, by its descriptor: the schema's field names, enums by
//! name, bytes in base64, set fields and fields with a declared default.
//! Used for the registry, for flags such as `--acls`, for HTTP bodies and parts of `/state`.
//! Upstream: `JSON::Protobuf`, `JSON::protobuf` and `protobuf::parse` in `stout/protobuf.hpp`.

mod parse;
mod text;
mod write;

#[cfg(test)]
mod tests;

pub use parse::{ParseError, parse, parse_array};
pub use text::print_text;
pub use write::{Protobuf, SortedProtobuf};

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

fn descriptor<M: prost::Name>() -> MessageDescriptor {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(proto::DESCRIPTORS).expect("the schema was compiled from files")
    });
    POOL.get_message_by_name(&M::full_name()).expect("every message is in the schema")
}
