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
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::HashMap;
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use crate::mailbox::AnyCell;

/// How many actors a worker has at hand.
const AT_HAND: usize = 64;

/// Over how many tables the actors are spread, so that threads on which actors begin and end
/// seldom wait for each other.
const TABLES: usize = 16;

/// A table keeps room for so many times the actors that are in it, and for a few in any case.
const ROOM: usize = 8;

/// See [`ROOM`].
const ROOM_MIN: usize = 256;

/// Actors by id. Each table lies in memory apart from the others, which other threads write.
#[derive(Default)]
#[repr(align(64))]
struct Table(RwLock<HashMap<Arc<str>, Arc<dyn AnyCell>>>);

type Known = (Arc<str>, Arc<dyn AnyCell>);

thread_local! {
    static AT_HAND_HERE: RefCell<Option<AtHand>> = const { RefCell::new(None) };
}

/// What a worker of the directory at `directory` has at hand.
struct AtHand {
    directory: usize,
    /// How many actors had ended when the first entry was made.
    ended: u64,
    is_empty: bool,
    entries: [Option<Known>; AT_HAND],
}

/// The actors of one runtime.
#[derive(Default)]
pub(super) struct Directory {
    hasher: RandomState,
    tables: [Table; TABLES],
    ended: AtomicU64,
}

impl Directory {
    fn table(&self, id: &str) -> &RwLock<HashMap<Arc<str>, Arc<dyn AnyCell>>> {
        // Not the bits by which a table finds its entries: it hashes with keys of its own.
        &self.tables[self.hasher.hash_one(id) as usize % TABLES].0
    }

    /// Adds an actor under its id; false if there is one.
    pub(super) fn add(&self, cell: &Arc<impl AnyCell + 'static>) -> bool {
        let id = &cell.upid().id;
        match self.table(id).write().entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(cell.clone());
                true
            }
        }
    }

    pub(super) fn remove(&self, id: &str) {
        let mut table = self.table(id).write();
        let removed = table.remove(id);
        let room = (ROOM * table.len()).max(ROOM_MIN);
        if table.capacity() > 2 * room {
            table.shrink_to(room);
        }
        drop(table);
        self.ended.fetch_add(1, Ordering::Release);
        // Only now: an actor that ends here may look for others.
        drop(removed);
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        let take = |table: &Table| std::mem::take(&mut *table.0.write());
        let cells: Vec<_> = self.tables.iter().map(take).collect();
        self.ended.fetch_add(1, Ordering::Release);
        drop(cells);
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<dyn AnyCell>> {
        self.table(id).read().get(id).cloned()
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
        let mut all = BTreeMap::new();
        for Table(table) in &self.tables {
            all.extend(table.read().iter().map(|(id, cell)| (id.clone(), cell.clone())));
        }
        all
    }

    /// Makes this thread keep actors at hand, none at first. To be called again before the thread
    /// sleeps, so that it keeps none alive that have ended meanwhile.
    pub(super) fn clear_at_hand(&self) {
        let directory = self.address();
        let is_clear = |here: &Option<AtHand>| {
            here.as_ref().is_some_and(|it| it.directory == directory && it.is_empty)
        };
        if AT_HAND_HERE.with_borrow(is_clear) {
            return;
        }
        let ended = self.ended.load(Ordering::Acquire);
        let entries = [const { None }; AT_HAND];
        let fresh = AtHand { directory, ended, is_empty: true, entries };
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
            if !self.is_empty {
                self.is_empty = true;
                self.entries = [const { None }; AT_HAND];
            }
        }
        let place = Arc::as_ptr(id).addr() >> 4;
        let place = (place ^ (place >> 6)) % AT_HAND;
        let entry = &mut self.entries[place];
        // The same text elsewhere in memory is looked up again.
        if !entry.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, id)) {
            *entry = Some((id.clone(), directory.get(id)?));
            self.is_empty = false;
        }
        entry.as_ref().map(|(_, cell)| &**cell)
    }
}
