//! How the framework becomes known to the leading master, and again after it was lost: detect,
//! authenticate, subscribe until answered.
//! Called by the actor's start, by the detector and by lost connections. Never waits the same
//! time as other drivers do.
//!
//! Upstream: `SchedulerProcess::{detected, authenticate, _authenticate, doReliableRegistration}`.

use std::time::Duration;

use coordination::authentication::{
    Authenticatee, AuthenticationError, CramMd5Authenticatee, Verdict,
};
use coordination::election::DetectError;
use futures_util::future::{AbortHandle, Abortable};
use libprocess::{Ctx, Upid, vlog};
use proto::mesos::MasterInfo;
use proto::mesos::scheduler::{Call, call};
use stout::duration;
use tracing::{error, info, warn};

use crate::flags::DEFAULT_AUTHENTICATEE;
use crate::process::{Master, SchedulerProcess};

/// Upstream: `REGISTRATION_RETRY_INTERVAL_MAX`.
const REGISTRATION_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// What the longest wait before a retry is at least, however short the failover timeout.
const REGISTRATION_RETRY_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Upstream: `AUTHENTICATION_RETRY_INTERVAL_MAX`.
const AUTHENTICATION_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// How long one attempt to authenticate may take.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the proof of who we are stands.
#[derive(Default)]
pub(crate) struct Authentication {
    /// Counts attempts; what belongs to an older one is of no interest.
    attempt: u64,
    running: Option<AbortHandle>,
    succeeded: bool,
    /// Since the last success.
    failures: u32,
}

impl SchedulerProcess {
    pub(crate) fn detect(&self, ctx: &Ctx<Self>, previous: Option<MasterInfo>) {
        ctx.then(self.detector.detect(previous), Self::on_detected);
    }

    fn on_detected(
        &mut self,
        ctx: &mut Ctx<Self>,
        detected: Result<Option<MasterInfo>, DetectError>,
    ) {
        if self.ignores("the master change") {
            return;
        }
        let master = match detected {
            Ok(master) => master,
            Err(error) => return self.fail(format!("Failed to detect a master: {error}")),
        };
        self.disconnect();
        self.master = master.as_ref().and_then(|info| {
            let pid = Upid::parse_literal(info.pid()).ok()?;
            Some(Master { info: info.clone(), pid, linked: false })
        });
        match &self.master {
            Some(master) => info!("New master detected at {}", master.pid),
            None => info!("No master detected"),
        }
        self.begin(ctx);
        self.detect(ctx, master);
    }

    /// The connection to an actor has ended. A master that was restarted does not know us, so
    /// registration starts over. Upstream does not notice.
    pub(crate) fn on_exited(&mut self, ctx: &mut Ctx<Self>, pid: &Upid) {
        let Some(master) = self.master.as_mut().filter(|master| master.pid == *pid) else { return };
        master.linked = false;
        if self.connected && !self.ignores("exited event") {
            info!("Lost the connection to master {pid}");
            self.disconnect();
            // Not at once: all others have lost it, too.
            let factor = self.flags.registration_backoff_factor;
            self.begin_after(ctx, factor.mul_f64((self.setup.random)()));
        }
    }

    /// Forgets the master's knowledge of us, and tells the scheduler.
    fn disconnect(&mut self) {
        if self.connected {
            self.call("Scheduler::disconnected", |scheduler, driver| {
                scheduler.disconnected(driver);
            });
        }
        self.connected = false;
        // No master knows them any more.
        self.saved_offers.clear();
    }

    fn begin_after(&mut self, ctx: &Ctx<Self>, delay: Duration) {
        self.cancel_retry(ctx);
        self.retry = Some(ctx.after(delay, |this, ctx| this.begin(ctx)));
    }

    fn cancel_retry(&mut self, ctx: &Ctx<Self>) {
        if let Some(retry) = self.retry.take() {
            ctx.cancel(retry);
        }
    }

    /// Begins to make us known to the master, if there is one, in the place of what goes on.
    fn begin(&mut self, ctx: &mut Ctx<Self>) {
        self.cancel_retry(ctx);
        self.authentication.succeeded = false;
        if let Some(running) = self.authentication.running.take() {
            running.abort();
        }
        if self.master.is_none() || !self.is_running() {
            return;
        }
        self.link(ctx);
        if self.setup.credential.is_some() {
            self.authenticate(ctx);
        } else {
            info!("No credentials provided. Attempting to register without authentication");
            self.register(ctx, self.flags.registration_backoff_factor);
        }
    }

    fn link(&mut self, ctx: &Ctx<Self>) {
        if let Some(master) = self.master.as_mut().filter(|master| !master.linked) {
            ctx.link(&master.pid);
            master.linked = true;
        }
    }

    fn authenticate(&mut self, ctx: &mut Ctx<Self>) {
        let (Some(master), Some(credential)) = (&self.master, &self.setup.credential) else {
            return;
        };
        info!("Authenticating with master {}", master.pid);
        let name = &self.flags.authenticatee;
        if name != DEFAULT_AUTHENTICATEE {
            return self.fail(format!(
                "Could not create authenticatee module '{name}': this build loads no modules"
            ));
        }
        info!("Using default CRAM-MD5 authenticatee");
        let proof =
            CramMd5Authenticatee.authenticate(ctx.runtime(), &master.pid, ctx.upid(), credential);
        let (abort, registration) = AbortHandle::new_pair();
        let proof = Abortable::new(proof, registration);
        self.authentication.attempt += 1;
        self.authentication.running = Some(abort);
        let attempt = self.authentication.attempt;
        ctx.then(proof, move |this, ctx, verdict| {
            let verdict = verdict.unwrap_or(Err(AuthenticationError::Discarded));
            this.on_authenticated(ctx, attempt, verdict);
        });
        ctx.after(AUTHENTICATION_TIMEOUT, move |this, _| this.on_authentication_timeout(attempt));
    }

