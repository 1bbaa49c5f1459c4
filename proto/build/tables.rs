//! Writes the tables that `initialized.rs` walks, one entry per message, sorted by full name.
//! Called by `build.rs`; the types of the entries are declared in `src/initialized.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Every message and enum by full name, with the leading dot that descriptors write.
#[derive(Default)]
struct Types<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
}

/// Gives a Rust expression of type `&[Message]`.
pub(crate) fn generate(descriptors: &FileDescriptorSet) -> String {
    let mut types = Types::default();
    for file in &descriptors.file {
        let scope = format!(".{}", file.package());
        types.add_enums(&scope, &file.enum_type);
        types.add_messages(&scope, &file.message_type);
    }
    let mut text = String::from("&[\n");
    for (name, message) in &types.messages {
        types.write_message(&mut text, name, message);
    }
    text.push_str("]\n");
    text
}

impl<'a> Types<'a> {
    fn add_messages(&mut self, scope: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = format!("{scope}.{}", message.name());
            self.add_enums(&name, &message.enum_type);
            self.add_messages(&name, &message.nested_type);
            self.messages.insert(name, message);
        }
    }

    fn add_enums(&mut self, scope: &str, enums: &'a [EnumDescriptorProto]) {
        for descriptor in enums {
            self.enums.insert(format!("{scope}.{}", descriptor.name()), descriptor);
        }
    }

    fn write_message(&self, text: &mut String, name: &str, message: &DescriptorProto) {
        let is_required = |field: &&FieldDescriptorProto| field.label() == Label::Required;
        let required: Vec<&str> =
            message.field.iter().filter(is_required).map(FieldDescriptorProto::name).collect();
        assert!(required.len() <= 64, "{name}: more required fields than bits");
        let mut by_number = BTreeMap::new();
        for field in &message.field {
            by_number.insert(field.number(), field);
        }
        let last = by_number.keys().next_back().copied().unwrap_or(-1);
        assert!(last < 256, "{name}: field numbers too high for a table by number");

        let name = &name[1..];
        let head = format!("Message {{ name: {name:?}, required: &{required:?}, by_number: &[");
        write_line(text, &head);
        for number in 0..=last {
            match by_number.get(&number) {
                Some(field) => self.write_field(text, field, &required),
                None => write_line(text, "None,"),
            }
        }
        write_line(text, "] },");
    }

    fn write_field(&self, text: &mut String, field: &FieldDescriptorProto, required: &[&str]) {
        let bit = required.iter().position(|name| *name == field.name());
        let repeated = field.label() == Label::Repeated;
        let entry = format!(
            "Some(Field {{ name: {:?}, required: {bit:?}, repeated: {repeated}, kind: {} }}),",
            field.name(),
            self.kind(field),
        );
        write_line(text, &entry);
    }

    fn kind(&self, field: &FieldDescriptorProto) -> String {
        match field.r#type() {
            Type::Double | Type::Fixed64 | Type::Sfixed64 => "Kind::Fixed64".to_owned(),
            Type::String | Type::Bytes => "Kind::Bytes".to_owned(),
            Type::Message => {
                let index = self.messages.keys().position(|name| name == field.type_name());
                format!("Kind::Message({})", index.expect("descriptors are complete"))
            }
            Type::Enum => {
                let values = &self.enums[field.type_name()].value;
                let numbers: Vec<i32> = values.iter().map(|value| value.number()).collect();
                format!("Kind::Enum(&{numbers:?})")
            }
            Type::Group | Type::Float | Type::Fixed32 | Type::Sfixed32 => {
                panic!("{}: no schema of ours has this type yet", field.name())
            }
            _ => "Kind::Varint".to_owned(),
        }
    }
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}
