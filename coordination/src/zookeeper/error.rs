//! What can go wrong with ZooKeeper, in upstream's words, and whether trying again may help.
//! Called by `session`. Never decides to try again.
//!
//! Upstream: `ZooKeeper::message`, `ZooKeeper::retryable`, the C client's `zerror`.

use std::fmt;

use zookeeper_client::Error;

/// Why ZooKeeper did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperError(Error);

impl ZooKeeperError {
    /// Whether the same may succeed later. What is not known to be final is tried again.
    pub fn is_retryable(&self) -> bool {
        !matches!(
            self.0,
            Error::BadArguments(_)
                | Error::NoNode
                | Error::NoAuth
                | Error::BadVersion
                | Error::NoChildrenForEphemerals
                | Error::NodeExists
                | Error::NotEmpty
                | Error::InvalidAcl
                | Error::AuthFailed
                | Error::QuotaExceeded
                | Error::MarshallingError
                | Error::Unimplemented
        )
    }

    /// Whether the node is not there.
    pub fn is_no_node(&self) -> bool {
        self.0 == Error::NoNode
    }

    /// Whether the node is there already.
    pub fn is_node_exists(&self) -> bool {
        self.0 == Error::NodeExists
    }

    /// Whether somebody else changed the node meanwhile.
    pub fn is_bad_version(&self) -> bool {
        self.0 == Error::BadVersion
    }
}

impl From<Error> for ZooKeeperError {
    fn from(error: Error) -> ZooKeeperError {
        ZooKeeperError(error)
    }
}

impl std::error::Error for ZooKeeperError {}

impl fmt::Display for ZooKeeperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.0 {
            Error::BadArguments(_) => "bad arguments",
            Error::NoNode => "no node",
            Error::NoAuth => "not authenticated",
            Error::BadVersion => "bad version",
            Error::NoChildrenForEphemerals => "no children for ephemerals",
            Error::NodeExists => "node exists",
            Error::NotEmpty => "not empty",
            Error::InvalidAcl => "invalid acl",
            Error::AuthFailed => "authentication failed",
            Error::MarshallingError => "marshalling error",
            Error::Unimplemented => "unimplemented",
            Error::ConnectionLoss => "connection loss",
            Error::Timeout => "operation timeout",
            Error::SessionExpired => "session expired",
            Error::SessionMoved => "session moved to another server, so operation is ignored",
            Error::ClientClosed => "zookeeper is closing",
            other => return other.fmt(f),
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_test_retryable_errors() {
        for error in [
            Error::ConnectionLoss,
            Error::Timeout,
            Error::SessionExpired,
            Error::SessionMoved,
            Error::Throttled,
            Error::UnexpectedErrorCode(-999),
        ] {
            assert!(ZooKeeperError(error.clone()).is_retryable(), "{error}");
        }
        for error in [Error::NoAuth, Error::NodeExists, Error::AuthFailed, Error::InvalidAcl] {
            assert!(!ZooKeeperError(error.clone()).is_retryable(), "{error}");
        }
    }
}
