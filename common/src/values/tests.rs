//! Upstream's `values_tests.cpp`, the printing of scalars, and the algebra of ranges and sets.

use super::{Range, Ranges, Scalar, Set, Value, ValueError};
use proptest::prelude::*;

fn value(text: &str) -> Value {
    text.parse().expect("a value")
}

fn ranges(text: &str) -> Ranges {
    match value(text) {
        Value::Ranges(ranges) => ranges,
        other => panic!("{other:?} is not ranges"),
    }
}

fn set(text: &str) -> Set {
    match value(text) {
        Value::Set(set) => set,
        other => panic!("{other:?} is not a set"),
    }
}

#[test]
fn valid_input() {
    assert_eq!(value("45.55"), Value::Scalar(45.55));
    assert_eq!(ranges("[10000-20000, 30000-50000]").to_string(), "[10000-20000, 30000-50000]");
    assert_eq!(set("{sda1, sda2}").to_string(), "{sda1, sda2}");
    assert_eq!(value("123abc,s"), Value::Text("123abc,s".into()));
    assert_eq!(value("nan"), Value::Text("nan".into()));
    assert_eq!(value("1e999"), Value::Text("1e999".into()));
}

#[test]
fn invalid_input() {
    let check = |text: &str, expected: ValueError, message: &str| {
        let error = text.parse::<Value>().expect_err(text);
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), message);
    };
    check("{aa,b}}", ValueError::MismatchedBrackets, "Mismatched brackets");
    check("[1-2]]", ValueError::MismatchedBrackets, "Mismatched brackets");
    check("}a{", ValueError::MismatchedBrackets, "Mismatched brackets");
    check(
        "[1-2b]",
        ValueError::NotAnInteger("2b".into()),
        "Expecting non-negative integers in '2b'",
    );
    check("  ", ValueError::Empty, "Expecting non-empty string");
    check("[1-2-3]", ValueError::OddBounds, "Expecting one or more \"ranges\"");
    check("[4-2]", ValueError::Inverted(4, 2), "Expecting begin <= end in range '4-2'");
    check("a[1-2]", ValueError::Unexpected('['), "Unexpected '[' found");
    check("a{b}", ValueError::Unexpected('{'), "Unexpected '{' found");
}

#[test]
fn set_subtraction() {
    let rest = set("{sda1, sda2, sda3}") - &set("{sda2, sda3}");
    assert_eq!(rest, set("{sda1}"));
    assert_eq!(set("{sda4}") - &rest, set("{sda4}"));
}

#[test]
fn set_addition_keeps_order_and_drops_duplicates() {
    assert_eq!((set("{b, a, b}") + &set("{c, a}")).to_string(), "{b, a, c}");
}

#[test]
fn ranges_coalesce_parse() {
    let check = |text: &str, expected: &str| assert_eq!(ranges(text).to_string(), expected);
    check("[1-10]", "[1-10]");
    check("[1-4, 3-5, 7-8, 8-10]", "[1-5, 7-10]");
    check("[4-6, 6-8, 5-9, 3-4, 2-5, 4-6, 1-1, 10-10, 4-6]", "[1-10]");
    check("[4-6, 6-8]", "[4-8]");
    check("[6-8, 4-6]", "[4-8]");
    check("[1-10, 8-10]", "[1-10]");
    check("[1-11, 8-10]", "[1-11]");
    check("[7-8, 1-4, [8-10], 4-5]", "[1-5, 7-10]");
    check("[4-6, 7-7, 9-10, 9-11]", "[4-7, 9-11]");
    check("[6-8, 6-8, 4-6, 6-8]", "[4-8]");
    check("[0-18446744073709551615, 5-6]", "[0-18446744073709551615]");
    check("[]", "[]");
}

