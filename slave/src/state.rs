//! What a slave knows: pure tables of frameworks, executors and tasks.
//! Changed by the handlers only, shown by `views` and `metrics`. Never sends, waits or writes.

pub(crate) mod frameworks;

pub(crate) mod framework;

pub(crate) mod executor;

pub(crate) mod connection;

pub(crate) mod queue;
