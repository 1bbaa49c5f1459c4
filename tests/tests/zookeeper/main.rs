//! What several processes agree on through ZooKeeper, with real servers on loopback.

mod group;

mod election;
mod log;
mod masters;
mod store;
