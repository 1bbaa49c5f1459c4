//! Frameworks that ended: so many of the latest, and which ids they had.
//! Upstream: `Master::Frameworks::completed`.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::ids::FrameworkId;
use stout::bounded::History;

use super::framework::Framework;

/// The last frameworks that ended, the oldest first.
#[derive(Clone, Debug)]
pub struct CompletedFrameworks {
    frameworks: History<Arc<Framework>>,
    ids: BTreeSet<FrameworkId>,
}

impl CompletedFrameworks {
    /// Room for so many. `--max_completed_frameworks`.
    pub fn new(capacity: usize) -> CompletedFrameworks {
        CompletedFrameworks { frameworks: History::new(capacity), ids: BTreeSet::new() }
    }

    /// Whether a framework of this id is remembered to have ended.
    pub fn contains(&self, id: &FrameworkId) -> bool {
        self.ids.contains(id)
    }

    /// The frameworks, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Framework> {
        self.frameworks.iter().map(Arc::as_ref)
    }

    pub(super) fn push(&mut self, framework: Arc<Framework>) {
        self.ids.insert(framework.id.clone());
        if let Some(forgotten) = self.frameworks.push(framework) {
            self.ids.remove(&forgotten.id);
        }
    }
}
