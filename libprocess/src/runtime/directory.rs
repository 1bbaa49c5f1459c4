//! Who lives in a runtime: actors by id.
//! Called by `runtime` for every message, by the network and by the built-in pages.
//! Never delivers anything itself.
//!
//! Workers keep the actors that they have sent to at hand, so that a look-up takes no lock and
//! counts no reference; an end of any actor makes them look again.
//!
//! Upstream: `ProcessManager::processes`, `ProcessManager::use`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::{HashMap, HashMapExt};
use parking_lot::RwLock;

use crate::mailbox::AnyCell;

/// How many actors a worker has at hand.
const AT_HAND: usize = 64;

type Known = (Arc<str>, Arc<dyn AnyCell>);

thread_local! {
    static AT_HAND_HERE: RefCell<Option<AtHand>> = const { RefCell::new(None) };
}

/// What a worker of the directory at `directory` has at hand.
struct AtHand {
    directory: usize,
    /// How many actors had ended when the first entry was made.
    ended: u64,
    entries: [Option<Known>; AT_HAND],
}

/// The actors of one runtime.
pub(super) struct Directory {
    cells: RwLock<HashMap<Arc<str>, Arc<dyn AnyCell>>>,
    ended: AtomicU64,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self { cells: RwLock::new(HashMap::new()), ended: AtomicU64::new(0) }
    }

    /// Adds the actor that `make` gives under `id`, unless there is one.
    pub(super) fn add<C: AnyCell + 'static>(
        &self,
        id: &Arc<str>,
        make: impl FnOnce() -> Arc<C>,
    ) -> Option<Arc<C>> {
        match self.cells.write().entry(id.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                let cell = make();
                place.insert(cell.clone());
                Some(cell)
            }
        }
    }

    pub(super) fn remove(&self, id: &str) {
        self.cells.write().remove(id);
        self.ended.fetch_add(1, Ordering::Release);
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        let cells = std::mem::take(&mut *self.cells.write());
        self.ended.fetch_add(1, Ordering::Release);
        drop(cells);
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<dyn AnyCell>> {
        self.cells.read().get(id).cloned()
    }

    /// Calls `visit` with the actor of that id, if there is one, where its thread has it at hand.
    pub(super) fn visit(&self, id: &Arc<str>, visit: impl FnOnce(Option<&dyn AnyCell>)) {
        AT_HAND_HERE.with(|here| match here.try_borrow_mut().as_deref_mut() {
            Ok(Some(at_hand)) if at_hand.directory == self.address() => {
                visit(at_hand.find(self, id));
            }
            // Not a worker's thread, or another runtime's.
            _ => visit(self.get(id).as_deref()),
        })
    }

    /// All actors by id.
    pub(super) fn all(&self) -> BTreeMap<Arc<str>, Arc<dyn AnyCell>> {
        self.cells.read().iter().map(|(id, cell)| (id.clone(), cell.clone())).collect()
    }

    /// Makes this thread keep actors at hand, none at first. To be called again before the thread
    /// sleeps, so that it keeps none alive that have ended meanwhile.
    pub(super) fn clear_at_hand(&self) {
        let fresh = AtHand {
            directory: self.address(),
            ended: self.ended.load(Ordering::Acquire),
            entries: [const { None }; AT_HAND],
        };
        let stale = AT_HAND_HERE.replace(Some(fresh));
        // Only now: an actor that ends here may send.
        drop(stale);
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl AtHand {
    fn find(&mut self, directory: &Directory, id: &Arc<str>) -> Option<&dyn AnyCell> {
        let ended = directory.ended.load(Ordering::Acquire);
        if self.ended != ended {
            self.ended = ended;
            self.entries = [const { None }; AT_HAND];
        }
        let place = Arc::as_ptr(id).addr() >> 4;
        let place = (place ^ (place >> 6)) % AT_HAND;
        let entry = &mut self.entries[place];
        // The same text elsewhere in memory is looked up again.
        if !entry.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, id)) {
            *entry = Some((id.clone(), directory.get(id)?));
        }
        entry.as_ref().map(|(_, cell)| &**cell)
    }
}
