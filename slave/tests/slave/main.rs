//! The slave's actor among scripted peers: what it does about each message, each silence, and each
//! end of an executor. Named after upstream's tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside of test functions")]

mod authentication;
mod containers;
mod executor_http_api;
mod full_disk;
mod gc;
mod http;
mod http_executors;
mod kill;
mod losses;
mod misuse;
mod monitor;
mod recovery;
mod registration;
mod status_update_manager;
mod subscriber;
mod support;
mod tasks;
mod upstream_files;
