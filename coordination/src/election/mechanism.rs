//! How to find the leader, from the text that operators give: `zk://…`, `host:port` or `file://…`.
//! Called at start-up by slaves, drivers and masters; may block in the name service and on the
//! file.
//!
//! Upstream: `MasterDetector::create`, `MasterContender::create`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use libprocess::os::hostname;
use libprocess::pid::Parsed;
use libprocess::{Address, Runtime, Upid};
use proto::mesos::MasterInfo;

use crate::election::MasterDetector;
use crate::election::detector::ZooKeeperMasterDetector;
use crate::election::standalone::{self, StandaloneMasterDetector};
use crate::group::Group;
use crate::zookeeper::url::SCHEME;
use crate::zookeeper::{Url, UrlError};

/// How many files may lead to each other before the text is found in one.
const FILES_MAX: usize = 8;

/// How long the sessions of contenders and detectors are to last without a connection.
/// Upstream: `MASTER_CONTENDER_ZK_SESSION_TIMEOUT`, `MASTER_DETECTOR_ZK_SESSION_TIMEOUT`.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a text does not say how to find the leader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MechanismError {
    /// None of the forms, or a host that cannot be resolved.
    #[error("Failed to parse '{0}'")]
    Unparsable(String),
    /// The file that `file://` names cannot be read.
    #[error("Failed to read from file at '{}'", .0.display())]
    File(PathBuf),
    /// Files that name files, without an end.
    #[error("Failed to parse '{0}': more than {FILES_MAX} files lead to each other")]
    FileLoop(String),
    /// A `zk://` that is no such URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The root of ZooKeeper's nodes.
    #[error("Expecting a (chroot) path for ZooKeeper ('/' is not supported)")]
    NoPath,
}

/// How to find the leader.
#[derive(Clone, Debug, PartialEq)]
pub enum Mechanism {
    /// Masters meet there.
    ZooKeeper(Url),
    /// There is one master, and it is this one.
    Fixed(Box<MasterInfo>),
}

/// Who asks, which makes a difference for what may be a secret of one of them.
#[derive(Clone, Copy)]
enum Purpose {
    Detection,
    Election,
}

impl Mechanism {
    /// Reads `zk://[user:password@]host:port[,…]/path`, `host:port`, `master@host:port`, or
    /// `file://path` of a file that holds one of these.
    ///
    /// # Errors
    /// [`MechanismError`], with the text at fault.
    pub fn parse(text: &str) -> Result<Mechanism, MechanismError> {
        let text = unfold(text, Purpose::Detection)?;
        match text.starts_with(SCHEME) {
            true => Ok(Mechanism::ZooKeeper(url(&text)?)),
            false => Ok(Mechanism::Fixed(Box::new(fixed(&text)?))),
        }
    }

    /// A detector that goes by it.
    pub fn detector(self, runtime: &Runtime) -> Arc<dyn MasterDetector> {
        match self {
            Mechanism::ZooKeeper(url) => {
                let group = Group::new(runtime, &url, SESSION_TIMEOUT);
                Arc::new(ZooKeeperMasterDetector::new(runtime, group))
            }
            Mechanism::Fixed(leader) => Arc::new(StandaloneMasterDetector::new(Some(*leader))),
        }
    }
}

/// Where masters contend: `zk://…`, or `file://path` of a file that holds that.
///
/// # Errors
/// [`MechanismError`], with the text at fault.
pub fn meeting_place(text: &str) -> Result<Url, MechanismError> {
    let text = unfold(text, Purpose::Election)?;
    match text.starts_with(SCHEME) {
        true => url(&text),
        false => Err(MechanismError::Unparsable(text)),
    }
}

fn url(text: &str) -> Result<Url, MechanismError> {
    let url: Url = text.parse()?;
    if url.path == "/" { Err(MechanismError::NoPath) } else { Ok(url) }
}

/// Reads what files lead to.
fn unfold(mechanism: &str, purpose: Purpose) -> Result<String, MechanismError> {
    let mut text = mechanism.to_owned();
    for _ in 0..FILES_MAX {
        let Some(path) = text.strip_prefix("file://") else { return Ok(text) };
        let what = match purpose {
            Purpose::Detection => "detection",
            Purpose::Election => "election",
        };
        tracing::warn!(
            "Specifying master {what} mechanism / ZooKeeper URL to be read out of a file via \
             'file://' is deprecated inside Mesos and will be removed in a future release."
        );
        let path = Path::new(path);
        let content = std::fs::read_to_string(path);
        let content = content.map_err(|_| MechanismError::File(path.to_owned()))?;
        text = stout::text::trim(&content).to_owned();
    }
    Err(MechanismError::FileLoop(mechanism.to_owned()))
}

fn fixed(text: &str) -> Result<MasterInfo, MechanismError> {
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

    fn leader(text: &str) -> Result<String, MechanismError> {
        match Mechanism::parse(text)? {
            Mechanism::Fixed(leader) => Ok(leader.pid.unwrap_or_default()),
            Mechanism::ZooKeeper(url) => Ok(url.to_string()),
        }
    }

    #[test]
    fn a_fixed_master_is_named_by_host_and_port() {
        let check = |text: &str, pid: &str| assert_eq!(leader(text).unwrap(), pid, "{text}");
        check("127.0.0.1:5050", "master@127.0.0.1:5050");
        check("master@127.0.0.1:5050", "master@127.0.0.1:5050");
        check("localhost:5050", "master@127.0.0.1:5050");
        check("zk://u:p@host:1/mesos", "zk://u:p@host:1/mesos");
    }

    #[test]
    fn what_cannot_be_parsed_is_named() {
        for text in [
            "localquiet",
            "",
            "127.0.0.1",
            "127.0.0.1:0",
            "no.such.host.invalid:1",
            " zk://host:1/mesos",
            "ZK://host:1/mesos",
        ] {
            let error = leader(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Failed to parse '{text}'"));
        }
    }

    #[test]
    fn zookeeper_needs_a_path() {
        let text = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)";
        for url in ["zk://host:1", "zk://host:1/"] {
            assert_eq!(leader(url).unwrap_err().to_string(), text);
            assert_eq!(meeting_place(url).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn masters_meet_at_zookeeper_only() {
        assert_eq!(meeting_place("zk://host:1/a").unwrap().servers, "host:1");
        let error = meeting_place("host:1").unwrap_err();
        assert_eq!(error.to_string(), "Failed to parse 'host:1'");
    }

    #[test]
    fn master_contender_detector_test_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master");
        std::fs::write(&path, " 127.0.0.1:5050\n").unwrap();
        let text = format!("file://{}", path.display());
        assert_eq!(leader(&text).unwrap(), "master@127.0.0.1:5050");
        std::fs::write(&path, "zk://host:1/mesos\n").unwrap();
        assert_eq!(leader(&text).unwrap(), "zk://host:1/mesos");
        assert_eq!(meeting_place(&text).unwrap().to_string(), "zk://host:1/mesos");
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
