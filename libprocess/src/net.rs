//! The network under the actors: one listening port, connections that come in, connections that
//! go out, and the links that live on the latter.
//! Called by the runtime. A connection carries messages one way only: what comes in is never
//! used to send messages back.

pub(crate) mod incoming;
pub(crate) mod listener;
pub(crate) mod outgoing;
pub(crate) mod resolve;
pub(crate) mod stream;
