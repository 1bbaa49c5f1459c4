//! The two forms in which upstream prints the same thing. Used by the shapes beside this file
//! and by the views of master and slave.
//! Upstream: `json(JSON::ObjectWriter*, …)` and `model(…)`.

use prost::{Message, Name};
use stout::json::{Object, Slot, ToJson};

use super::protobuf::{Protobuf, SortedProtobuf};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Keys as they come, an absent amount is `0.0`: the big endpoints of the master.
    Streamed,
    /// Keys sorted, an absent amount is `0`: the slave, and `/tasks` and `/roles` of the master.
    Sorted,
}

/// A value with the form it is to be shown in.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a, T: ?Sized> {
    /// What is shown.
    pub value: &'a T,
    /// How.
    pub form: Form,
}

impl Form {
    /// The value in this form.
    pub fn show<T: ?Sized>(self, value: &T) -> Shown<'_, T> {
        Shown { value, form: self }
    }

    /// An object in this form.
    pub fn object(self, slot: Slot<'_>, fields: impl FnOnce(&mut Object<'_>)) {
        match self {
            Form::Streamed => slot.object(fields),
            Form::Sorted => slot.sorted_object(fields),
        }
    }

    /// Any message in this form.
    pub fn protobuf<M: Message + Name>(self, slot: Slot<'_>, message: &M) {
        match self {
            Form::Streamed => Protobuf(message).to_json(slot),
            Form::Sorted => SortedProtobuf(message).to_json(slot),
        }
    }

    /// A field that is any message, if there is one.
    pub fn optional_protobuf<M: Message + Name>(
        self,
        object: &mut Object<'_>,
        key: &str,
        message: &Option<M>,
    ) {
        if let Some(message) = message {
            object.field_with(key, |slot| self.protobuf(slot, message));
        }
    }

    /// A field that is a list of values, each in this form.
    pub fn list<'a, T: 'a>(
        self,
        object: &mut Object<'_>,
        key: &str,
        values: impl IntoIterator<Item = &'a T>,
    ) where
        Shown<'a, T>: ToJson,
    {
        object.array(key, |array| {
            for value in values {
                array.element(self.show(value));
            }
        });
    }
}
