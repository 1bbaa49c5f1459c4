//! Our schema is that of 0.28.3, plus what 1.11.0 added to what frameworks and executors send:
//! compared name by name and number by number with the tables recorded from upstream.
//! Run by cargo alone; knows nothing of how the `.proto` files are laid out.
//! Upstream: the `.proto` files of both versions.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

const V0_28: &str = include_str!("../../tests/golden/schema/0.28.3.tsv");
const V1_11: &str = include_str!("../../tests/golden/schema/1.11.0.tsv");

/// What frameworks and executors send. 1.11's additions to these, and to all that their fields
/// hold, are ours too.
const CARRIED: [&str; 7] = [
    "CommandInfo",
    "TaskInfo",
    "ContainerInfo",
    "FrameworkInfo",
    "Resource",
    "TaskStatus",
    "Offer",
];

/// One field (or the value of an enum, with nothing but a number).
#[derive(Debug, Clone, Default, PartialEq)]
struct Field {
    number: i32,
    label: String,
    type_name: String,
    default: String,
}

/// Messages and enums by full name, their fields and values by name.
type Schema = BTreeMap<String, BTreeMap<String, Field>>;

#[test]
fn the_schema_is_that_of_0_28_with_the_additions_of_1_11() {
    let expected = merged(without_deviations(table(V0_28)), &table(V1_11));
    let ours = described();
    let names: BTreeSet<&String> = expected.keys().chain(ours.keys()).collect();
    for name in names {
        assert_eq!(ours.get(name), expected.get(name), "{name}");
    }
}

/// A task of 1.x passes through us whole.
#[test]
fn nothing_that_1_11_carries_is_unknown() {
    let (ours, newer) = (described(), table(V1_11));
    for name in carried(&ours, &newer) {
        let numbers: Vec<i32> = ours[&name].values().map(|field| field.number).collect();
        for (field, description) in newer.get(&name).into_iter().flatten() {
            assert!(numbers.contains(&description.number), "{name}.{field}");
        }
    }
}

/// The rule: 0.28.3 stays as it is, names and numbers; of messages that are carried, what 1.11
/// added is added, and what it made optional is optional.
///
/// The `type` of calls, events and operations is not in a carried message and stays required: a
/// peer that sends one that we do not know is refused, as 0.28.3 refuses it.
fn merged(mut schema: Schema, newer: &Schema) -> Schema {
    for name in carried(&schema, newer) {
        let Some(added) = newer.get(&name) else { continue };
        let fields = schema.entry(name).or_default();
        for (name, description) in added {
            let taken = fields.values().any(|field| field.number == description.number);
            match fields.get_mut(name) {
                Some(field) if description.label == "optional" && field.label == "required" => {
                    field.label = "optional".to_owned();
                }
                None if !taken => {
                    fields.insert(name.clone(), description.clone());
                }
                _ => {}
            }
        }
    }
    schema
}

/// The full names of all messages and enums that the carried messages hold, in either schema.
fn carried(older: &Schema, newer: &Schema) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open: Vec<String> = CARRIED
        .iter()
        .flat_map(|name| [format!("mesos.{name}"), format!("mesos.v1.{name}")])
        // What replicas of 1.x store with ours.
        .chain(["mesos.internal.log.Action.Nop".to_owned()])
        .collect();
    while let Some(name) = open.pop() {
        if !names.insert(name.clone()) {
            continue;
        }
        for schema in [older, newer] {
            let types = schema.get(&name).into_iter().flatten().map(|(_, field)| &field.type_name);
            open.extend(types.filter(|type_name| type_name.starts_with("mesos.")).cloned());
        }
    }
    names
}

/// What we do otherwise than 0.28.3, on purpose and off the wire.
fn without_deviations(mut schema: Schema) -> Schema {
    // 1.x gave the name `HTTP` to an enum value beside this message, and the message another one.
    for package in ["mesos", "mesos.v1"] {
        let check = format!("{package}.HealthCheck");
        let fields = schema.remove(&format!("{check}.HTTP")).expect("0.28 has it");
        schema.insert(format!("{check}.HTTPCheckInfo"), fields);
        let http = schema.get_mut(&check).and_then(|fields| fields.get_mut("http"));
        http.expect("0.28 has it").type_name = format!("{check}.HTTPCheckInfo");
    }
    // Doubles of `executor_info` and `task_info` for old C++ modules, which nobody here can load.
    let config = schema.get_mut("mesos.slave.ContainerConfig").expect("0.28 has it");
    assert!(config.remove("executorInfo").is_some() && config.remove("taskInfo").is_some());
    schema
}

fn table(text: &str) -> Schema {
    let mut schema = Schema::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, name, field, number, label, type_name, default] = columns[..] else {
            panic!("not seven columns: {line}")
        };
        let fields = schema.entry(name.to_owned()).or_default();
        if !field.is_empty() {
            let [label, type_name, default] = [label, type_name, default].map(str::to_owned);
            let number = number.parse().expect("a number");
            fields.insert(field.to_owned(), Field { number, label, type_name, default });
        }
    }
    schema
}

/// Our own schema, without Docker's, which the tables do not have.
fn described() -> Schema {
    let mut schema = Schema::new();
    let descriptors = FileDescriptorSet::decode(proto::DESCRIPTORS).expect("ours decode");
    for file in &descriptors.file {
        if file.package().starts_with("mesos") {
            describe_enums(&mut schema, file.package(), &file.enum_type);
            describe_messages(&mut schema, file.package(), &file.message_type);
        }
    }
    schema
}

fn describe_messages(schema: &mut Schema, scope: &str, messages: &[DescriptorProto]) {
    for message in messages {
        let name = format!("{scope}.{}", message.name());
        describe_enums(schema, &name, &message.enum_type);
        describe_messages(schema, &name, &message.nested_type);
        let fields = message.field.iter();
        let described = fields.map(|field| (field.name().to_owned(), describe(message, field)));
        schema.insert(name, described.collect());
    }
}

fn describe_enums(schema: &mut Schema, scope: &str, enums: &[EnumDescriptorProto]) {
    for descriptor in enums {
        let values = descriptor.value.iter().map(|value| {
            (value.name().to_owned(), Field { number: value.number(), ..Field::default() })
        });
        schema.insert(format!("{scope}.{}", descriptor.name()), values.collect());
    }
}

fn describe(message: &DescriptorProto, field: &FieldDescriptorProto) -> Field {
    let label = match (field.oneof_index, field.label()) {
        (Some(index), _) => format!("oneof:{}", message.oneof_decl[index as usize].name()),
        (None, Label::Optional) => "optional".to_owned(),
        (None, Label::Required) => "required".to_owned(),
        (None, Label::Repeated) => "repeated".to_owned(),
    };
    let type_name = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    Field { number: field.number(), label, type_name, default: field.default_value().to_owned() }
}
