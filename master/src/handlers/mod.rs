//! What the master does when something happens: one method for each message, call, timeout and
//! answer. Each looks up, checks, lets the tables change, and tells those concerned.

mod leadership;
mod recovery;

mod framework;
mod slave;

mod accept;
mod offer;
mod task;

mod authentication;
mod relay;

mod tell;
