//! A leader that was stopped goes on without knowing that its session may be over, and another one
//! leads: whatever makes it act, it does nothing any more, and ends.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use coordination::election::standalone::StandaloneMasterContender;
use coordination::election::{Candidacy, ContendError, MasterContender};
use master::fatal::Fatal;
use master::registrar::Strictness;
use proto::mesos::{FrameworkInfo, MasterInfo};

use crate::leadership::registry;
use crate::test_util::{Framework, Slave, World, framework_info, parse};

/// What makes a master certain that it leads, until a test ends it without a word.
#[derive(Default)]
pub(crate) struct Lease {
    contender: StandaloneMasterContender,
    has_ended: AtomicBool,
}

impl Lease {
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

impl MasterContender for Lease {
    fn initialize(&self, master: MasterInfo) {
        self.contender.initialize(master);
    }

    fn contend(&self) -> Pin<Box<dyn Future<Output = Result<Candidacy, ContendError>> + Send>> {
        self.contender.contend()
    }

    fn is_certain(&self) -> bool {
        !self.has_ended.load(Ordering::Acquire)
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// The fifth that is not answered makes a slave unhealthy.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A framework that is waited for, and a slave that runs a task of it. Its connection's end would
/// lose the task.
fn scene() -> (World, Framework, Slave) {
    let offer_timeout = Some(PATIENCE);
    let world = World::with(master::Config { offer_timeout, ..master::Config::default() });
    let failover_timeout = Some(PATIENCE.as_secs_f64());
    let info = FrameworkInfo { failover_timeout, ..framework_info() };
    let (framework, slave) = (world.framework_with("f", info), world.slave("slave(1)"));
    world.launch(&framework, &slave, "t");
    (world, framework, slave)
}

/// `before` the lease ends, and what would make a leader act `afterwards`.
fn check(before: fn(&World, &Framework, &Slave), afterwards: fn(&World, &Framework, &Slave)) {
    let (world, framework, slave) = scene();
    before(&world, &framework, &slave);
    world.settle();
    framework.peer.forget();
    slave.peer.forget();
    world.lease.end();
    afterwards(&world, &framework, &slave);
    world.settle_without_looking();
    assert_eq!(*world.fatal.lock(), [Fatal::LostLeadership]);
    assert_eq!((framework.peer.rest(), slave.peer.rest()), (vec![], vec![]));
}

fn wait(world: &World, time: Duration) {
    world.runtime.clock().advance(time);
}

#[test]
fn messages_and_connections_that_end_change_nothing_without_a_lease() {
    check(|_, _, _| {}, |_, framework, _| framework.kill(&"t".into()));
    check(|_, _, _| {}, |_, _, slave| slave.peer.exit());
    check(|_, _, _| {}, |_, framework, _| framework.peer.exit());
}

#[test]
fn nothing_is_offered_or_taken_back_without_a_lease() {
    check(
        |_, _, _| {},
        |world, framework, slave| {
            let offers = [(slave.id.clone(), parse("cpus:1"))].into();
            world.allocator.offer(framework.id.clone(), offers);
        },
    );
    check(
        |world, framework, slave| {
            world.offer(framework, slave, "cpus:1");
        },
        |world, _, _| wait(world, PATIENCE),
    );
}

#[test]
fn nobody_who_is_silent_is_removed_without_a_lease() {
    check(|_, framework, _| framework.peer.exit(), |world, _, _| wait(world, PATIENCE));
    check(
        |world, _, _| (0..4).for_each(|_| world.advance(PING_INTERVAL.as_secs_f64())),
        |world, _, _| wait(world, PING_INTERVAL),
    );
    let registry_strictness = Strictness::Strict;
    let config = master::Config { registry_strictness, ..master::Config::default() };
    let world = World::start(config, registry(&["old-S0"]), None);
    let framework = world.framework("f");
    world.lease.end();
    wait(&world, Duration::from_secs(600));
    world.settle_without_looking();
    assert_eq!(*world.fatal.lock(), [Fatal::LostLeadership]);
    assert_eq!(framework.peer.rest(), [""; 0]);
    assert_eq!(world.metric("master/recovery_slave_removals"), 0.0);
}
