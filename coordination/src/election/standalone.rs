//! A leader by appointment: one fixed master, or whoever a test appoints.
//! Called where no ZooKeeper is configured. Never sends a message.
//!
//! Upstream: `StandaloneMasterDetector`, `StandaloneMasterContender`, `createMasterInfo`.

use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use libprocess::Upid;
use libprocess::os::hostname;
use proto::mesos::{Address, MasterInfo};
use tokio::sync::watch;

use crate::election::{Candidacy, ContendError, DetectError, MasterContender, MasterDetector};

/// What is known of a master of which only the pid is: its id is made up, its host's name is
/// looked up, which may block. Upstream: `protobuf::createMasterInfo`.
pub fn master_info(pid: &Upid) -> MasterInfo {
    let ip = pid.address.ip;
    let hostname = hostname::of_ip(ip).ok();
    MasterInfo {
        id: format!("{pid}-{}", uuid::Uuid::new_v4()),
        // In network order: the first octet is the first byte in memory.
        ip: u32::from_ne_bytes(ip.octets()),
        port: pid.address.port.into(),
        pid: Some(pid.to_string()),
        hostname: hostname.clone(),
        address: Some(Address {
            hostname,
            ip: Some(ip.to_string()),
            port: pid.address.port.into(),
        }),
        ..MasterInfo::default()
    }
}

/// Knows the leader because it has been told.
pub struct StandaloneMasterDetector {
    leader: watch::Sender<Option<MasterInfo>>,
}

impl StandaloneMasterDetector {
    /// A detector of `leader`, or of nobody until somebody is appointed.
    pub fn new(leader: Option<MasterInfo>) -> Self {
        Self { leader: watch::Sender::new(leader) }
    }

    /// Makes `leader` the one that is detected.
    pub fn appoint(&self, leader: Option<MasterInfo>) {
        self.leader.send_replace(leader);
    }
}

impl MasterDetector for StandaloneMasterDetector {
    fn detect(
        &self,
        previous: Option<MasterInfo>,
    ) -> BoxFuture<'static, Result<Option<MasterInfo>, DetectError>> {
        let mut leader = self.leader.subscribe();
        async move {
            let changed = leader.wait_for(|leader| *leader != previous).await;
            match changed {
                Ok(leader) => Ok(leader.clone()),
                Err(_) => Err(DetectError("the detector is gone".to_owned())),
            }
        }
        .boxed()
    }
}

/// Becomes leader by asking for it, and stays it.
#[derive(Default)]
pub struct StandaloneMasterContender {
    master: Mutex<Option<MasterInfo>>,
}

impl MasterContender for StandaloneMasterContender {
    fn initialize(&self, master: MasterInfo) {
        *self.master.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(master);
    }

    fn contend(&self) -> BoxFuture<'static, Result<Candidacy, ContendError>> {
        let master = self.master.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let contended = match *master {
            Some(_) => Ok(future::pending().boxed()),
            None => Err(ContendError("Initialize the contender first".to_owned())),
        };
        future::ready(contended).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(id: &str) -> Option<MasterInfo> {
        Some(MasterInfo { id: id.to_owned(), ..MasterInfo::default() })
    }

    #[test]
    fn standalone_master_detector_tells_each_change_once() {
        let detector = StandaloneMasterDetector::new(master("one"));
        let detect = |previous| detector.detect(previous).now_or_never();
        assert_eq!(detect(None), Some(Ok(master("one"))));
        assert_eq!(detect(master("one")), None);
        detector.appoint(None);
        assert_eq!(detect(master("one")), Some(Ok(None)));
        detector.appoint(master("two"));
        assert_eq!(detect(None), Some(Ok(master("two"))));
    }

    #[test]
    fn basic_master_contender_detector_contends_after_it_was_initialized() {
        let contender = StandaloneMasterContender::default();
        assert!(contender.contend().now_or_never().unwrap().is_err());
        contender.initialize(master("one").unwrap());
        let candidacy = contender.contend().now_or_never().unwrap().unwrap();
        assert!(candidacy.now_or_never().is_none());
    }

    #[test]
    fn master_info_gives_the_ip_as_a_number_in_network_order() {
        let info = master_info(&"master@127.0.0.1:5050".parse().unwrap());
        assert_eq!(info.ip.to_ne_bytes(), [127, 0, 0, 1]);
        assert_eq!(info.pid.as_deref(), Some("master@127.0.0.1:5050"));
        assert_eq!(info.port, 5050);
        assert!(info.id.starts_with("master@127.0.0.1:5050-"));
    }
}
