//! Labels: comparison without order, and how a log line shows them.
//! Upstream: `operator==(Labels)` in `common/type_utils.cpp`, `operator<<(Labels)` in
//! `common/resources.cpp`.

use proto::mesos::{Label, Labels};

/// A label with or without a value.
pub fn label(key: &str, value: Option<&str>) -> Label {
    Label { key: key.to_owned(), value: value.map(str::to_owned) }
}

/// Whether both hold the same labels in any order. An absent value equals an empty one.
pub fn are_equal(left: &Labels, right: &Labels) -> bool {
    left.labels == right.labels || sorted(left) == sorted(right)
}

/// `{key: value, key}`.
pub fn print(labels: &Labels) -> String {
    let labels: Vec<String> = labels
        .labels
        .iter()
        .map(|label| match &label.value {
            Some(value) => format!("{}: {value}", label.key),
            None => label.key.clone(),
        })
        .collect();
    format!("{{{}}}", labels.join(", "))
}

fn sorted(labels: &Labels) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = labels.labels.iter().map(|l| (l.key.as_str(), l.value())).collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::{are_equal, label, print};
    use proto::mesos::Labels;

    fn labels(pairs: &[(&str, Option<&str>)]) -> Labels {
        Labels { labels: pairs.iter().map(|(key, value)| label(key, *value)).collect() }
    }

    #[test]
    fn order_does_not_matter() {
        let left = labels(&[("a", Some("1")), ("b", None)]);
        assert!(are_equal(&left, &labels(&[("b", None), ("a", Some("1"))])));
        assert!(are_equal(&left, &labels(&[("b", Some("")), ("a", Some("1"))])));
        assert!(!are_equal(&left, &labels(&[("a", Some("1")), ("a", Some("1"))])));
        assert!(!are_equal(&left, &labels(&[("a", Some("1"))])));
    }

    #[test]
    fn prints_keys_and_values() {
        assert_eq!(print(&labels(&[("foo", Some("bar")), ("foo", None)])), "{foo: bar, foo}");
        assert_eq!(print(&labels(&[])), "{}");
    }
}
