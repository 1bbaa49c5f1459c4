//! Parsing of text and JSON, and the texts of its errors.

use super::resources;
use crate::resources::Resources;

#[test]
fn parsing_with_roles() {
    let check = |text: &str, role: &str, expected: &str| {
        let parsed = Resources::parse(text, role).expect(text);
        assert_eq!(parsed.to_string(), expected);
        assert_eq!(resources(&parsed.to_string()), parsed);
    };
    check("cpus(role1):2;mem(role1):3", "*", "cpus(role1):2; mem(role1):3");
    check("cpus:2.5;ports(role2):[0-100]", "role1", "cpus(role1):2.5; ports(role2):[0-100]");
    check(" cpus ( role1 ) : 2 ; mem : 3", "*", "cpus(role1):2; mem(*):3");
    check("cpus:1;cpus:2;mem:0;", "*", "cpus(*):3");
    check("disks:{sda1}", "*", "disks(*):{sda1}");
}

#[test]
fn parse_error() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Resources>().expect_err(text);
        assert_eq!(error.to_string(), expected);
    };
    check("cpus(role1)", "Bad value for resources, missing or extra ':' in cpus(role1)");
    check("cpus:1:2", "Bad value for resources, missing or extra ':' in cpus:1:2");
    check("cpus(role1:1", "Bad value for resources, mismatched parentheses in cpus(role1:1");
    check("cpus)(role1:1", "Bad value for resources, mismatched parentheses in cpus)(role1:1");
    check(
        "foo(role1):1;foo(role2):[0-1]",
        "Resources with the same name ('foo') but different types are not allowed",
    );
    check(
        "ports:[1-2b]",
        "Failed to parse resource ports value [1-2b] error \
         Expecting non-negative integers in '2b'",
    );
    check("cpus:many", "Bad type for resource cpus value many type TEXT");
    check("cpus:-1", "Bad value for resources, Invalid scalar resource: value < 0 in cpus:-1");
    check(
        "cpus(a/b):1",
        "Bad value for resources, Role name 'a/b' is invalid because it contains slash, \
         backspace or whitespace in cpus(a/b):1",
    );
    check("(r):1", "Bad value for resources, Empty resource name in (r):1");
}

#[test]
fn parsing_from_json() {
    let check = |json: &str, expected: &str| {
        let parsed = Resources::parse(json, "ops").expect(json);
        assert_eq!(parsed.to_string(), expected);
    };
    check(
        r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 45.55}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 3}, "role": "*"}]"#,
        "cpus(ops):45.55; mem(*):3",
    );
    check(
        r#"[{"name": "ports", "type": "RANGES", "role": "role1", "ranges": {"range":
            [{"begin": 10000, "end": 20000}, {"begin": 30000, "end": 50000}]}},
            {"name": "pandas", "type": "SET", "set": {"item": ["lun_lun", "yang_yang"]}}]"#,
        "ports(role1):[10000-20000, 30000-50000]; pandas(ops):{lun_lun, yang_yang}",
    );
    check("[]", "");
    check(
        r#"[{"name": "disk", "type": "SCALAR", "scalar": {"value": 5},
            "disk": {"source": {"type": "PATH", "path": {"root": "/mnt"}}}}]"#,
        "disk(ops)[]:5",
    );
}

#[test]
fn parsing_from_json_error() {
    let check = |json: &str, expected: &str| {
        let error = json.parse::<Resources>().expect_err(json).to_string();
        assert!(error.contains(expected), "{json}: {error}");
    };
    let set = r#"{"name": "p", "type": "SET", "set": {"item": ["a", "b"]}}"#;
    check(set, "missing or extra ':'");
    check(&format!("[{set} {set}]"), "missing or extra ':'");
    check(&format!("[[{set}]]"), "formatted properly: Expecting a JSON object");
    check(&format!("[{set}] once upon a time"), "missing or extra ':'");
    check(r#"[{"name": "p", "set": {"item": ["a"]}}]"#, "Missing required fields: type");
    check(r#"[{"name": "", "type": "SET", "set": {"item": ["a"]}}]"#, "Empty resource name");
    check(
        r#"[{"name": "p", "type": "FLOATINGPOINT", "set": {"item": ["a"]}}]"#,
        "formatted properly: Failed to find enum for 'FLOATINGPOINT'",
    );
    check(
        r#"[{"name": "p", "type": "SCALAR", "scalar": {"value": 0}}]"#,
        "Some JSON resources were empty: p(*):0",
    );
    check(
        r#"[{"name": "p", "type": "RANGES", "ranges": {"range": []}, "role": "role1"}]"#,
        "Some JSON resources were empty: p(role1):[]",
    );
    check(
        &format!(r#"[{set}, {{"name": "p", "type": "SCALAR", "scalar": {{"value": 14}}}}]"#),
        "Resources with the same name ('p') but different types are not allowed",
    );
}

#[test]
fn what_a_command_line_cannot_say() {
    let check = |extra: &str, expected: &str| {
        let json = format!(
            r#"[{{"name": "disk", "type": "SCALAR", "scalar": {{"value": 2}}, "role": "r",
                {extra}}}]"#
        );
        let error = json.parse::<Resources>().expect_err(extra);
        assert_eq!(error.to_string(), expected);
    };
    check(
        r#""disk": {"persistence": {"id": "1"}}"#,
        "Persistent volumes cannot be specified at the command line",
    );
    check(
        r#""reservation": {"principal": "p"}"#,
        "Dynamic reservations cannot be specified at the command line; \
         do not include a 'reservation' key in the resources JSON",
    );
    check(
        r#""revocable": {}"#,
        "Revocable resources cannot be specified at the command line; \
         do not include a 'revocable' key in the resources JSON",
    );
}
