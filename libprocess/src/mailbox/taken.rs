//! What an actor has taken out of its mailbox and not yet served. Most actors get one event that
//! comes before all others, their end, and no memory is taken for it.
//! Used by `mailbox` only.

use std::collections::VecDeque;

use crate::event::Event;
use crate::mailbox::Mail;
use crate::process::Process;
use crate::trace::Record;

/// See the module.
pub(super) struct Taken<P: Process> {
    /// The record, if there is one, of a termination that comes before the rest.
    end: Option<Option<Box<Record>>>,
    rest: VecDeque<Mail<P>>,
}

impl<P: Process> Default for Taken<P> {
    fn default() -> Self {
        Self { end: None, rest: VecDeque::new() }
    }
}

/// The event of such a termination.
fn end<P: Process>(record: Option<Box<Record>>) -> Mail<P> {
    Mail { event: Event::Terminate, record }
}

impl<P: Process> Taken<P> {
    /// Puts a termination before everything, even before another one.
    pub(super) fn end_next(&mut self, record: Option<Box<Record>>) {
        if let Some(later) = self.end.replace(record) {
            self.rest.push_front(end(later));
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Mail<P>> {
        self.end.take().map(end).or_else(|| self.rest.pop_front())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end.is_none() && self.rest.is_empty()
    }

    /// All but a termination that comes before it; may be taken from and filled.
    pub(super) fn rest(&mut self) -> &mut VecDeque<Mail<P>> {
        &mut self.rest
    }

    /// Calls `visit` with each event, in order.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Event<P>)) {
        if self.end.is_some() {
            visit(&Event::Terminate);
        }
        self.rest.iter().for_each(|mail| visit(&mail.event));
    }

    /// Everything, in order.
    pub(super) fn into_queue(mut self) -> VecDeque<Mail<P>> {
        if let Some(record) = self.end {
            self.rest.push_front(end(record));
        }
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Name, Summary};
    use crate::pid::Upid;
    use crate::trace::Kind;

    struct Anyone;

    impl Process for Anyone {}

    /// A letter for each event: a capital one for a termination, named by its record.
    fn letter(Mail { event, record }: Mail<Anyone>) -> String {
        match event.summary() {
            Summary::Terminate => record.expect("one is given").name.to_uppercase(),
            _ => "x".to_owned(),
        }
    }

    #[test]
    fn the_last_end_comes_first() {
        let record = |name| {
            let name = Name::of_static(name);
            Some(Box::new(Record::new(Kind::Terminate, Upid::nobody(), Upid::nobody(), name)))
        };
        let mut taken = Taken::<Anyone>::default();
        assert!(taken.is_empty());
        let event = Event::Exited(Upid::empty());
        taken.rest().push_back(Mail { event, record: None });
        ["a", "b", "c"].into_iter().for_each(|name| taken.end_next(record(name)));
        let mut seen = 0;
        taken.for_each(|_| seen += 1);
        assert_eq!(seen, 4);
        let first: Vec<_> = (0..2).filter_map(|_| taken.pop_front()).map(letter).collect();
        taken.end_next(record("d"));
        let rest: Vec<_> = taken.into_queue().into_iter().map(letter).collect();
        assert_eq!((first.join(""), rest.join("")), ("CB".to_owned(), "DAx".to_owned()));
    }
}
