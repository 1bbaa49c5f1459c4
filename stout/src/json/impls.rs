//! How values of the standard library and of `serde_json` look as JSON.
//! Used through [`ToJson`] only; a type of ours implements it beside its own definition.
//! Upstream: `json(BooleanWriter*, bool)` and its fellows, `operator<<(std::ostream&, Value)`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::json::{Slot, ToJson};

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl ToJson for $integer {
            fn to_json(&self, slot: Slot<'_>) {
                slot.integer(*self);
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl ToJson for bool {
    fn to_json(&self, slot: Slot<'_>) {
        slot.boolean(*self);
    }
}

impl ToJson for f64 {
    fn to_json(&self, slot: Slot<'_>) {
        slot.double(*self);
    }
}

impl ToJson for str {
    fn to_json(&self, slot: Slot<'_>) {
        slot.string(self);
    }
}

impl ToJson for String {
    fn to_json(&self, slot: Slot<'_>) {
        slot.string(self);
    }
}

impl ToJson for Cow<'_, str> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.string(self);
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self, slot: Slot<'_>) {
        (**self).to_json(slot);
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, slot: Slot<'_>) {
        slot.array(|array| self.iter().for_each(|element| array.element(element)));
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, slot: Slot<'_>) {
        self.as_slice().to_json(slot);
    }
}

impl<K: AsRef<str>, V: ToJson> ToJson for BTreeMap<K, V> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.object(|object| {
            self.iter().for_each(|(key, value)| object.field(key.as_ref(), value));
        });
    }
}

impl ToJson for serde_json::Value {
    fn to_json(&self, slot: Slot<'_>) {
        match self {
            serde_json::Value::Null => slot.null(),
            serde_json::Value::Bool(value) => slot.boolean(*value),
            serde_json::Value::Number(value) => value.to_json(slot),
            serde_json::Value::String(value) => slot.string(value),
            serde_json::Value::Array(value) => value.to_json(slot),
            serde_json::Value::Object(value) => value.to_json(slot),
        }
    }
}

impl ToJson for serde_json::Number {
    fn to_json(&self, slot: Slot<'_>) {
        match (self.as_i64(), self.as_u64(), self.as_f64()) {
            (Some(value), _, _) => slot.integer(value),
            (None, Some(value), _) => slot.integer(value),
            (None, None, Some(value)) => slot.double(value),
            (None, None, None) => slot.null(),
        }
    }
}

impl ToJson for serde_json::Map<String, serde_json::Value> {
    fn to_json(&self, slot: Slot<'_>) {
        slot.sorted_object(|object| {
            self.iter().for_each(|(key, value)| object.field(key, value));
        });
    }
}
