//! The scheduler driver on real ports: one module for each family of upstream's tests.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod test_util;

mod registration;
mod scheduler_driver_tests;
mod scheduler_event_call_tests;
