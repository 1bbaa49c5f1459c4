//! Ids as newtypes over shared strings: cheap to clone, ordered, hashable, printed bare.
//! Made from protobuf at the edges of the daemons. Ids are opaque: nothing here parses one;
//! `validate` says whether an id may become the name of a file.
//! Upstream: `FrameworkID`, `SlaveID`, … with their operators in `type_utils.hpp`, and
//! `invalidCharacter` in `master/validation.cpp`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// File systems take no longer name, and ids name directories of the sandbox.
const ID_BYTES_MAX: usize = 255;

/// Why an id cannot be accepted from a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// No character at all.
    #[error("{kind} is empty")]
    Empty {
        /// The message type, such as `TaskID`.
        kind: &'static str,
    },
    /// A control character, `/` or `\`.
    #[error("{kind} '{id}' contains invalid characters")]
    InvalidCharacters {
        /// The message type.
        kind: &'static str,
        /// The id as sent.
        id: Arc<str>,
    },
    /// `.` or `..`, which name other directories.
    #[error("{kind} '{id}' is disallowed")]
    Reserved {
        /// The message type.
        kind: &'static str,
        /// The id as sent.
        id: Arc<str>,
    },
    /// Longer than a file name can be.
    #[error("{kind} has {bytes} bytes, at most {ID_BYTES_MAX} are allowed")]
    TooLong {
        /// The message type.
        kind: &'static str,
        /// The length of the id.
        bytes: usize,
    },
}

/// Whether a character must not occur in an id: control characters, `/` and `\`.
pub fn is_invalid_character(c: char) -> bool {
    c.is_ascii_control() || c == '/' || c == '\\'
}

fn validate(kind: &'static str, id: &Arc<str>) -> Result<(), InvalidId> {
    match &**id {
        "" => Err(InvalidId::Empty { kind }),
        "." | ".." => Err(InvalidId::Reserved { kind, id: id.clone() }),
        text if text.contains(is_invalid_character) => {
            Err(InvalidId::InvalidCharacters { kind, id: id.clone() })
        }
        text if text.len() > ID_BYTES_MAX => Err(InvalidId::TooLong { kind, bytes: text.len() }),
        _ => Ok(()),
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the id can name a file: not empty, `.` or `..`, no control character,
            /// `/` or `\`, at most 255 bytes.
            pub fn validate(&self) -> Result<(), InvalidId> {
                validate($kind, &self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> $name {
                $name(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> $name {
                $name(id.into())
            }
        }

        impl From<&proto::mesos::$name> for $name {
            fn from(id: &proto::mesos::$name) -> $name {
                $name(id.value.as_str().into())
            }
        }

        impl From<proto::mesos::$name> for $name {
            fn from(id: proto::mesos::$name) -> $name {
                $name(id.value.into())
            }
        }

        impl From<&$name> for proto::mesos::$name {
            fn from(id: &$name) -> proto::mesos::$name {
                let mut message = proto::mesos::$name::default();
                message.value.push_str(&id.0);
                message
            }
        }

        impl From<$name> for proto::mesos::$name {
            fn from(id: $name) -> proto::mesos::$name {
                (&id).into()
            }
        }

        impl PartialEq<proto::mesos::$name> for $name {
            fn eq(&self, other: &proto::mesos::$name) -> bool {
                *self.0 == *other.value
            }
        }
    )+};
}

ids! {
    /// A framework: `<master id>-0000`.
    FrameworkId = "FrameworkID";
    /// A slave: `<master id>-S0`.
    SlaveId = "SlaveID";
    /// An offer or an inverse offer: `<master id>-O0`.
    OfferId = "OfferID";
    /// A task, named by its framework.
    TaskId = "TaskID";
    /// An executor, named by its framework; a command task's executor bears the task's name.
    ExecutorId = "ExecutorID";
    /// A container: a random UUID's text.
    ContainerId = "ContainerID";
}

/// `[ <id>, <id> ]`, or `[  ]` when there is none, as log lines list ids.
pub fn print_list<T: fmt::Display>(ids: impl IntoIterator<Item = T>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[ {} ]", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{ExecutorId, OfferId, TaskId, print_list};

    #[test]
    fn task_uses_invalid_task_id() {
        let check = |id: &str, expected: &str| {
            let error = TaskId::from(id).validate().expect_err(id);
            assert_eq!(error.to_string(), expected);
        };
        check("a/b", "TaskID 'a/b' contains invalid characters");
        check("a\\b", "TaskID 'a\\b' contains invalid characters");
        check("a\nb", "TaskID 'a\nb' contains invalid characters");
        check("a\0b", "TaskID 'a\0b' contains invalid characters");
        check("", "TaskID is empty");
        check(".", "TaskID '.' is disallowed");
        check("..", "TaskID '..' is disallowed");
        check(&"x".repeat(256), "TaskID has 256 bytes, at most 255 are allowed");
        let error = ExecutorId::from("../x").validate().expect_err("a path");
        assert_eq!(error.to_string(), "ExecutorID '../x' contains invalid characters");
    }

    #[test]
    fn ordinary_ids_are_valid() {
        for id in ["task", "...", "a b", "ü", "$(reboot)", &"x".repeat(255)] {
            assert_eq!(TaskId::from(id).validate(), Ok(()), "{id}");
        }
    }

    #[test]
    fn ids_survive_protobuf() {
        let id = TaskId::from("t-1");
        let message = proto::mesos::TaskId::from(&id);
        assert_eq!(message.value, "t-1");
        assert!(id == message);
        assert_eq!(TaskId::from(message), id);
    }

    #[test]
    fn lists_print_as_upstream() {
        assert_eq!(print_list([OfferId::from("a"), OfferId::from("b")]), "[ a, b ]");
        assert_eq!(print_list::<OfferId>([]), "[  ]");
    }
}
