//! Attributes of a slave: parsing `--attributes`, printing, and comparison.
//! Values keep their full precision here, since `/state` shows it. Sets are no attributes.
//! Upstream: `mesos::Attributes` in `common/attributes.cpp`.

use std::fmt;
use std::str::FromStr;

use proto::mesos::{Attribute, value};
use stout::text;

use crate::resources::{ranges_from, ranges_to};
use crate::values::{Scalar, Value, ValueError};

/// Named values in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<Attribute>);

/// Why a text is no attributes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No colon, or nothing on one side of it.
    #[error("Invalid attribute key:value pair '{0}'")]
    Pair(String),
    /// A value that does not parse.
    #[error("Failed to parse attribute {name} text {text} error {cause}")]
    Value {
        /// The attribute.
        name: String,
        /// Its value.
        text: String,
        /// What is wrong with it.
        cause: ValueError,
    },
    /// A set.
    #[error("Bad type for attribute {name} text {text} type {type_name}: not supported")]
    Type {
        /// The attribute.
        name: String,
        /// Its value.
        text: String,
        /// The type's name in the schema.
        type_name: &'static str,
    },
}

impl Attributes {
    /// The attributes in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Attribute> {
        self.0.iter()
    }

    /// As repeated field of a message.
    pub fn to_messages(&self) -> Vec<Attribute> {
        self.0.clone()
    }
}

impl From<&[Attribute]> for Attributes {
    fn from(attributes: &[Attribute]) -> Attributes {
        Attributes(attributes.to_vec())
    }
}

impl FromStr for Attributes {
    type Err = ParseError;

    /// Parses `name:value;name:value`; a value may hold further colons.
    fn from_str(text: &str) -> Result<Attributes, ParseError> {
        text::tokenize(text, ";\n").into_iter().map(parse).collect::<Result<_, _>>().map(Attributes)
    }
}

/// Equal in number, and each of one side is on the other under its name and type.
impl PartialEq for Attributes {
    fn eq(&self, other: &Attributes) -> bool {
        self.0.len() == other.0.len()
            && self.iter().all(|attribute| {
                let namesake = other.iter().find(|candidate| {
                    candidate.name == attribute.name && candidate.r#type == attribute.r#type
                });
                namesake.is_some_and(|namesake| are_values_equal(attribute, namesake))
            })
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<String> = self.iter().map(print).collect();
        f.write_str(&attributes.join("; "))
    }
}

/// `name=value`.
pub fn print(attribute: &Attribute) -> String {
    format!("{}={}", attribute.name, print_value(attribute))
}

/// The value alone; a scalar with three decimals at most.
pub fn print_value(attribute: &Attribute) -> String {
    match attribute.r#type() {
        value::Type::Scalar => scalar(attribute).to_string(),
        value::Type::Ranges => {
            attribute.ranges.as_ref().map(ranges_from).unwrap_or_default().to_string()
        }
        value::Type::Set => {
            let items: Vec<&str> =
                attribute.set.iter().flat_map(|set| &set.item).map(String::as_str).collect();
            format!("{{{}}}", items.join(", "))
        }
        value::Type::Text => {
            attribute.text.as_ref().map(|text| text.value.clone()).unwrap_or_default()
        }
    }
}

fn parse(pair: &str) -> Result<Attribute, ParseError> {
    let (name, text) = pair
        .split_once(':')
        .filter(|(name, text)| !name.is_empty() && !text.is_empty())
        .ok_or_else(|| ParseError::Pair(pair.to_owned()))?;
    let value = text.parse().map_err(|cause| ParseError::Value {
        name: name.to_owned(),
        text: text.to_owned(),
        cause,
    })?;
    let mut attribute = Attribute { name: name.to_owned(), ..Attribute::default() };
    match value {
        Value::Scalar(value) => {
            attribute.set_type(value::Type::Scalar);
            attribute.scalar = Some(value::Scalar { value });
        }
        Value::Ranges(ranges) => {
            attribute.set_type(value::Type::Ranges);
            attribute.ranges = Some(ranges_to(&ranges));
        }
        Value::Text(value) => {
            attribute.set_type(value::Type::Text);
            attribute.text = Some(value::Text { value });
        }
        Value::Set(_) => {
            let (name, text) = (name.to_owned(), text.to_owned());
            return Err(ParseError::Type { name, text, type_name: value.type_name() });
        }
    }
    Ok(attribute)
}

fn are_values_equal(left: &Attribute, right: &Attribute) -> bool {
    match left.r#type() {
        value::Type::Scalar => scalar(left) == scalar(right),
        value::Type::Ranges => {
            left.ranges.as_ref().map(ranges_from) == right.ranges.as_ref().map(ranges_from)
        }
        value::Type::Set => left.set == right.set,
        value::Type::Text => left.text == right.text,
    }
}

fn scalar(attribute: &Attribute) -> Scalar {
    Scalar::from_f64(attribute.scalar.as_ref().map_or(0.0, |scalar| scalar.value))
}

#[cfg(test)]
mod tests {
    use super::Attributes;
    use proto::mesos::value;

    const ATTRIBUTES: &str = "cpus:45.55;ports:[10000-20000, 30000-50000];rack:rack1,rack2";

    fn attributes(text: &str) -> Attributes {
        text.parse().expect(text)
    }

    #[test]
    fn parsing() {
        let types: Vec<_> = attributes(ATTRIBUTES).iter().map(|a| a.r#type()).collect();
        assert_eq!(types, [value::Type::Scalar, value::Type::Ranges, value::Type::Text]);
        let check = |text: &str, expected: &str| {
            assert_eq!(attributes(text).to_string(), expected);
        };
        check(ATTRIBUTES, "cpus=45.55; ports=[10000-20000, 30000-50000]; rack=rack1,rack2");
        check("attr1:foo:bar;attr2:baz:qux:", "attr1=foo:bar; attr2=baz:qux:");
        check("", "");
    }

    #[test]
    fn parse_error() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Attributes>().expect_err(text).to_string(), expected);
        };
        check("rack", "Invalid attribute key:value pair 'rack'");
        check("a:1;:2", "Invalid attribute key:value pair ':2'");
        check("a:", "Invalid attribute key:value pair 'a:'");
        check("a:[1-2", "Failed to parse attribute a text [1-2 error Mismatched brackets");
        check("kind:{a,b}", "Bad type for attribute kind text {a,b} type SET: not supported");
    }

    #[test]
    fn equality() {
        let all = attributes(ATTRIBUTES);
        let other = "rack:rack1,rack2;ports:[10000-20000,30000-50000];cpus:45.55";
        assert_eq!(all, attributes(other));
        assert_eq!(attributes(""), attributes(""));
        assert_ne!(all, attributes(""));
        assert_ne!(attributes(""), all);
        assert_ne!(all, attributes("cpus:45.55;ports:45.55;rack:45.55"));
        assert_ne!(all, attributes(&ATTRIBUTES.replace("rack2", "rack3")));
    }
}
