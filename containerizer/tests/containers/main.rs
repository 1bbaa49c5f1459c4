//! Containers on the real thing: real processes, real files, a real web server. No privileges are
//! needed; what needs them is skipped aloud.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

mod archives;
mod destroy;
mod fetcher;
mod helper;
mod launch;
mod recover;
mod usage;
