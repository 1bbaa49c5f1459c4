//! In what order clients are served: roles, and frameworks within a role. Called by the shares
//! and stages of the allocator; never looks at a slave. Upstream: `Sorter`.

mod drf;

pub(super) use drf::{ClientKey, DrfSorter};
