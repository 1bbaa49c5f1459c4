//! The only task runner of this workspace.
fn main() {}
