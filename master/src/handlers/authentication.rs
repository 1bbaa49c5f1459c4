//! Peers that want to prove who they are. There is no authenticator to ask yet, and masters that
//! would need one do not start. Upstream: `Master::authenticate`.

use libprocess::{Ctx, Upid};
use proto::mesos::internal::{AuthenticateMessage, AuthenticationErrorMessage};
use tracing::error;

use crate::master::Master;

impl Master {
    /// A driver or a slave wants to be authenticated.
    pub(crate) fn authenticate(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: AuthenticateMessage,
    ) {
        self.metrics.messages_authenticate.increment();
        error!(
            "Received authentication request from {} but authenticator is not loaded",
            message.pid
        );
        ctx.send(&from, &AuthenticationErrorMessage { error: Some(NO_AUTHENTICATOR.to_owned()) });
    }
}

const NO_AUTHENTICATOR: &str = "No authenticator loaded";
