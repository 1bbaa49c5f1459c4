//! One kernel interface per file. Called by launchers and isolators; knows no container.

pub(crate) mod pidfd;
