//! Actions of the log as protobuf's text format has them. Called by `read`.
//! Upstream: `Message::PrintDebugString`.

use std::fmt;

use proto::mesos::internal::log::Action;

/// Prints an action.
pub(super) struct Text<'a>(pub(super) &'a Action);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.0;
        writeln!(f, "position: {}", action.position)?;
        writeln!(f, "promised: {}", action.promised)?;
        if let Some(performed) = action.performed {
            writeln!(f, "performed: {performed}")?;
        }
        if let Some(learned) = action.learned {
            writeln!(f, "learned: {learned}")?;
        }
        if action.r#type.is_some() {
            writeln!(f, "type: {}", action.r#type().as_str_name())?;
        }
        if let Some(nop) = &action.nop {
            writeln!(f, "nop {{")?;
            if let Some(tombstone) = nop.tombstone {
                writeln!(f, "  tombstone: {tombstone}")?;
            }
            writeln!(f, "}}")?;
        }
        if let Some(append) = &action.append {
            writeln!(f, "append {{\n  bytes: \"{}\"", Escaped(&append.bytes))?;
            if let Some(cksum) = &append.cksum {
                writeln!(f, "  cksum: \"{}\"", Escaped(cksum))?;
            }
            writeln!(f, "}}")?;
        }
        if let Some(truncate) = &action.truncate {
            writeln!(f, "truncate {{\n  to: {}\n}}", truncate.to)?;
        }
        Ok(())
    }
}

/// Bytes between quotes. Upstream: `CEscape`.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                b'"' | b'\'' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\{byte:03o}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proto::mesos::internal::log::action::{Append, Nop, Truncate, Type};

    use super::*;

    #[test]
    fn actions_print_as_protobuf_prints_them() {
        let check = |action: Action, expected: &str| {
            assert_eq!(Text(&action).to_string(), expected);
        };
        let action = Action { position: 5, promised: 1, ..Action::default() };
        check(action.clone(), "position: 5\npromised: 1\n");
        let bytes = b"a\0\x7f\xff\n\"'\\".as_slice().into();
        check(
            Action {
                performed: Some(1),
                learned: Some(true),
                r#type: Some(Type::Append.into()),
                append: Some(Append { bytes, cksum: None }),
                ..action.clone()
            },
            "position: 5\npromised: 1\nperformed: 1\nlearned: true\ntype: APPEND\nappend {\n  \
             bytes: \"a\\000\\177\\377\\n\\\"\\'\\\\\"\n}\n",
        );
        check(
            Action { nop: Some(Nop::default()), ..action.clone() },
            "position: 5\npromised: 1\nnop {\n}\n",
        );
        check(
            Action { truncate: Some(Truncate { to: 4 }), ..action },
            "position: 5\npromised: 1\ntruncate {\n  to: 4\n}\n",
        );
    }
}
