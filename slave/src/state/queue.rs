//! Tasks in the order in which they came, found by their id.
//! Used by `state::executor` for every stage of a task. Pure; never holds two tasks of one id.
//! Upstream: `LinkedHashMap`.

use std::collections::{BTreeMap, HashMap};

use common::ids::TaskId;

/// A table of tasks that remembers the order of their arrival.
#[derive(Debug)]
pub(crate) struct TaskQueue<V> {
    values: BTreeMap<u64, (TaskId, V)>,
    places: HashMap<TaskId, u64>,
    next_place: u64,
}

impl<V> Default for TaskQueue<V> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), places: HashMap::new(), next_place: 0 }
    }
}

impl<V> TaskQueue<V> {
    /// Adds a task at the end; one of that id gives way and is returned.
    pub(crate) fn insert(&mut self, task_id: TaskId, value: V) -> Option<V> {
        let replaced = self.remove(&task_id);
        self.places.insert(task_id.clone(), self.next_place);
        self.values.insert(self.next_place, (task_id, value));
        self.next_place += 1;
        replaced
    }

    pub(crate) fn remove(&mut self, task_id: &TaskId) -> Option<V> {
        let place = self.places.remove(task_id)?;
        self.values.remove(&place).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, task_id: &TaskId) -> Option<&mut V> {
        let place = self.places.get(task_id)?;
        self.values.get_mut(place).map(|(_, value)| value)
    }

    pub(crate) fn contains(&self, task_id: &TaskId) -> bool {
        self.places.contains_key(task_id)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The ids, in the order of arrival.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &TaskId> {
        self.values.values().map(|(task_id, _)| task_id)
    }

    /// The tasks, in the order of arrival.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_stay_in_the_order_of_their_arrival() {
        let mut queue = TaskQueue::default();
        for (place, id) in ["c", "a", "b"].into_iter().enumerate() {
            assert_eq!(queue.insert(id.into(), place), None);
        }
        assert_eq!(queue.remove(&"a".into()), Some(1));
        assert_eq!(queue.insert("c".into(), 9), Some(0));
        let ids: Vec<&str> = queue.ids().map(TaskId::as_str).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(queue.values().copied().collect::<Vec<_>>(), [2, 9]);
        assert!(!queue.contains(&"a".into()));
        assert_eq!(queue.len(), 2);
    }
}
