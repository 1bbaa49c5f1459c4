//! Laws of the algebra, on random resources of all kinds.

use proptest::prelude::*;
use proto::mesos::{self, value};

use super::{disk_on, mount_source, path_source, reservation};
use crate::resources::Resources;

fn any_value() -> impl Strategy<Value = (value::Type, mesos::Resource)> {
    let scalar = (1i64..5000).prop_map(|milli| mesos::Resource {
        name: "cpus".into(),
        scalar: Some(value::Scalar { value: milli as f64 / 1000.0 }),
        ..mesos::Resource::default()
    });
    let ranges = prop::collection::btree_set(0u64..40, 1..6).prop_map(|numbers| mesos::Resource {
        name: "ports".into(),
        ranges: Some(value::Ranges {
            range: numbers.iter().map(|&n| value::Range { begin: n, end: n }).collect(),
        }),
        ..mesos::Resource::default()
    });
    let set = prop::collection::btree_set("[a-e]", 1..4).prop_map(|items| mesos::Resource {
        name: "disks".into(),
        set: Some(value::Set { item: items.into_iter().collect() }),
        ..mesos::Resource::default()
    });
    let volume = (1u32..3, 0usize..3, 0usize..3).prop_map(|(size, id, source)| {
        let sources = [None, Some(path_source("/p")), Some(mount_source("/m"))];
        let id = ["", "1", "2"][id];
        disk_on(sources[source].as_ref(), &format!("disk:{size}"), id, "path")
    });
    prop_oneof![
        scalar.prop_map(|resource| (value::Type::Scalar, resource)),
        ranges.prop_map(|resource| (value::Type::Ranges, resource)),
        set.prop_map(|resource| (value::Type::Set, resource)),
        volume.prop_map(|resource| (value::Type::Scalar, resource)),
    ]
}

fn any_message() -> impl Strategy<Value = mesos::Resource> {
    (any_value(), 0usize..3, any::<bool>(), any::<bool>()).prop_map(
        |((value_type, mut resource), role, is_reserved, is_revocable)| {
            resource.set_type(value_type);
            resource.role = Some(["*", "a", "b"][role].into());
            resource.reservation = (role > 0 && is_reserved).then(|| reservation("p"));
            resource.revocable = is_revocable.then(Default::default);
            resource
        },
    )
}

fn any_resources() -> impl Strategy<Value = Resources> {
    prop::collection::vec(any_message(), 0..6).prop_map(|messages| Resources::from(&messages))
}

/// Amounts alone: ports and items that both sides hold would be one in the sum.
fn any_scalars() -> impl Strategy<Value = Resources> {
    any_resources().prop_map(|all| all.scalars())
}

proptest! {
    #[test]
    fn addition_commutes(a in any_resources(), b in any_resources()) {
        prop_assert_eq!(&a + &b, &b + &a);
    }

    #[test]
    fn addition_is_associative(a in any_resources(), b in any_resources(), c in any_resources()) {
        prop_assert_eq!(&(&a + &b) + &c, &a + &(&b + &c));
        prop_assert_eq!([&a, &b, &c].into_iter().sum::<Resources>(), &(&a + &b) + &c);
    }

    #[test]
    fn what_was_added_can_be_taken_away(a in any_scalars(), b in any_scalars()) {
        prop_assert_eq!(&(&a + &b) - &b, a);
    }

    #[test]
    fn a_sum_contains_its_parts(a in any_resources(), b in any_resources()) {
        let sum = &a + &b;
        prop_assert!(sum.contains(&a) && sum.contains(&b));
    }

    #[test]
    fn what_is_contained_can_be_put_back(a in any_resources(), b in any_resources()) {
        if a.contains(&b) {
            prop_assert_eq!(&(&a - &b) + &b, a);
        }
    }

    #[test]
    fn containment_is_what_step_by_step_subtraction_finds(
        a in any_resources(),
        b in any_resources(),
    ) {
        let mut remaining = a.clone();
        let stepwise = b.iter().all(|resource| {
            let contained = remaining.contains_resource(resource);
            remaining -= resource;
            contained
        });
        prop_assert_eq!(a.contains(&b), stepwise);
    }

    #[test]
    fn nothing_is_left_of_a_minus_a(a in any_resources()) {
        prop_assert!((&a - &a).is_empty());
        prop_assert!(a.contains(&a));
    }

    #[test]
    fn messages_and_back(a in any_resources()) {
        prop_assert_eq!(Resources::from(&a.to_messages()), a);
    }

    #[test]
    fn printed_resources_parse(a in any_resources()) {
        let plain = a.filter(|r| r.disk().is_none() && !r.is_revocable());
        let plain = plain.filter(|r| !r.is_dynamically_reserved());
        let parsed: Resources = plain.to_string().parse().expect("what was printed parses");
        prop_assert_eq!(parsed, plain);
    }

    #[test]
    fn parts_make_the_whole(a in any_resources()) {
        prop_assert_eq!(&a.revocable() + &a.non_revocable(), a.clone());
        let reserved: Resources = a.reserved_by_role().values().sum();
        prop_assert_eq!(&a.unreserved() + &reserved, a.clone());
        prop_assert_eq!(a.flatten().cpus(), a.cpus());
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[\\[\\](){}a0-9.,:;* \"\\-]{0,30}") {
        let _ = text.parse::<Resources>();
    }
}
