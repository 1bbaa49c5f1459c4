//! libprocess

pub mod pid;
pub mod wire;
