//! Messages as JSON. Called through the writer of `stout::json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use stout::json::{Object, Slot, ToJson};

use super::descriptor;

/// Defaults that 1.x gave to fields of its own in messages that 0.28 has too.
///
/// COMPAT: `JSON::Protobuf` shows a declared default, and 0.28.3 knows nothing of these; held
/// by `defaults_of_later_versions_do_not_show`.
const LATER_DEFAULTS: [&str; 4] = [
    "mesos.Environment.Variable.type",
    "mesos.Image.cached",
    "mesos.v1.Environment.Variable.type",
    "mesos.v1.Image.cached",
];

/// A message as JSON, its fields in the order in which the schema declares them.
pub struct Protobuf<'a, M>(pub &'a M);

/// A message as JSON, its fields sorted by name.
pub struct SortedProtobuf<'a, M>(pub &'a M);

impl<M: Message + Name> ToJson for Protobuf<'_, M> {
    fn to_json(&self, slot: Slot<'_>) {
        write_message(slot, &reflect(self.0), Order::Declared);
    }
}

impl<M: Message + Name> ToJson for SortedProtobuf<'_, M> {
    fn to_json(&self, slot: Slot<'_>) {
        write_message(slot, &reflect(self.0), Order::Name);
    }
}

#[derive(Clone, Copy)]
enum Order {
    Declared,
    Name,
}

pub(super) fn reflect<M: Message + Name>(message: &M) -> DynamicMessage {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(descriptor::<M>(), bytes.as_slice())
        .expect("what prost encodes is of the schema that prost was generated from")
}

fn write_message(slot: Slot<'_>, message: &DynamicMessage, order: Order) {
    let fields = |object: &mut Object<'_>| {
        let descriptor = message.descriptor();
        for field in &descriptor.descriptor_proto().field {
            if let Some(field) = descriptor.get_field_by_name(field.name()) {
                write_field(object, message, &field, order);
            }
        }
    };
    match order {
        Order::Declared => slot.object(fields),
        Order::Name => slot.sorted_object(fields),
    }
}

fn write_field(
    object: &mut Object<'_>,
    message: &DynamicMessage,
    field: &FieldDescriptor,
    order: Order,
) {
    if !message.has_field(field) && !shows_default(field) {
        return;
    }
    let kind = field.kind();
    match &*message.get_field(field) {
        Value::List(elements) => object.array(field.name(), |array| {
            for element in elements {
                array.element_with(|slot| write_value(slot, element, &kind, order));
            }
        }),
        Value::Map(entries) => object.sorted_object(field.name(), |object| {
            let Kind::Message(entry) = &kind else { return };
            let kind = entry.map_entry_value_field().kind();
            for (key, value) in entries {
                object.field_with(&print_key(key), |slot| write_value(slot, value, &kind, order));
            }
        }),
        value if is_known(value, &kind) => {
            object.field_with(field.name(), |slot| write_value(slot, value, &kind, order));
        }
        // An enum value of a later version counts as unset, as it does with upstream's protobuf.
        _ => {}
    }
}

fn shows_default(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().default_value.is_some()
        && !LATER_DEFAULTS.contains(&field.full_name())
}

fn print_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

fn is_known(value: &Value, kind: &Kind) -> bool {
    match (value, kind) {
        (Value::EnumNumber(number), Kind::Enum(descriptor)) => {
            descriptor.get_value(*number).is_some()
        }
        _ => true,
    }
}

fn write_value(slot: Slot<'_>, value: &Value, kind: &Kind, order: Order) {
    match (value, kind) {
        (Value::Bool(value), _) => slot.boolean(*value),
        (Value::I32(value), _) => slot.integer(*value),
        (Value::I64(value), _) => slot.integer(*value),
        (Value::U32(value), _) => slot.integer(*value),
        (Value::U64(value), _) => slot.integer(*value),
        (Value::F32(value), _) => slot.double(f64::from(*value)),
        (Value::F64(value), _) => slot.double(*value),
        (Value::String(value), _) => slot.string(value),
        (Value::Bytes(value), _) => slot.string(&STANDARD.encode(value)),
        (Value::Message(value), _) => write_message(slot, value, order),
        (Value::EnumNumber(number), Kind::Enum(descriptor)) => {
            if let Some(value) = descriptor.get_value(*number) {
                slot.string(value.name());
            }
        }
        // A value of a field is neither a list nor a map, for those are the fields themselves.
        (Value::EnumNumber(_) | Value::List(_) | Value::Map(_), _) => slot.null(),
    }
}
