//! What upstream's `json_tests.cpp` and `jsonify_tests.cpp` hold, and round trips.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ParseError, array, object, parse, parse_object, to_string, to_vec};

#[test]
fn jsonify_test_boolean() {
    assert_eq!(to_string(&true), "true");
    assert_eq!(to_string(&false), "false");
}

#[test]
fn jsonify_test_number() {
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (1024.0, "1024.0"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.3"),
        (1234567890.12345, "1234567890.12345"),
        (1448058982.47, "1448058982.47"),
        (0.00012345, "0.00012345"),
        (999999999999999.0, "999999999999999.0"),
        (99999999999999.96, "100000000000000.0"),
        (1.5e300, "1.50000000000000e+300"),
        (1e20, "1.00000000000000e+20"),
        (1e-5, "1.00000000000000e-05"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
    ] {
        assert_eq!(to_string(&value), expected);
    }
    assert_eq!(to_string(&0), "0");
    assert_eq!(to_string(&-2), "-2");
    assert_eq!(to_string(&u64::MAX), "18446744073709551615");
    assert_eq!(to_string(&i64::MIN), "-9223372036854775808");
}

#[test]
fn jsonify_test_string() {
    assert_eq!(to_string("hello world!"), r#""hello world!""#);
    assert_eq!(
        to_string("\"\\/\u{8}\u{c}\n\r\t\0\u{19} !#[]\u{7f}é"),
        r#""\"\\\/\b\f\n\r\t\u0000\u0019 !#[]\u007fé""#
    );
}

#[test]
fn bytes_pass_through_unharmed() {
    let document = object(|object| object.field_with("data", |slot| slot.bytes(b"\xff/\x01")));
    assert_eq!(document, b"{\"data\":\"\xff\\/\\u0001\"}");
}

#[test]
fn jsonify_test_array() {
    assert_eq!(to_string(&vec![true, false]), "[true,false]");
    assert_eq!(to_string(&vec![vec![1, 2], vec![]]), "[[1,2],[]]");
    let document = array(|array| {
        array.element("x");
        array.object(|object| object.field("y", 1.0));
        array.element_with(|_| ());
    });
    assert_eq!(document, br#"["x",{"y":1.0},null]"#);
}

#[test]
fn jsonify_test_object() {
    let document = object(|object| {
        object.field("mem", 0.0);
        object.field("cpus", 2);
        object.object("nested/", |nested| nested.field("id", "a/b"));
        object.array("list", |list| list.element(1));
        object.field("empty", Vec::<u8>::new());
        object.object("none", |_| ());
    });
    assert_eq!(
        String::from_utf8(document).unwrap(),
        r#"{"mem":0.0,"cpus":2,"nested\/":{"id":"a\/b"},"list":[1],"empty":[],"none":{}}"#
    );
}

#[test]
fn sorted_objects_sort_by_the_bytes_of_their_keys() {
    let document = object(|object| {
        object.sorted_object("sorted", |sorted| {
            for key in ["b", "é", "a", "B", "", "a/", "aa"] {
                sorted.field(key, 1);
            }
            sorted.field("a", 2);
        });
    });
    assert_eq!(
        String::from_utf8(document).unwrap(),
        r#"{"sorted":{"":1,"B":1,"a":2,"a\/":1,"aa":1,"b":1,"é":1}}"#
    );
}

#[test]
fn json_test_parse() {
    assert_eq!(parse(" {\"a\" : [1, 2.5, null, true, \"x\"]}\n"), {
        Ok(json!({"a": [1, 2.5, null, true, "x"]}))
    });
    assert_eq!(parse("{\"a\":1,\"a\":2}"), Ok(json!({"a": 2})));
    assert_eq!(parse_object("[]"), Err(ParseError::Type));
    for (text, expected) in [
        ("", "syntax error at line 1 near: "),
        ("{bad", "syntax error at line 1 near: bad"),
        ("{\"a\":bad}", "syntax error at line 1 near: bad}"),
        ("{\n \"a\":\nbad\t}\n}", "syntax error at line 3 near: bad}"),
        ("{\"a\":1", "syntax error at line 1 near: "),
        ("{} x", "Parsed JSON included non-whitespace trailing characters: x"),
        ("é", "syntax error at line 1 near: é"),
    ] {
        assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expected.to_string()));
    }
    assert!(parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn json_test_number_format() {
    let value = json!({"b": 2.0, "a": -1, "c": u64::MAX, "d": 1e-7});
    assert_eq!(
        to_string(&value),
        r#"{"a":-1,"b":2.0,"c":18446744073709551615,"d":1.00000000000000e-07}"#
    );
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_000_i64..1_000_000_000).prop_map(|n| Value::from(n as f64 / 1000.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_reads_back(document in documents()) {
        prop_assert_eq!(parse(&to_string(&document)), Ok(document));
    }

    #[test]
    fn doubles_are_json_within_fifteen_digits(value: f64) {
        prop_assume!(value.is_normal());
        let read = parse(&to_string(&value)).unwrap().as_f64().unwrap();
        prop_assert!(((read - value) / value).abs() < 1e-14, "{} {}", value, read);
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]{}:,\"\\\\a-zé0-9.\n -]{0,20}") {
        let _ = parse(&text);
    }

    #[test]
    fn escaping_matches_what_serde_reads(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let read: String = serde_json::from_slice(&to_vec(&text)).unwrap();
        prop_assert_eq!(read, text);
    }
}
