//! Principals and their secrets from the text of a file: JSON, or a pair in each line.
//! Reading the file and warning of its permissions is the caller's. Secrets never show in an
//! error. Upstream: `credentials::read`, `credentials::readCredential`.

use proto::mesos::{Credential, Credentials};
use stout::json;
use stout::text::tokenize;

use crate::json::protobuf::parse;

/// Why a text is no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// A line that is not a principal, a blank and a secret; lines count from 1.
    #[error("Invalid credential format at line {0}")]
    Line(usize),
    /// Not a principal, a blank and a secret.
    #[error("Invalid credential format")]
    Format,
    /// More or less than one.
    #[error("Expecting only one credential")]
    NotOne,
}

/// Many credentials: `{"credentials": [{"principal": …, "secret": …}]}`, or a pair in each line.
pub fn parse_credentials(text: &str) -> Result<Vec<Credential>, InvalidCredentials> {
    let message = json::parse(text).ok().and_then(|json| parse::<Credentials>(&json).ok());
    if let Some(message) = message {
        return Ok(message.credentials);
    }
    tokenize(text, "\n")
        .into_iter()
        .enumerate()
        .map(|(index, line)| parse_line(line).ok_or(InvalidCredentials::Line(index + 1)))
        .collect()
}

/// One credential: `{"principal": …, "secret": …}`, or a pair in a line.
pub fn parse_credential(text: &str) -> Result<Credential, InvalidCredentials> {
    let message = json::parse(text).ok().and_then(|json| parse::<Credential>(&json).ok());
    if let Some(message) = message {
        return Ok(message);
    }
    let [line] = tokenize(text, "\n")[..] else { return Err(InvalidCredentials::NotOne) };
    parse_line(line).ok_or(InvalidCredentials::Format)
}

fn parse_line(line: &str) -> Option<Credential> {
    let [principal, secret] = tokenize(line, " ")[..] else { return None };
    let (principal, secret) = (principal.to_owned(), Some(secret.into()));
    Some(Credential { principal, secret })
}

#[cfg(test)]
mod tests {
    use super::{InvalidCredentials, parse_credential, parse_credentials};
    use proto::mesos::Credential;

    fn credential(principal: &str, secret: &str) -> Credential {
        Credential { principal: principal.into(), secret: Some(secret.into()) }
    }

    #[test]
    fn text_and_json() {
        let expected = vec![credential("p", "s"), credential("q", "t")];
        let json = r#"{"credentials": [{"principal": "p", "secret": "s"},
            {"principal": "q", "secret": "t"}]}"#;
        assert_eq!(parse_credentials("p s\n\nq  t\n"), Ok(expected.clone()));
        assert_eq!(parse_credentials(json), Ok(expected));
        assert_eq!(parse_credentials(""), Ok(Vec::new()));
        let one = r#"{"principal": "p", "secret": "s"}"#;
        assert_eq!(parse_credential(one), Ok(credential("p", "s")));
        assert_eq!(parse_credential("p s\n"), Ok(credential("p", "s")));
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(parse_credentials("p s\nq"), Err(InvalidCredentials::Line(2)));
        assert_eq!(parse_credentials("p s t"), Err(InvalidCredentials::Line(1)));
        assert_eq!(parse_credential("p"), Err(InvalidCredentials::Format));
        assert_eq!(parse_credential("p s\nq t"), Err(InvalidCredentials::NotOne));
        assert_eq!(parse_credential(""), Err(InvalidCredentials::NotOne));
        let message = InvalidCredentials::Line(1).to_string();
        assert_eq!(message, "Invalid credential format at line 1");
    }
}
