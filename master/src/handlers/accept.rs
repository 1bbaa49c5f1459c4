//! Offers that are used: from the call to the tasks it starts.

mod authorize;
mod call;
mod launch;
mod operations;
