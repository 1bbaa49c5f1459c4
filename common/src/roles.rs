//! Names of roles: what is well-formed, and lists of them in flags.
//! Called for resources, quotas and `--roles`; a framework's own role is not checked so.
//! Upstream: `mesos::roles` in `common/roles.cpp`.

/// The role of all that is not reserved.
pub const DEFAULT_ROLE: &str = "*";

/// Why a text is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// No character at all.
    #[error("Empty role name is invalid")]
    Empty,
    /// `.` or `..`.
    #[error("Role name '{0}' is invalid")]
    Dots(String),
    /// A dash in front.
    #[error("Role name '{0}' is invalid because it starts with a dash")]
    LeadingDash(String),
    /// A slash, a delete character or white space.
    #[error("Role name '{0}' is invalid because it contains slash, backspace or whitespace")]
    InvalidCharacter(String),
}

/// Whether a name can be a role.
pub fn validate(role: &str) -> Result<(), InvalidRole> {
    const INVALID: [char; 8] = ['\t', '\n', '\x0b', '\x0c', '\r', ' ', '/', '\x7f'];
    match role {
        "" => Err(InvalidRole::Empty),
        "." | ".." => Err(InvalidRole::Dots(role.to_owned())),
        _ if role.starts_with('-') => Err(InvalidRole::LeadingDash(role.to_owned())),
        _ if role.contains(INVALID) => Err(InvalidRole::InvalidCharacter(role.to_owned())),
        _ => Ok(()),
    }
}

/// Splits `a,b` at commas, dropping empty parts, and checks each name.
pub fn parse(text: &str) -> Result<Vec<String>, InvalidRole> {
    text.split(',')
        .filter(|role| !role.is_empty())
        .map(|role| validate(role).map(|()| role.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{InvalidRole, parse, validate};

    #[test]
    fn parsing() {
        assert_eq!(
            parse("foo,bar,,baz").as_deref(),
            Ok(&["foo", "bar", "baz"].map(String::from)[..])
        );
        assert_eq!(parse("foo,,bar, -baz"), Err(InvalidRole::InvalidCharacter(" -baz".into())));
        assert_eq!(parse("foo,-"), Err(InvalidRole::LeadingDash("-".into())));
    }

    #[test]
    fn validates_names() {
        for role in ["foo", "123", "foo_123", "*", "foo-bar", "foo.bar", "foo..bar", "..."] {
            assert_eq!(validate(role), Ok(()), "{role}");
        }
        let check = |role: &str, expected: &str| {
            assert_eq!(validate(role).expect_err(role).to_string(), expected);
        };
        check("", "Empty role name is invalid");
        check(".", "Role name '.' is invalid");
        check("..", "Role name '..' is invalid");
        check("-a", "Role name '-a' is invalid because it starts with a dash");
        for role in ["a/b", "a b", "a\tb", "a\nb", "a\x0bb", "a\x0cb", "a\rb", "a\x7fb"] {
            let why = "is invalid because it contains slash, backspace or whitespace";
            check(role, &format!("Role name '{role}' {why}"));
        }
    }
}
