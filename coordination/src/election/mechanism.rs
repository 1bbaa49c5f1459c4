//! How to find the leader, from the text that operators give: `host:port` or `file://…`.
//! Called at start-up by slaves and drivers; may block in the name service and on the file.
//!
//! Upstream: `MasterDetector::create`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libprocess::os::hostname;
use libprocess::pid::Parsed;
use libprocess::{Address, Upid};
use proto::mesos::MasterInfo;

use crate::election::MasterDetector;
use crate::election::standalone::{self, StandaloneMasterDetector};

/// How many files may lead to each other before the text is found in one.
const FILES_MAX: usize = 8;

/// Why a text leads to no detector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MechanismError {
    /// Neither of the forms, or a host that cannot be resolved.
    #[error("Failed to parse '{0}'")]
    Unparsable(String),
    /// The file that `file://` names cannot be read.
    #[error("Failed to read from file at '{}'", .0.display())]
    File(PathBuf),
    /// Files that name files, without an end.
    #[error("Failed to parse '{0}': more than {FILES_MAX} files lead to each other")]
    FileLoop(String),
    /// A form that this build cannot serve.
    #[error("Detecting the leading master by '{0}' is not supported")]
    Unsupported(String),
}

/// A detector for `mechanism`: `host:port`, `master@host:port`, or `file://path` of a file that
/// holds one of these.
///
/// # Errors
/// [`MechanismError`], with the text at fault.
pub fn create_detector(mechanism: &str) -> Result<Arc<dyn MasterDetector>, MechanismError> {
    let leader = leader(mechanism)?;
    Ok(Arc::new(StandaloneMasterDetector::new(Some(leader))))
}

fn leader(mechanism: &str) -> Result<MasterInfo, MechanismError> {
    let mut text = mechanism.to_owned();
    for _ in 0..FILES_MAX {
        let Some(path) = text.strip_prefix("file://") else { return parse(&text) };
        tracing::warn!(
            "Reading how to find the leading master from a file ('file://{path}') is deprecated"
        );
        let path = Path::new(path);
        let content = std::fs::read_to_string(path);
        let content = content.map_err(|_| MechanismError::File(path.to_owned()))?;
        text = stout::text::trim(&content).to_owned();
    }
    Err(MechanismError::FileLoop(mechanism.to_owned()))
}

fn parse(text: &str) -> Result<MasterInfo, MechanismError> {
    if text.starts_with("zk://") {
        return Err(MechanismError::Unsupported(text.to_owned()));
    }
    let unparsable = || MechanismError::Unparsable(text.to_owned());
    let full = match text.starts_with("master@") {
        true => text.to_owned(),
        false => format!("master@{text}"),
    };
    let pid = match Upid::parse(&full).map_err(|_| unparsable())? {
        Parsed::Upid(upid) => upid,
        Parsed::NeedsDns { id, host, port } => {
            let ip = hostname::to_ip(&host).map_err(|_| unparsable())?;
            Upid::new(id, Address::new(ip, port))
        }
    };
    if pid.is_valid() { Ok(standalone::master_info(&pid)) } else { Err(unparsable()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_master_is_named_by_host_and_port() {
        let check = |text: &str, pid: &str| {
            assert_eq!(leader(text).unwrap().pid.as_deref(), Some(pid), "{text}");
        };
        check("127.0.0.1:5050", "master@127.0.0.1:5050");
        check("master@127.0.0.1:5050", "master@127.0.0.1:5050");
        check("localhost:5050", "master@127.0.0.1:5050");
    }

    #[test]
    fn what_cannot_be_parsed_is_named() {
        for text in ["localquiet", "", "127.0.0.1", "127.0.0.1:0", "no.such.host.invalid:1"] {
            let error = leader(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Failed to parse '{text}'"));
        }
    }

    #[test]
    fn a_file_may_hold_the_master() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master");
        std::fs::write(&path, " 127.0.0.1:5050\n").unwrap();
        let found = leader(&format!("file://{}", path.display())).unwrap();
        assert_eq!(found.pid.as_deref(), Some("master@127.0.0.1:5050"));
        let missing = folder.path().join("missing");
        let error = leader(&format!("file://{}", missing.display())).unwrap_err();
        assert_eq!(error, MechanismError::File(missing));
    }

    #[test]
    fn a_file_that_names_itself_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master");
        let text = format!("file://{}", path.display());
        std::fs::write(&path, &text).unwrap();
        assert_eq!(leader(&text), Err(MechanismError::FileLoop(text.clone())));
    }
}
