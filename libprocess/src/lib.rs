//! libprocess

pub mod logging;
pub mod os;
pub mod pid;
pub mod wire;
