//! The master's endpoints: what was asked for, and the answer. One file for each family, with
//! its help page and a function from request and view to response; `routes.rs` lists them.
//! Called through the routes. Nothing here changes the master: `/teardown` only says what is to
//! be done, and the master does it.
//! Upstream: `Master::Http`.

pub mod flags;
pub mod frameworks;
pub mod health;
pub mod observe;
pub mod redirect;
pub mod roles;
pub mod slaves;
pub mod state;
pub mod summary;
pub mod tasks;
pub mod teardown;

mod form;
