//! Proving to the master who we are, before anything else is said to it.
//! Called for each master that is detected, if there is a credential.
//! Upstream: `Slave::authenticate`, `_authenticate`, `authenticationTimeout`.

use std::time::Duration;

use coordination::authentication::{
    Authenticatee, AuthenticationError, CramMd5Authenticatee, Verdict,
};
use futures_util::future::{Either, select};
use libprocess::{Ctx, Upid};
use proto::mesos::Credential;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::constants::{AUTHENTICATION_RETRY_INTERVAL_MAX, AUTHENTICATION_TIMEOUT};
use crate::slave::{Fatal, Slave};

/// What has come of an attempt; nothing if it was given up.
type Outcome = Option<Result<Verdict, AuthenticationError>>;

impl Slave {
    /// Authenticates with the master and then registers; again and again until one of the two is
    /// done. An attempt with an earlier master is given up.
    pub(crate) fn authenticate(&mut self, ctx: &mut Ctx<Self>, credential: Credential) {
        let Some(master) = self.master.clone() else { return };
        info!("Authenticating with master {master}");
        ctx.link(&master);
        info!("Using default CRAM-MD5 authenticatee");
        let proof =
            CramMd5Authenticatee.authenticate(ctx.runtime(), &master, ctx.upid(), &credential);
        // Dropped, and thereby told, when this attempt is no longer the latest.
        let (give_up, given_up) = oneshot::channel::<()>();
        self.authentication = Some(give_up);
        let detection = self.detection;
        let attempt = async move {
            match select(proof, given_up).await {
                Either::Left((verdict, _)) => Some(verdict),
                Either::Right(_) => None,
            }
        };
        let timer = ctx.after(AUTHENTICATION_TIMEOUT, |slave, _| {
            warn!("Authentication timed out");
            slave.authentication = None;
        });
        ctx.then(attempt, move |slave, ctx, outcome| {
            ctx.cancel(timer);
            if slave.detection == detection {
                slave.on_authenticated(ctx, master, credential, outcome);
            }
        });
    }

    fn on_authenticated(
        &mut self,
        ctx: &mut Ctx<Self>,
        master: Upid,
        credential: Credential,
        outcome: Outcome,
    ) {
        self.authentication = None;
        let why = match outcome {
            Some(Ok(Verdict::Authenticated)) => {
                info!("Successfully authenticated with master {master}");
                self.failed_authentications = 0;
                let longest = self.config.registration_backoff_factor * 2;
                return self.register(ctx, self.detection, longest);
            }
            Some(Ok(Verdict::Refused)) => return self.die(ctx, Fatal::Refused(master)),
            Some(Err(error)) => error.to_string(),
            None => "future discarded".to_owned(),
        };
        warn!("Failed to authenticate with master {master}: {why}");
        self.failed_authentications = self.failed_authentications.saturating_add(1);
        let longest =
            backoff(self.config.authentication_backoff_factor, self.failed_authentications);
        let (wait, detection) = (self.random_part_of(longest), self.detection);
        ctx.after(wait, move |slave, ctx| {
            if slave.detection == detection {
                slave.authenticate(ctx, credential);
            }
        });
    }
}

/// The longest wait after so many failures.
fn backoff(factor: Duration, failures: u32) -> Duration {
    let longest = factor.saturating_mul(2_u32.saturating_pow(failures));
    longest.min(AUTHENTICATION_RETRY_INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let check = |failures, secs| {
            assert_eq!(backoff(Duration::from_secs(1), failures), Duration::from_secs(secs));
        };
        check(1, 2);
        check(5, 32);
        check(6, 60);
        check(u32::MAX, 60);
    }
}
