//! Faults that come by chance: which, how often, and what ends them again.
//! Called by tests, which choose the kinds, and by the simulation when one is due.

use std::time::Duration;

use rand::RngExt;

use crate::clock::Time;
use crate::simulation::{Node, Simulation};

/// Which faults come by chance; see [`Simulation::faults`].
#[derive(Clone, Debug)]
pub struct Faults {
    every: Duration,
    kinds: Vec<Kind>,
    down_max: usize,
}

/// What may happen to a cluster, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reset,
    Partition,
    OneWay,
    Isolate,
    Heal,
    Freeze,
    Thaw,
    Crash,
    PowerOff,
    Restart,
}

impl Faults {
    /// None yet; those that are added come one by one, `every` so long on average.
    pub fn every(every: Duration) -> Self {
        Self { every, kinds: Vec::new(), down_max: usize::MAX }
    }

    fn add(mut self, kinds: &[Kind]) -> Self {
        self.kinds.extend_from_slice(kinds);
        self
    }

    /// Connections are reset.
    #[must_use]
    pub fn resets(self) -> Self {
        self.add(&[Kind::Reset])
    }

    /// Two nodes do not reach each other, or only one way, or one node reaches nobody; and all is
    /// healed.
    #[must_use]
    pub fn partitions(self) -> Self {
        self.add(&[Kind::Partition, Kind::OneWay, Kind::Isolate, Kind::Heal, Kind::Heal])
    }

    /// Processes are stopped and go on.
    #[must_use]
    pub fn freezes(self) -> Self {
        self.add(&[Kind::Freeze, Kind::Thaw, Kind::Thaw])
    }

    /// Processes end, machines lose their power, and they start again; at most `down_max` are
    /// down at a time.
    #[must_use]
    pub fn crashes(mut self, down_max: usize) -> Self {
        self.down_max = down_max;
        self.add(&[Kind::Crash, Kind::PowerOff, Kind::Restart, Kind::Restart])
    }
}

/// The faults to come.
pub(super) struct Schedule {
    faults: Faults,
    pub(super) next: Time,
}

impl Simulation {
    /// From now on, lets faults come by chance until [`Simulation::calm`].
    ///
    /// # Panics
    /// When there are no kinds of faults, or no time between them.
    pub fn faults(&mut self, faults: Faults) {
        assert!(!faults.kinds.is_empty() && !faults.every.is_zero(), "no faults: {faults:?}");
        let next = self.next_fault(&faults);
        self.schedule = Some(Schedule { faults, next });
    }

    fn next_fault(&self, faults: &Faults) -> Time {
        let wait = Duration::ZERO..faults.every * 2;
        self.world.clock().now() + self.world.with_random(|random| random.random_range(wait))
    }

    /// Lets one fault happen.
    pub(super) fn misfortune(&mut self) {
        let Some(mut schedule) = self.schedule.take() else { return };
        let Faults { kinds, down_max, .. } = &schedule.faults;
        let kind = kinds[self.choose(kinds.len())];
        let node = Node(self.choose(self.machines.len()));
        let other = Node(self.choose(self.machines.len()));
        let down = self.machines.iter().filter(|machine| machine.process.is_none()).count();
        match kind {
            Kind::Reset => self.reset(node, other),
            Kind::Partition if node != other => self.partition(node, other),
            Kind::OneWay if node != other => self.cut(node, other),
            Kind::Partition | Kind::OneWay => {}
            Kind::Isolate => self.isolate(node),
            Kind::Heal => self.heal(),
            Kind::Freeze => self.freeze(node),
            Kind::Thaw => self.thaw(node),
            Kind::Crash if down < *down_max => self.crash(node),
            Kind::PowerOff if down < *down_max => self.power_off(node),
            Kind::Crash | Kind::PowerOff => {}
            Kind::Restart => self.restart(node),
        }
        schedule.next = self.next_fault(&schedule.faults);
        self.schedule = Some(schedule);
    }

    fn choose(&self, count: usize) -> usize {
        self.world.with_random(|random| random.random_range(0..count))
    }
}
