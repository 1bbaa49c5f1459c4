//! The replicated log as its users see it: writers and readers of real replicas, each with a
//! runtime and files of its own, over loopback.

mod nodes;

mod coordinator;
mod one;
mod three;

mod peers;
