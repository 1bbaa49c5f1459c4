//! The cases of the wire protocol, one test each, against a runtime on real sockets.
//! "No bytes, and the connection stays open" is seen by what follows: the answer to a later
//! request on the same connection comes first.

mod closing;
mod http;
mod messages;
mod outgoing;
mod support;
mod third_parties;
