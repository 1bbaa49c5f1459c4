//! Messages in protobuf's text format, as error messages quote them.
//! Upstream: `Message::DebugString`, which is what `operator<<` of most messages prints.

use std::fmt::Write;

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::write::reflect;

/// The fields that are set, by number, one on a line, nested ones indented by two blanks.
pub fn print_text<M: Message + Name>(message: &M) -> String {
    let mut text = String::new();
    print_message(&mut text, &reflect(message), 0);
    text
}

fn print_message(text: &mut String, message: &DynamicMessage, indent: usize) {
    let descriptor = message.descriptor();
    let mut fields: Vec<_> = descriptor.fields().filter(|field| message.has_field(field)).collect();
    fields.sort_by_key(|field| field.number());
    for field in fields {
        let kind = field.kind();
        match &*message.get_field(&field) {
            Value::List(elements) => {
                elements.iter().for_each(|value| print(text, field.name(), value, &kind, indent));
            }
            value => print(text, field.name(), value, &kind, indent),
        }
    }
}

fn print(text: &mut String, name: &str, value: &Value, kind: &Kind, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
    text.push_str(name);
    match (value, kind) {
        (Value::Message(message), _) => {
            text.push_str(" {\n");
            print_message(text, message, indent + 2);
            text.extend(std::iter::repeat_n(' ', indent));
            text.push('}');
        }
        (Value::String(value), _) => push_quoted(text, value.as_bytes()),
        (Value::Bytes(value), _) => push_quoted(text, value),
        (Value::Bool(value), _) => push(text, value),
        (Value::I32(value), _) => push(text, value),
        (Value::I64(value), _) => push(text, value),
        (Value::U32(value), _) => push(text, value),
        (Value::U64(value), _) => push(text, value),
        (Value::F32(value), _) => push(text, value),
        (Value::F64(value), _) => push(text, value),
        (Value::EnumNumber(number), Kind::Enum(descriptor)) => {
            match descriptor.get_value(*number) {
                Some(value) => push(text, value.name()),
                None => push(text, number),
            }
        }
        // Lists are printed by element; there are no maps in messages that are quoted.
        (Value::EnumNumber(_) | Value::List(_) | Value::Map(_), _) => {}
    }
    text.push('\n');
}

fn push(text: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, ": {value}");
}

fn push_quoted(text: &mut String, bytes: &[u8]) {
    text.push_str(": \"");
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\'' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(text, "\\{byte:03o}")),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proto::mesos::{self, CommandInfo, ExecutorInfo};

    use super::print_text;

    #[test]
    fn fields_print_as_debug_string_does() {
        let executor = ExecutorInfo {
            executor_id: mesos::ExecutorId { value: "e\"1\n".into() },
            command: Some(CommandInfo {
                value: Some("exit 1".into()),
                shell: Some(true),
                arguments: vec!["a".into(), "b".into()],
                ..CommandInfo::default()
            }),
            data: Some(vec![0, 200].into()),
            ..ExecutorInfo::default()
        };
        let expected = "executor_id {\n  value: \"e\\\"1\\n\"\n}\ndata: \"\\000\\310\"\n\
             command {\n  value: \"exit 1\"\n  shell: true\n  arguments: \"a\"\n  \
             arguments: \"b\"\n}\n";
        assert_eq!(print_text(&executor), expected);
    }
}