#[test]
fn ranges_addition() {
    let check = |left: &str, right: &str, expected: &str| {
        assert_eq!((ranges(left) + &ranges(right)).to_string(), expected);
    };
    check("[3-8]", "[4-10]", "[3-10]");
    check("[3-8]", "[1-4]", "[1-8]");
    check("[2-3]", "[1-4]", "[1-4]");
    check("[2-3]", "[4-6]", "[2-6]");
    check("[3-5]", "[1-2]", "[1-5]");
    check("[3-5, 7-8]", "[6-6]", "[3-8]");
    check("[1-4, 9-10, 20-22, 26-30]", "[5-8, 23-25]", "[1-10, 20-30]");
    check("[1-10]", "[20-21]", "[1-10, 20-21]");
}

#[test]
fn ranges_subtraction() {
    let check = |left: &str, right: &str, expected: &str| {
        assert_eq!((ranges(left) - &ranges(right)).to_string(), expected);
    };
    check("[3-8]", "[1-10]", "[]");
    check("[3-8]", "[3-5]", "[6-8]");
    check("[3-8]", "[5-8]", "[3-4]");
    check("[3-8]", "[5-6]", "[3-4, 7-8]");
    check("[3-8]", "[1-3]", "[4-8]");
    check("[3-8]", "[5-10]", "[3-4]");
    check("[3-8]", "[9-10]", "[3-8]");
    check("[3-8]", "[1-2]", "[3-8]");
    check("[1-10, 20-30, 40-50]", "[2-9, 15-45, 48-50]", "[1-1, 10-10, 46-47]");
    check("[0-18446744073709551615]", "[1-18446744073709551615]", "[0-0]");
}

#[test]
fn scalars_print_as_a_stream_prints_them() {
    let check = |milli: i64, expected: &str| {
        assert_eq!(Scalar::from_milli(milli).to_string(), expected);
    };
    check(0, "0");
    check(1_000, "1");
    check(45_550, "45.55");
    check(1, "0.001");
    check(123_456_789, "123457");
    check(1_234_567_000, "1.23457e+06");
    check(-2_500, "-2.5");
}

#[test]
fn scalars_round_half_away_from_zero() {
    let check = |value: f64, milli: i64| assert_eq!(Scalar::from_f64(value).milli(), milli);
    check(1.5011, 1501);
    check(1.5015, 1502);
    check(-1.5015, -1502);
    check(f64::NAN, 0);
    check(f64::INFINITY, i64::MAX);
    assert_eq!(Scalar::from_milli(1234).to_string(), "1.234");
    assert_eq!(Scalar::from_milli(-1500).to_f64(), -1.5);
}

fn any_ranges() -> impl Strategy<Value = Ranges> {
    let range = (0u64..60, 0u64..8).prop_map(|(begin, len)| Range { begin, end: begin + len });
    prop::collection::vec(range, 0..6).prop_map(|ranges| ranges.into_iter().collect())
}

fn numbers(ranges: &Ranges) -> Vec<u64> {
    ranges.iter().flat_map(|range| range.begin..=range.end).collect()
}

proptest! {
    #[test]
    fn ranges_are_sets_of_numbers(left in any_ranges(), right in any_ranges()) {
        let (a, b) = (numbers(&left), numbers(&right));
        let mut union = a.clone();
        union.extend(&b);
        union.sort_unstable();
        union.dedup();
        prop_assert_eq!(numbers(&(left.clone() + &right)), union);
        let rest: Vec<u64> = a.iter().copied().filter(|n| !b.contains(n)).collect();
        prop_assert_eq!(numbers(&(left.clone() - &right)), rest);
        prop_assert_eq!(left.contains(&right), b.iter().all(|n| a.contains(n)));
        prop_assert_eq!(left.count(), a.len() as u64);
    }

    #[test]
    fn ranges_print_and_parse(left in any_ranges()) {
        prop_assert_eq!(ranges(&left.to_string()), left);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[\\[\\](){}a0-9., \\-]{0,20}") {
        let _ = text.parse::<Value>();
    }

    #[test]
    fn scalars_survive_the_wire(milli in -1_000_000_000_000i64..1_000_000_000_000) {
        let scalar = Scalar::from_milli(milli);
        prop_assert_eq!(Scalar::from_f64(scalar.to_f64()), scalar);
    }
}
