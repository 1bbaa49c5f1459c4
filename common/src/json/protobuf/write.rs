//! Messages as JSON. Called through the writer of `stout::json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use stout::json::{Object, Slot, ToJson};

use super::descriptor;

/// A message as JSON, its fields in the order of their numbers.
pub struct Protobuf<'a, M>(pub &'a M);

/// A message as JSON, its fields sorted by name.
pub struct SortedProtobuf<'a, M>(pub &'a M);

impl<M: Message + Name> ToJson for Protobuf<'_, M> {
    fn to_json(&self, slot: Slot<'_>) {
        write_message(slot, &reflect(self.0), Order::Number);
    }
}

impl<M: Message + Name> ToJson for SortedProtobuf<'_, M> {
    fn to_json(&self, slot: Slot<'_>) {
        write_message(slot, &reflect(self.0), Order::Name);
    }
}

#[derive(Clone, Copy)]
enum Order {
    Number,
    Name,
}

fn reflect<M: Message + Name>(message: &M) -> DynamicMessage {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(descriptor::<M>(), bytes.as_slice())
        .expect("what prost encodes is of the schema that prost was generated from")
}

fn write_message(slot: Slot<'_>, message: &DynamicMessage, order: Order) {
    let fields = |object: &mut Object<'_>| {
        for field in message.descriptor().fields() {
            write_field(object, message, &field, order);
        }
    };
    match order {
        Order::Number => slot.object(fields),
        Order::Name => slot.sorted_object(fields),
    }
}

fn write_field(
    object: &mut Object<'_>,
    message: &DynamicMessage,
    field: &FieldDescriptor,
    order: Order,
) {
    let has_default = field.field_descriptor_proto().default_value.is_some();
    if !message.has_field(field) && !has_default {
        return;
    }
    let kind = field.kind();
    match &*message.get_field(field) {
        Value::List(elements) => object.array(field.name(), |array| {
            for element in elements {
                array.element_with(|slot| write_value(slot, element, &kind, order));
            }
        }),
        value if is_known(value, &kind) => {
            object.field_with(field.name(), |slot| write_value(slot, value, &kind, order));
        }
        // An enum value of a later version counts as unset, as it does with upstream's protobuf.
        _ => {}
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
        // The schema has neither maps nor lists of lists.
        (Value::EnumNumber(_) | Value::List(_) | Value::Map(_), _) => slot.null(),
    }
}
