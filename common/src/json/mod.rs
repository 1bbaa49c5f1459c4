//! JSON of the domain: any message by its descriptor, and the shapes both daemons print.
//! Pure; served by the views and endpoints of master and slave.

pub mod protobuf;