    fn on_authentication_timeout(&mut self, attempt: u64) {
        if attempt == self.authentication.attempt
            && let Some(running) = &self.authentication.running
        {
            warn!("Authentication timed out");
            running.abort();
        }
    }

    fn on_authenticated(
        &mut self,
        ctx: &mut Ctx<Self>,
        attempt: u64,
        verdict: Result<Verdict, AuthenticationError>,
    ) {
        // Without `running`, another master took this one's place.
        if attempt != self.authentication.attempt
            || self.authentication.running.take().is_none()
            || self.ignores("the outcome of an authentication")
        {
            return;
        }
        let Some(master) = &self.master else { return };
        match verdict {
            Ok(Verdict::Authenticated) => {
                info!("Successfully authenticated with master {}", master.pid);
                self.authentication.succeeded = true;
                self.authentication.failures = 0;
                self.register(ctx, self.flags.registration_backoff_factor);
            }
            Ok(Verdict::Refused) => {
                error!("Master {} refused authentication", master.pid);
                self.fail("Master refused authentication".to_owned());
            }
            Err(error) => {
                info!("Failed to authenticate with master {}: {error}", master.pid);
                self.authentication.failures += 1;
                let factor = self.flags.authentication_backoff_factor;
                let longest = authentication_backoff(factor, self.authentication.failures);
                self.begin_after(ctx, longest.mul_f64((self.setup.random)()));
            }
        }
    }

    /// Subscribes, and again after a random time up to `longest`, until the master answers.
    fn register(&mut self, ctx: &mut Ctx<Self>, longest: Duration) {
        self.retry = None;
        if self.connected || !self.is_running() {
            return;
        }
        if self.setup.credential.is_some() && !self.authentication.succeeded {
            return;
        }
        self.link(ctx);
        let Some(master) = &self.master else { return };
        vlog!(1, "Sending SUBSCRIBE call to {}", master.pid);
        ctx.send(&master.pid, &self.subscribe());
        let longest = registration_backoff(longest, self.setup.framework.failover_timeout);
        let delay = longest.mul_f64((self.setup.random)());
        vlog!(1, "Will retry registration in {} if necessary", duration::display(delay));
        self.retry = Some(ctx.after(delay, move |this, ctx| this.register(ctx, longest * 2)));
    }

    fn subscribe(&self) -> Call {
        let framework_id = self.setup.framework.id.clone().filter(|id| !id.value.is_empty());
        let force = framework_id.is_some().then_some(self.failover);
        let framework_info = self.setup.framework.clone();
        Call {
            framework_id,
            r#type: call::Type::Subscribe.into(),
            subscribe: Some(call::Subscribe { framework_info, force }),
            ..Call::default()
        }
    }
}

/// The longest wait after an attempt: a failover timeout that counts gives ten attempts to those
/// who are in a hurry.
fn registration_backoff(longest: Duration, failover_timeout_secs: Option<f64>) -> Duration {
    let hurry = failover_timeout_secs
        .filter(|secs| *secs > 0.0)
        .and_then(|secs| Duration::try_from_secs_f64(secs / 10.0).ok())
        .map(|tenth| tenth.max(REGISTRATION_RETRY_INTERVAL_MIN));
    longest.min(REGISTRATION_RETRY_INTERVAL_MAX).min(hurry.unwrap_or(Duration::MAX))
}

/// The longest wait after so many failures.
fn authentication_backoff(factor: Duration, failures: u32) -> Duration {
    let power = 2_u32.saturating_pow(failures);
    factor.saturating_mul(power).min(AUTHENTICATION_RETRY_INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_is_retried_within_a_tenth_of_the_failover_timeout() {
        let check = |longest_secs, failover_timeout_secs, expected_ms| {
            let longest = Duration::from_secs(longest_secs);
            let backoff = registration_backoff(longest, failover_timeout_secs);
            assert_eq!(backoff, Duration::from_millis(expected_ms), "{failover_timeout_secs:?}");
        };
        check(2, None, 2_000);
        check(64, None, 60_000);
        check(2, Some(10.0), 1_000);
        check(4, Some(3_600.0), 4_000);
        check(2, Some(0.0), 2_000);
        check(2, Some(-1.0), 2_000);
        check(2, Some(f64::NAN), 2_000);
        check(2, Some(1e300), 2_000);
        check(2, Some(1e-9), 100);
    }

    #[test]
    fn authentication_is_retried_more_and_more_seldom() {
        let check = |failures, expected_secs| {
            let backoff = authentication_backoff(Duration::from_secs(1), failures);
            assert_eq!(backoff, Duration::from_secs(expected_secs));
        };
        check(1, 2);
        check(3, 8);
        check(6, 60);
        check(1_000, 60);
    }
}
