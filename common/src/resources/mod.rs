//! Resources: what slaves have, offers hold and tasks use, and the algebra on them.
//! Called by master, allocator, slave and drivers. Holds well-formed, non-empty resources only:
//! anything else vanishes when it is added, as upstream has it; who needs to know why asks
//! `validate` first. Upstream: `mesos::Resources` in `common/resources.cpp`.

mod resource;
mod symbol;

mod arithmetic;
mod predicates;
mod select;

mod apply;
mod display;
mod parse;
mod validate;

#[cfg(test)]
mod tests;

pub use apply::{ApplyError, CheckpointedError};
pub use display::{print_message, print_messages};
pub use parse::ParseError;
pub use resource::{Resource, ResourceValue, ranges_from, ranges_to};
pub use validate::{InvalidResource, InvalidResources, validate, validate_all};

use proto::mesos;

/// A bag of resources: what is of one kind is one entry. The order of entries shows in logs and
/// JSON and is upstream's; equality ignores it.
#[derive(Clone, Debug, Default)]
pub struct Resources(Vec<Resource>);

impl Resources {
    /// None at all.
    pub const fn new() -> Resources {
        Resources(Vec::new())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entries.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.0.iter()
    }

    /// As repeated field of a message.
    pub fn to_messages(&self) -> Vec<mesos::Resource> {
        self.iter().map(mesos::Resource::from).collect()
    }
}

/// Invalid and empty resources are left out.
impl From<&[mesos::Resource]> for Resources {
    fn from(messages: &[mesos::Resource]) -> Resources {
        messages.iter().filter_map(|message| Resource::try_from(message).ok()).collect()
    }
}

/// Invalid and empty resources are left out.
impl From<&Vec<mesos::Resource>> for Resources {
    fn from(messages: &Vec<mesos::Resource>) -> Resources {
        messages.as_slice().into()
    }
}

impl From<&Resource> for Resources {
    fn from(resource: &Resource) -> Resources {
        std::iter::once(resource).cloned().collect()
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Resources {
        let mut result = Resources::new();
        result.extend(resources);
        result
    }
}

impl Extend<Resource> for Resources {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        for resource in resources {
            *self += resource;
        }
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = std::vec::IntoIter<Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
