//! The master's books as JSON: pure functions from a [`View`] to a document or a part of one.
//! Called by `http/` only. Changes nothing, looks at no clock, and keeps nothing of what it is
//! shown, so that a document may as well be written from a clone of the books on another thread.
//!
//! Whole documents are written as upstream's `jsonify` streams them, keys in the order of its
//! sources; `/roles` and `/tasks` alone have sorted keys, as upstream's `model` gives them.

pub mod cluster;
mod framework;
mod slave;
mod summaries;

pub mod role;
pub mod task;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use libprocess::clock::Time;
use proto::mesos::MasterInfo;
use stout::flags::parse::Shown;

use crate::state::Cluster;

/// What there is to show.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Who is in the cluster and what runs there.
    pub cluster: &'a Cluster,
    /// This master.
    pub info: &'a MasterInfo,
    /// The master that leads, as far as this one knows.
    pub leader: Option<&'a MasterInfo>,
    /// When this master started.
    pub start_time: Time,
    /// When this master was last elected, if it was.
    pub elected_time: Option<Time>,
    /// What is known of the build, in the order in which it is shown: `version`, `git_sha`,
    /// `git_branch`, `git_tag`, `build_date`, `build_time`, `build_user`.
    pub build: &'a [(String, serde_json::Value)],
    /// The flags that have a value.
    pub flags: &'a Shown,
    /// The roles that frameworks may have, `*` included; any if there is no such list.
    pub role_whitelist: Option<&'a BTreeSet<String>>,
    /// The weights of roles, other than 1.
    pub weights: &'a BTreeMap<String, f64>,
}
