//! What operators type: the bodies of the command line programs, whose `main`s are in `bin`.
#![forbid(unsafe_code)]

pub mod execute;
mod hdfs;

pub mod local;
pub mod log;
pub mod resolve;
