//! Who may do what: the trait that the master asks before it acts.
//! Without an authorizer everything is allowed. The answer may take its time; the master looks
//! everything up again when it has come. Upstream: `Authorizer`, `authorizer.proto`.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

/// What somebody wants to do. An unset principal asks as anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who.
    pub principal: Option<String>,
    /// What.
    pub action: Action,
}

/// An action with its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Be offered a role's resources.
    RegisterFramework {
        /// The role.
        role: String,
    },
    /// Run a task.
    RunTask {
        /// As this user.
        user: String,
    },
    /// End a framework, as an operator.
    TeardownFramework {
        /// The principal that it registered with, if any.
        framework_principal: Option<String>,
    },
    /// Reserve resources.
    ReserveResources {
        /// For these roles.
        roles: BTreeSet<String>,
    },
    /// Give up reservations.
    UnreserveResources {
        /// Made by these principals.
        reserver_principals: Vec<String>,
    },
    /// Make persistent volumes.
    CreateVolumes {
        /// For these roles.
        roles: BTreeSet<String>,
    },
    /// Destroy persistent volumes.
    DestroyVolumes {
        /// Made by these principals.
        creator_principals: Vec<String>,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// Do not.
    Denied,
    /// Nobody could say; why.
    Failed(String),
}

/// Decides.
pub trait Authorizer: Send + Sync {
    /// Whether the request may be granted.
    fn authorize(&self, request: Request) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;
}
