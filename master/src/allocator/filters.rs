//! What frameworks refused of one slave, for as long as they refuse it. Called by the stages
//! (who must not be offered this?) and when refusals are made, run out or are taken back. Never
//! looks at a clock: the shell says when a filter has run out.
//! Upstream: `OfferFilter`, `RefusedOfferFilter`, `InverseOfferFilter`, `expire`, `isFiltered`.

use std::collections::HashMap;
use std::time::Duration;

use common::resources::Resources;
use proto::mesos::Filters;
use stout::duration::{DurationError, nanos_from_secs};

use crate::allocator::inventory::SlaveKey;
use crate::allocator::shares::FrameworkKey;

/// Names a filter that was made; none is ever named again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilterId {
    pub(super) slave: SlaveKey,
    pub(super) framework: FrameworkKey,
    pub(super) serial: u64,
}

/// Why the time of a filter is not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidTime {
    #[error("the input value is invalid: {0}")]
    Invalid(#[from] DurationError),
    #[error("the input value is negative")]
    Negative,
}

/// How long a framework refuses; zero is not at all.
pub(super) fn refusal_time(filters: &Filters) -> Result<Duration, InvalidTime> {
    let nanos = nanos_from_secs(filters.refuse_seconds())?;
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| InvalidTime::Negative)
}

/// The serial numbers of the filters that each framework has.
#[derive(Default)]
pub(super) struct Refusers(HashMap<FrameworkKey, Vec<u64>>);

impl Refusers {
    pub(super) fn add(&mut self, framework: FrameworkKey, serial: u64) {
        self.0.entry(framework).or_default().push(serial);
    }

    pub(super) fn expire(&mut self, framework: FrameworkKey, serial: u64) {
        if let Some(serials) = self.0.get_mut(&framework) {
            serials.retain(|other| *other != serial);
            if serials.is_empty() {
                self.0.remove(&framework);
            }
        }
    }

    pub(super) fn forget(&mut self, framework: FrameworkKey) {
        self.0.remove(&framework);
    }

    pub(super) fn contains(&self, framework: FrameworkKey) -> bool {
        self.0.contains_key(&framework)
    }
}

/// All that is refused of a slave. Each amount is kept once, whoever refuses it: most often all
/// frameworks refuse the same, and it has to be compared once then.
#[derive(Default)]
pub(super) struct Refusals(Vec<(Resources, Refusers)>);

/// Which refusals hide certain resources.
pub(super) struct Hidden(Vec<usize>);

impl Refusals {
    /// A framework refuses resources from now on, and all that is less.
    pub(super) fn add(&mut self, framework: FrameworkKey, refused: Resources, serial: u64) {
        match self.0.iter_mut().find(|(other, _)| *other == refused) {
            Some((_, refusers)) => refusers.add(framework, serial),
            None => {
                let mut refusers = Refusers::default();
                refusers.add(framework, serial);
                self.0.push((refused, refusers));
            }
        }
    }

    /// A filter has run out; nothing happens if it was taken back before.
    pub(super) fn expire(&mut self, framework: FrameworkKey, serial: u64) {
        self.retain(|refusers| refusers.expire(framework, serial));
    }

    /// A framework refuses nothing any more.
    pub(super) fn forget(&mut self, framework: FrameworkKey) {
        self.retain(|refusers| refusers.forget(framework));
    }

    /// Finds the refusals that hide an offer: those of at least as much of everything.
    pub(super) fn hiding(&self, offer: &Resources) -> Hidden {
        let all = self.0.iter().enumerate();
        Hidden(all.filter(|(_, (refused, _))| refused.contains(offer)).map(|(i, _)| i).collect())
    }

    /// Whether a framework refuses what `hidden` was found for.
    pub(super) fn is_hidden(&self, hidden: &Hidden, framework: FrameworkKey) -> bool {
        hidden.0.iter().any(|index| self.0[*index].1.contains(framework))
    }

    fn retain(&mut self, mut change: impl FnMut(&mut Refusers)) {
        self.0.retain_mut(|(_, refusers)| {
            change(refusers);
            !refusers.0.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        text.parse().expect("resources")
    }

    #[test]
    fn what_is_less_is_hidden_and_what_is_more_of_anything_is_not() {
        let (f1, f2) = (FrameworkKey::nth(1), FrameworkKey::nth(2));
        let mut refusals = Refusals::default();
        refusals.add(f1, resources("cpus:2;mem:512"), 1);
        refusals.add(f2, resources("mem:512;cpus:2"), 2);
        refusals.add(f2, resources("cpus:4;mem:128"), 3);
        assert_eq!(refusals.0.len(), 2);
        let check = |offer: &str, expected: [bool; 2]| {
            let hidden = refusals.hiding(&resources(offer));
            assert_eq!([f1, f2].map(|f| refusals.is_hidden(&hidden, f)), expected, "{offer}");
        };
        check("cpus:2;mem:512", [true, true]);
        check("cpus:1", [true, true]);
        check("cpus:3;mem:128", [false, true]);
        check("cpus:2;mem:512;disk:1", [false, false]);
        check("cpus:3;mem:512", [false, false]);
    }

    #[test]
    fn filters_run_out_one_by_one() {
        let f1 = FrameworkKey::nth(1);
        let mut refusals = Refusals::default();
        refusals.add(f1, resources("cpus:2"), 1);
        refusals.add(f1, resources("cpus:2"), 2);
        refusals.expire(f1, 1);
        refusals.expire(f1, 1);
        assert!(refusals.is_hidden(&refusals.hiding(&resources("cpus:2")), f1));
        refusals.expire(f1, 2);
        assert!(refusals.0.is_empty());
    }

    #[test]
    fn refusal_times() {
        let check = |seconds, expected: Result<Duration, &str>| {
            let filters = Filters { refuse_seconds: seconds };
            assert_eq!(
                refusal_time(&filters).map_err(|error| error.to_string()),
                expected.map_err(str::to_owned)
            );
        };
        check(None, Ok(Duration::from_secs(5)));
        check(Some(0.0), Ok(Duration::ZERO));
        check(Some(0.25), Ok(Duration::from_millis(250)));
        check(Some(-1.0), Err("the input value is negative"));
        let range = "the input value is invalid: Argument out of the range that a Duration can \
                     represent due to int64_t's size limit";
        check(Some(1e10), Err(range));
        check(Some(f64::NAN), Err(range));
    }
}
