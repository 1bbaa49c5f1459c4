//! Resources from flag text, `cpus:4;mem(role):1024;ports:[31000-32000]`, or from JSON.
//! Called for `--resources` and the like. Refuses what cannot be said at a command line:
//! volumes, reservations, revocable resources. Upstream: `Resources::parse`.

use std::collections::HashMap;
use std::str::FromStr;

use proto::mesos;
use stout::text;

use super::Resources;
use super::display::print_message;
use super::resource::{Resource, ResourceValue};
use super::validate::InvalidResource;
use crate::json::protobuf::{ParseError as JsonError, parse_array};
use crate::roles::{self, DEFAULT_ROLE};
use crate::values::{Scalar, Value, ValueError};

/// Why a text is no resources.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// Not exactly one colon between name and value.
    #[error("Bad value for resources, missing or extra ':' in {0}")]
    Colon(String),
    /// `(` without `)`, or the other way round.
    #[error("Bad value for resources, mismatched parentheses in {0}")]
    Parentheses(String),
    /// No value after the colon.
    #[error("Failed to parse resource {name} value {value} error {cause}")]
    Value {
        /// The resource.
        name: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        cause: ValueError,
    },
    /// A text is no amount.
    #[error("Bad type for resource {name} value {value} type {type_name}")]
    Type {
        /// The resource.
        name: String,
        /// Its value.
        value: String,
        /// Its type in the schema.
        type_name: &'static str,
    },
    /// Parsed, but not well-formed.
    #[error("Bad value for resources, {cause} in {token}")]
    Token {
        /// The resource.
        token: String,
        /// What is wrong with it.
        cause: InvalidResource,
    },
    /// JSON of another shape than resources.
    #[error("Some JSON resources were not formatted properly: {0}")]
    Json(#[from] JsonError),
    /// Resources in JSON that are not well-formed.
    #[error(transparent)]
    Invalid(#[from] InvalidResource),
    /// Nothing of something in JSON.
    #[error("Some JSON resources were empty: {0}")]
    Empty(String),
    /// A volume.
    #[error("Persistent volumes cannot be specified at the command line")]
    PersistentVolume,
    /// A revocable resource.
    #[error(
        "Revocable resources cannot be specified at the command line; \
         do not include a 'revocable' key in the resources JSON"
    )]
    Revocable,
    /// A dynamic reservation.
    #[error(
        "Dynamic reservations cannot be specified at the command line; \
         do not include a 'reservation' key in the resources JSON"
    )]
    Reservation,
    /// One name, two types.
    #[error("Resources with the same name ('{0}') but different types are not allowed")]
    MixedTypes(String),
}

impl Resources {
    /// Parses flag text or a JSON array; what names no role gets `default_role`. An amount of
    /// nothing vanishes from text and is an error in JSON.
    pub fn parse(text: &str, default_role: &str) -> Result<Resources, ParseError> {
        let resources = match stout::json::parse(text) {
            Ok(json @ serde_json::Value::Array(_)) => parse_json(&json, default_role)?,
            _ => text::tokenize(text, ";")
                .into_iter()
                .map(|token| parse_token(token, default_role))
                .collect::<Result<Resources, ParseError>>()?,
        };
        validate_flag(&resources)?;
        Ok(resources)
    }
}

impl FromStr for Resources {
    type Err = ParseError;

    /// Parses with `*` as default role.
    fn from_str(text: &str) -> Result<Resources, ParseError> {
        Resources::parse(text, DEFAULT_ROLE)
    }
}

impl Resource {
    /// Parses one resource from its parts.
    pub fn parse(name: &str, value: &str, role: &str) -> Result<Resource, ParseError> {
        let parsed: Value = value.parse().map_err(|cause| ParseError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            cause,
        })?;
        let value = match parsed {
            Value::Scalar(scalar) if scalar < 0.0 => return Err(InvalidResource::Negative.into()),
            Value::Scalar(scalar) => ResourceValue::Scalar(Scalar::from_f64(scalar)),
            Value::Ranges(ranges) => ResourceValue::Ranges(ranges),
            Value::Set(set) => ResourceValue::Set(set),
            Value::Text(_) => {
                return Err(ParseError::Type {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    type_name: parsed.type_name(),
                });
            }
        };
        if name.is_empty() {
            return Err(InvalidResource::EmptyName.into());
        }
        roles::validate(role).map_err(InvalidResource::from)?;
        Ok(Resource::new(name, role, value))
    }
}

fn parse_token(token: &str, default_role: &str) -> Result<Resource, ParseError> {
    let [key, value] = text::tokenize(token, ":")[..] else {
        return Err(ParseError::Colon(token.to_owned()));
    };
    let (name, role) = match (key.find('('), key.find(')')) {
        (None, _) => (key, default_role),
        (Some(open), Some(close)) if open < close => (&key[..open], &key[open + 1..close]),
        _ => return Err(ParseError::Parentheses(token.to_owned())),
    };
    Resource::parse(text::trim(name), value, text::trim(role)).map_err(|error| match error {
        ParseError::Invalid(cause) => ParseError::Token { token: token.to_owned(), cause },
        other => other,
    })
}

fn parse_json(json: &serde_json::Value, default_role: &str) -> Result<Resources, ParseError> {
    let mut result = Resources::new();
    for mut message in parse_array::<mesos::Resource>(json)? {
        message.role.get_or_insert_with(|| default_role.to_owned());
        let resource = Resource::try_from(&message)?;
        if resource.is_empty() {
            return Err(ParseError::Empty(print_message(&message)));
        }
        result += resource;
    }
    Ok(result)
}

fn validate_flag(resources: &Resources) -> Result<(), ParseError> {
    let mut types = HashMap::new();
    for resource in resources {
        if resource.is_persistent_volume() {
            return Err(ParseError::PersistentVolume);
        }
        if resource.is_revocable() {
            return Err(ParseError::Revocable);
        }
        if resource.is_dynamically_reserved() {
            return Err(ParseError::Reservation);
        }
        let value_type = resource.value().value_type();
        if *types.entry(resource.name()).or_insert(value_type) != value_type {
            return Err(ParseError::MixedTypes(resource.name().to_owned()));
        }
    }
    Ok(())
}
