//! Slaves: how they come, come back, change, fall silent and end.

mod reconcile;
mod register;
mod remove;
mod reregister;
mod update;
