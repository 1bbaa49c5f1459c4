//! Tasks: what becomes of them, who hears of it, and how they are killed.

mod acknowledge;
mod kill;
mod reconcile;
mod status;

pub(crate) use status::{NOBODY, update_of};
