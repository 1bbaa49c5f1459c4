//! `ReservedResourcesTest`, and roles in `ResourcesTest`.

use super::{labeled, message, of, reservation, reserved, resources};
use crate::resources::{Resources, validate};

#[test]
fn reservations() {
    let unreserved = resources("cpus:1;mem:2;disk:4");
    let role1 = resources("cpus(role1):2;mem(role1):4;disk(role1):8;");
    let role2 = resources("cpus(role2):4;mem(role2):8;disk(role2):6;");
    let all = &(&unreserved + &role1) + &role2;
    let by_role = all.reserved_by_role();
    assert_eq!(by_role.len(), 2);
    assert_eq!((&by_role["role1"], &by_role["role2"]), (&role1, &role2));
    assert_eq!(all.reserved("role1"), role1);
    assert!(all.reserved("*").is_empty());
    assert_eq!(all.unreserved(), unreserved);
}

#[test]
fn flatten_roles() {
    let all = resources("cpus(role1):1;cpus(role2):2;mem(role1):5");
    assert_eq!(all.flatten(), resources("cpus:3;mem:5"));
    assert_eq!(all.flatten_to_role("r"), resources("cpus(r):3;mem(r):5"));
    let reserved = all.flatten_to_reservation("r", &reservation("p"));
    assert_eq!(reserved.to_string(), "cpus(r, p):3; mem(r, p):5");
}

#[test]
fn validation() {
    let labels = labeled("p", "foo", "bar");
    for valid in [
        message("cpus:8"),
        message("cpus(role):8"),
        reserved("cpus(role):8", &reservation("p")),
        reserved("cpus(role):8", &labels),
    ] {
        assert_eq!(validate(&valid), Ok(()));
    }
    let error = validate(&reserved("cpus:8", &reservation("p"))).expect_err("nobody's");
    let expected = "Invalid reservation: role \"*\" cannot be dynamically reserved";
    assert_eq!(error.to_string(), expected);
    let mut dotted = reserved("cpus(role):8", &reservation("p"));
    dotted.role = Some(".".into());
    assert_eq!(validate(&dotted).expect_err(".").to_string(), "Role name '.' is invalid");
}

#[test]
fn equals() {
    let (p1, p2) = (reservation("principal1"), reservation("principal2"));
    let unique: Vec<Resources> = [
        message("cpus:8"),
        message("cpus(role1):8"),
        message("cpus(role2):8"),
        reserved("cpus(role1):8", &p1),
        reserved("cpus(role1):8", &p2),
        reserved("cpus(role2):8", &p1),
        reserved("cpus(role2):8", &p2),
        reserved("cpus(role1):8", &labeled("principal2", "foo", "bar")),
        reserved("cpus(role1):8", &labeled("principal2", "foo", "baz")),
    ]
    .iter()
    .map(of)
    .collect();
    for (i, left) in unique.iter().enumerate() {
        for (j, right) in unique.iter().enumerate() {
            assert_eq!(left == right, i == j, "{left} == {right}");
        }
    }
}

#[test]
fn addition() {
    assert_eq!(resources("cpus(role):8") + &resources("cpus(role):4"), resources("cpus(role):12"));
    let labels = labeled("p", "foo", "bar");
    for reservation in [reservation("p"), labels.clone()] {
        let sum = of(&reserved("cpus(role):8", &reservation))
            + &of(&reserved("cpus(role):4", &reservation));
        assert_eq!(sum, of(&reserved("cpus(role):12", &reservation)));
    }
    let other = labeled("p", "foo", "baz");
    let sum = of(&reserved("cpus(role):6", &labels)) + &of(&reserved("cpus(role):6", &other));
    assert_eq!(sum.len(), 2);
}

#[test]
fn subtraction_and_contains() {
    let (bar, baz) = (labeled("p", "foo", "bar"), labeled("p", "foo", "baz"));
    let plain = resources("cpus(role):8");
    let (with_bar, with_baz) =
        (of(&reserved("cpus(role):8", &bar)), of(&reserved("cpus(role):8", &baz)));
    assert_eq!(&plain - &with_bar, plain);
    assert_eq!(&with_bar - &plain, with_bar);
    assert_eq!(&with_bar - &with_baz, with_bar);
    assert!((&with_bar - &with_bar).is_empty());
    let total = &plain + &with_bar;
    let rest = &(&total - &resources("cpus(role):2")) - &of(&reserved("cpus(role):4", &bar));
    assert_eq!(rest, resources("cpus(role):6") + &of(&reserved("cpus(role):4", &bar)));
    assert!(total.contains(&plain) && total.contains(&with_bar) && total.contains(&total));
    assert!(!plain.contains(&total) && !with_bar.contains(&plain));
}
