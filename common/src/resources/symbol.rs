//! Names of resources and roles without an allocation for the common ones.
//! Used inside `resources` only.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A name: a well-known one, or a shared string. Comparison is by text.
#[derive(Clone, Debug)]
pub(super) enum Symbol {
    Known(&'static str),
    Shared(Arc<str>),
}

/// Every name here is always `Known`, never `Shared`.
const KNOWN: [&str; 7] = ["cpus", "mem", "disk", "ports", "*", "ephemeral_ports", "gpus"];

impl Symbol {
    pub(super) fn new(text: &str) -> Symbol {
        match KNOWN.iter().find(|known| **known == text) {
            Some(known) => Symbol::Known(known),
            None => Symbol::Shared(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Symbol::Known(text) => text,
            Symbol::Shared(text) => text,
        }
    }
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Symbol) -> bool {
        match (self, other) {
            (Symbol::Shared(left), Symbol::Shared(right)) => {
                Arc::ptr_eq(left, right) || left == right
            }
            (Symbol::Known(left), Symbol::Known(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Symbol {}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Symbol {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}
