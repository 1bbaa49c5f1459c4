//! What a master does, held by tests on a real one among scripted peers; one module by subject.

mod authorization;
mod endpoints;
mod fault_tolerance;
mod leadership;
mod lease;
mod maintenance;
mod metrics;
mod offers;
mod operations;
mod rate_limiting;
mod reconciliation;
mod relay;
mod robustness;
mod slaves;
mod tasks;

mod test_util;
