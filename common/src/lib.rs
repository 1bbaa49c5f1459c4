//! The Mesos domain: ids, values, resources and what both daemons make of them.
//! Pure: no I/O, no clock, no actor; time and randomness are handed in.

pub mod ids;
pub mod values;

pub mod labels;
pub mod roles;

pub mod attributes;
pub mod resources;

pub mod same;
pub mod status;
pub mod task_state;

pub mod calls;

pub mod json;

pub mod acls;
pub mod content_type;
pub mod credentials;
pub mod evolve;
pub mod recordio;

pub mod wait_status;

/// The release of Mesos that we stand in for, as logs and `/version` show it. Upstream:
/// `MESOS_VERSION`.
pub const VERSION: &str = "0.28.3";
