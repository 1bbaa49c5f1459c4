//! Who may do what: the answer that access control lists give to a request.
//! Pure; called by the master's local authorizer. The first entry whose subjects and objects
//! match decides, even if it denies; without one, `permissive` does.
//! Upstream: `LocalAuthorizerProcess`.

use proto::mesos::AcLs;
use proto::mesos::acl::{Entity, entity};

/// What is asked for; the comment says what its objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Roles.
    RegisterFramework,
    /// Users.
    RunTask,
    /// Principals of frameworks.
    TeardownFramework,
    /// Roles.
    ReserveResources,
    /// Principals of reservations.
    UnreserveResources,
    /// Roles.
    CreateVolume,
    /// Principals of volumes.
    DestroyVolume,
    /// Roles.
    SetQuota,
    /// Principals of quotas.
    RemoveQuota,
}

/// Whether `subject` may do the action to `object`.
pub fn is_authorized(acls: &AcLs, action: Action, subject: &Entity, object: &Entity) -> bool {
    let decisive = entries(acls, action)
        .into_iter()
        .find(|(subjects, objects)| matches(subject, subjects) && matches(object, objects));
    match decisive {
        Some((subjects, objects)) => allows(subject, subjects) && allows(object, objects),
        None => acls.permissive(),
    }
}

