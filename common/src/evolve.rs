//! From our own messages to those of the v1 API and back: the same numbers under newer names, so
//! that the bytes are the bridge. Called wherever v1 calls come in and v1 events go out. Pure.
//! Upstream: `internal/evolve.cpp`, `internal/devolve.cpp`.

use prost::Message;

/// The same message in the other version of the API: `to` and `from` are of the same name in
/// `mesos` and `mesos.v1`, where agents are slaves.
pub fn evolve<To: Message + Default>(from: &impl Message) -> To {
    let bytes = bytes::Bytes::from(from.encode_to_vec());
    To::decode(bytes).expect("both versions have the same schema; see the tests")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
    use proto::mesos::executor::{Call, call};
    use proto::mesos::v1;

    use super::evolve;

    /// How the bytes of a field are read, whatever it is called.
    fn shape(field: &FieldDescriptor) -> (bool, String) {
        let kind = match field.kind() {
            Kind::Message(_) => "message".to_owned(),
            Kind::Enum(_) => "enum".to_owned(),
            kind => format!("{kind:?}"),
        };
        (field.cardinality() == Cardinality::Repeated, kind)
    }

    /// Compares two messages and all that both hold. What only one of them has is left out.
    fn compare(v1: &MessageDescriptor, ours: &MessageDescriptor, seen: &mut BTreeSet<String>) {
        if !seen.insert(format!("{} {}", v1.full_name(), ours.full_name())) {
            return;
        }
        for field in ours.fields() {
            let Some(other) = v1.get_field(field.number()) else { continue };
            assert_eq!(shape(&other), shape(&field), "{}", field.full_name());
            if let (Kind::Message(other), Kind::Message(ours)) = (other.kind(), field.kind()) {
                compare(&other, &ours, seen);
            }
        }
    }

    #[test]
    fn both_versions_have_the_same_schema() {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("our own descriptors");
        let mut seen = BTreeSet::new();
        for name in ["executor.Call", "executor.Event", "scheduler.Call", "scheduler.Event"] {
            let find = |package: &str| {
                let name = format!("{package}.{name}");
                pool.get_message_by_name(&name).expect("it is ours")
            };
            compare(&find("mesos.v1"), &find("mesos"), &mut seen);
        }
        assert!(seen.len() > 50, "{seen:?}");
    }

    #[test]
    fn what_is_left_out_stays_out() {
        let call = Call {
            framework_id: proto::mesos::FrameworkId { value: "F".to_owned() },
            r#type: call::Type::Message.into(),
            message: Some(call::Message { data: "words".into() }),
            ..Call::default()
        };
        let newer: v1::executor::Call = evolve(&call);
        assert_eq!(newer.framework_id.value, "F");
        assert_eq!(newer.message.as_ref().expect("it has some").data, "words");
        assert_eq!(newer.subscribe, None);
        assert_eq!(evolve::<Call>(&newer), call);
    }
}
