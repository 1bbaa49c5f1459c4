//! What a master says of itself in ZooKeeper, and how that is read: pure.
//! Called by contender and detector.
//!
//! Upstream: `MASTER_INFO_LABEL`, `MASTER_INFO_JSON_LABEL`,
//! `ZooKeeperMasterDetectorProcess::fetched`.

use common::json::protobuf::{ParseError, SortedProtobuf, parse};
use libprocess::Upid;
use prost::Message;
use proto::initialized::Checker;
use proto::mesos::MasterInfo;
use stout::json;

use crate::group::Candidate;

/// The label of nodes that hold the encoded message, which masters before 0.24 made.
const BINARY: &str = "info";

/// The label of nodes that hold JSON.
const JSON: &str = "json.info";

/// Why a node does not tell who leads.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum NodeError {
    #[error("Failed to parse data into MasterInfo")]
    Binary,
    #[error("Failed to parse data into valid JSON: {0}")]
    Syntax(json::ParseError),
    #[error("Failed to parse JSON into a valid MasterInfo protocol buffer: {0}")]
    Json(ParseError),
    #[error("Failed to parse data of unknown label '{0}'")]
    UnknownLabel(String),
}

/// What a node told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// All there is to know.
    Info(MasterInfo),
    /// As much, in the old way.
    OldInfo(MasterInfo),
    /// Only where the master is, in the oldest way.
    Pid(Upid),
}

/// The nodes of a master. With `is_legacy` there is one for detectors before 0.23, too, which know
/// no other; it comes first, since they look at the first one only.
pub(super) fn write(master: &MasterInfo, is_legacy: bool) -> Vec<Candidate> {
    let text = json::to_string(&SortedProtobuf(master));
    let candidate = |label: &str, data| Candidate { label: Some(label.to_owned()), data };
    let binary = is_legacy.then(|| candidate(BINARY, master.encode_to_vec().into()));
    binary.into_iter().chain([candidate(JSON, text.into())]).collect()
}

/// What the node of this label, which holds `data`, tells.
pub(super) fn read(label: Option<&str>, data: Vec<u8>) -> Result<Told, NodeError> {
    match label {
        None => {
            let text = String::from_utf8(data).map_err(|_| NodeError::Binary)?;
            let pid = Upid::parse_literal(&text).map_err(|_| NodeError::Binary)?;
            Ok(Told::Pid(pid))
        }
        Some(BINARY) => {
            let info = Checker::of::<MasterInfo>().decode(data.into());
            info.map(Told::OldInfo).map_err(|_| NodeError::Binary)
        }
        Some(JSON) => {
            let text = String::from_utf8_lossy(&data);
            let object = json::parse_object(&text).map_err(NodeError::Syntax)?;
            parse(&object.into()).map(Told::Info).map_err(NodeError::Json)
        }
        Some(label) => Err(NodeError::UnknownLabel(label.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mesos::Address;

    fn master() -> MasterInfo {
        MasterInfo {
            id: "f4cc767c".to_owned(),
            ip: 16_777_343,
            port: 24_501,
            pid: Some("master@127.0.0.1:24501".to_owned()),
            hostname: Some("localhost".to_owned()),
            version: Some("0.28.3".to_owned()),
            address: Some(Address {
                hostname: Some("localhost".to_owned()),
                ip: Some("127.0.0.1".to_owned()),
                port: 24_501,
            }),
        }
    }

    #[test]
    fn a_master_is_written_as_json_with_its_keys_in_order() {
        let nodes = write(&master(), false);
        assert_eq!(nodes.len(), 1);
        assert_eq!(nodes[0].label.as_deref(), Some("json.info"));
        let text = concat!(
            r#"{"address":{"hostname":"localhost","ip":"127.0.0.1","port":24501},"#,
            r#""hostname":"localhost","id":"f4cc767c","ip":16777343,"#,
            r#""pid":"master@127.0.0.1:24501","port":24501,"version":"0.28.3"}"#
        );
        assert_eq!(String::from_utf8_lossy(&nodes[0].data), text);
    }

    #[test]
    fn old_detectors_find_their_node_first() {
        let nodes = write(&master(), true);
        let labels: Vec<_> = nodes.iter().filter_map(|node| node.label.as_deref()).collect();
        assert_eq!(labels, ["info", "json.info"]);
        let read = |number: usize| {
            let node = &nodes[number];
            read(node.label.as_deref(), node.data.to_vec())
        };
        assert_eq!(read(0), Ok(Told::OldInfo(master())));
        assert_eq!(read(1), Ok(Told::Info(master())));
    }

    #[test]
    fn the_oldest_masters_say_only_where_they_are() {
        let read = |text: &str| read(None, text.as_bytes().to_vec());
        let pid = "master@127.0.0.1:5050";
        assert_eq!(read(pid), Ok(Told::Pid(pid.parse().unwrap())));
        assert_eq!(read("nobody"), Err(NodeError::Binary));
    }

    #[test]
    fn what_newer_masters_add_is_ignored() {
        let text = r#"{"id":"m","ip":1,"port":2,"domain":{"fault_domain":{}},"capabilities":[]}"#;
        let info = MasterInfo { id: "m".to_owned(), ip: 1, port: 2, ..MasterInfo::default() };
        assert_eq!(read(Some("json.info"), text.into()), Ok(Told::Info(info)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let check = |label: &str, data: &str, expected: &str| {
            let error = read(Some(label), data.as_bytes().to_vec()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("foo", "", "Failed to parse data of unknown label 'foo'");
        check("info", "x", "Failed to parse data into MasterInfo");
        check("info", "", "Failed to parse data into MasterInfo");
        check(
            "json.info",
            "x",
            "Failed to parse data into valid JSON: syntax error at line 1 near: x",
        );
        check(
            "json.info",
            r#"{"id":"m"}"#,
            "Failed to parse JSON into a valid MasterInfo protocol buffer: \
             Missing required fields: ip, port",
        );
    }
}