/// Anyone or anything: also what an unset principal is asked as.
pub fn any() -> Entity {
    Entity { r#type: Some(entity::Type::Any.into()), values: Vec::new() }
}

/// The named ones.
pub fn some<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Entity {
    Entity { r#type: None, values: values.into_iter().map(Into::into).collect() }
}

/// A principal, or anyone if it is unset.
pub fn principal(principal: Option<&str>) -> Entity {
    principal.map_or_else(any, |principal| some([principal]))
}

macro_rules! pairs {
    ($list:expr, $objects:ident) => {
        $list.iter().map(|entry| (&entry.principals, &entry.$objects)).collect()
    };
}

/// Subjects and objects of the entries for an action, in order.
fn entries(acls: &AcLs, action: Action) -> Vec<(&Entity, &Entity)> {
    match action {
        Action::RegisterFramework => pairs!(acls.register_frameworks, roles),
        Action::RunTask => pairs!(acls.run_tasks, users),
        // COMPAT: `LocalAuthorizerProcess::authorize` reads the older list first; held by
        // `teardown_reads_the_older_list_first`.
        Action::TeardownFramework => {
            let mut older: Vec<_> = pairs!(acls.shutdown_frameworks, framework_principals);
            let newer: Vec<_> = pairs!(acls.teardown_frameworks, framework_principals);
            older.extend(newer);
            older
        }
        Action::ReserveResources => pairs!(acls.reserve_resources, roles),
        Action::UnreserveResources => pairs!(acls.unreserve_resources, reserver_principals),
        Action::CreateVolume => pairs!(acls.create_volumes, roles),
        Action::DestroyVolume => pairs!(acls.destroy_volumes, creator_principals),
        Action::SetQuota => pairs!(acls.set_quotas, roles),
        Action::RemoveQuota => pairs!(acls.remove_quotas, quota_principals),
    }
}

fn matches(request: &Entity, acl: &Entity) -> bool {
    match (request.r#type(), acl.r#type()) {
        (entity::Type::None, acl) => acl == entity::Type::None,
        (entity::Type::Any, acl) => acl != entity::Type::Some,
        (entity::Type::Some, entity::Type::Any | entity::Type::None) => true,
        (entity::Type::Some, entity::Type::Some) => is_subset(request, acl),
    }
}

fn allows(request: &Entity, acl: &Entity) -> bool {
    match (request.r#type(), acl.r#type()) {
        (entity::Type::None, acl) => acl == entity::Type::None,
        (entity::Type::Any, acl) => acl == entity::Type::Any,
        (entity::Type::Some, entity::Type::Any) => true,
        (entity::Type::Some, entity::Type::None) => false,
        (entity::Type::Some, entity::Type::Some) => is_subset(request, acl),
    }
}

fn is_subset(request: &Entity, acl: &Entity) -> bool {
    request.values.iter().all(|value| acl.values.contains(value))
}

#[cfg(test)]
mod tests {
    use super::{Action, any, is_authorized, principal, some};
    use crate::json::protobuf::parse;
    use proto::mesos::AcLs;
    use proto::mesos::acl::{Entity, entity};

    fn acls(text: &str) -> AcLs {
        parse(&serde_json::from_str(text).expect("JSON")).expect("ACLs")
    }

    #[test]
    fn only_some_principals_run_as_some_users() {
        let acls = acls(
            r#"{"run_tasks": [
                {"principals": {"values": ["foo", "bar"]}, "users": {"values": ["u1", "u2"]}},
                {"principals": {"type": "NONE"}, "users": {"values": ["u1", "u2"]}}]}"#,
        );
        let check = |subjects: &[&str], users: &[&str], expected: bool| {
            let (subject, object) = (some(subjects.to_vec()), some(users.to_vec()));
            assert_eq!(is_authorized(&acls, Action::RunTask, &subject, &object), expected);
        };
        check(&["foo", "bar"], &["u1", "u2"], true);
        check(&["baz"], &["u1"], false);
        check(&["baz"], &["u3"], true);
        assert!(!is_authorized(&acls, Action::RunTask, &any(), &some(["u1"])));
    }

    #[test]
    fn some_principal_only_some_user() {
        let acls = acls(
            r#"{"run_tasks": [
                {"principals": {"values": ["foo"]}, "users": {"values": ["u1"]}},
                {"principals": {"values": ["foo"]}, "users": {"type": "NONE"}}]}"#,
        );
        let check = |subject: Option<&str>, user: &str, expected: bool| {
            let subject = principal(subject);
            assert_eq!(is_authorized(&acls, Action::RunTask, &subject, &some([user])), expected);
        };
        check(Some("foo"), "u1", true);
        check(Some("foo"), "u2", false);
        check(Some("bar"), "u2", true);
        check(None, "u2", true);
    }

    #[test]
    fn restrictive_lists_deny_what_they_do_not_name() {
        let acls = acls(
            r#"{"permissive": false, "register_frameworks": [
                {"principals": {"type": "ANY"}, "roles": {"values": ["*"]}}]}"#,
        );
        let check = |action: Action, role: &str, expected: bool| {
            assert_eq!(is_authorized(&acls, action, &any(), &some([role])), expected);
        };
        check(Action::RegisterFramework, "*", true);
        check(Action::RegisterFramework, "ads", false);
        check(Action::RunTask, "*", false);
    }

    #[test]
    fn teardown_reads_the_older_list_first() {
        let acls = acls(
            r#"{"shutdown_frameworks": [{"principals": {"values": ["p"]},
                    "framework_principals": {"type": "NONE"}}],
                "teardown_frameworks": [{"principals": {"values": ["p", "q"]},
                    "framework_principals": {"type": "ANY"}}]}"#,
        );
        let check = |subject: &str, expected: bool| {
            let (subject, object) = (some([subject]), some(["f"]));
            let action = Action::TeardownFramework;
            assert_eq!(is_authorized(&acls, action, &subject, &object), expected);
        };
        check("p", false);
        check("q", true);
    }

    #[test]
    fn every_action_has_its_list() {
        for (list, objects, action) in [
            ("reserve_resources", "roles", Action::ReserveResources),
            ("unreserve_resources", "reserver_principals", Action::UnreserveResources),
            ("create_volumes", "roles", Action::CreateVolume),
            ("destroy_volumes", "creator_principals", Action::DestroyVolume),
            ("set_quotas", "roles", Action::SetQuota),
            ("remove_quotas", "quota_principals", Action::RemoveQuota),
        ] {
            let text = format!(
                r#"{{"{list}": [{{"principals": {{"values": ["p"]}},
                    "{objects}": {{"type": "NONE"}}}}]}}"#
            );
            let acls = acls(&text);
            assert!(!is_authorized(&acls, action, &some(["p"]), &some(["x"])), "{list}");
            assert!(is_authorized(&acls, action, &some(["q"]), &some(["x"])), "{list}");
        }
    }

    #[test]
    fn match_and_allow_tables() {
        let types = [entity::Type::Some, entity::Type::None, entity::Type::Any];
        let entity = |kind: entity::Type| Entity {
            r#type: Some(kind.into()),
            values: if kind == entity::Type::Some { vec!["v".into()] } else { Vec::new() },
        };
        let table = |decide: fn(&Entity, &Entity) -> bool| {
            types.map(|request| types.map(|acl| decide(&entity(request), &entity(acl))))
        };
        let matches = [[true, true, true], [false, true, false], [false, true, true]];
        assert_eq!(table(super::matches), matches);
        let allows = [[true, false, true], [false, true, false], [false, false, true]];
        assert_eq!(table(super::allows), allows);
    }
}
