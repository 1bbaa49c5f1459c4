//! The client's side of CRAM-MD5: one actor for each attempt, `crammd5_authenticatee(N)`.
//! Called through [`Authenticatee`]. Never hears anybody but the master's process.
//!
//! Upstream: `CRAMMD5Authenticatee`, `CRAMMD5AuthenticateeProcess`.

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use libprocess::{Ctx, Inject, Pid, Process, Router, Runtime, Upid};
use proto::mesos::Credential;
use proto::mesos::internal::{
    AuthenticateMessage, AuthenticationCompletedMessage, AuthenticationErrorMessage,
    AuthenticationFailedMessage, AuthenticationMechanismsMessage, AuthenticationStartMessage,
    AuthenticationStepMessage,
};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::authentication::{Authenticatee, AuthenticationError, Verdict, cram_md5};

/// Proves by CRAM-MD5.
pub struct CramMd5Authenticatee;

impl Authenticatee for CramMd5Authenticatee {
    fn authenticate(
        &self,
        runtime: &Runtime,
        master: &Upid,
        client: &Upid,
        credential: &Credential,
    ) -> BoxFuture<'static, Result<Verdict, AuthenticationError>> {
        let Some(secret) = credential.secret.clone() else {
            warn!("Authentication failed; secret needed by CRAM-MD5 authenticatee");
            return future::ready(Ok(Verdict::Refused)).boxed();
        };
        let (told, verdict) = oneshot::channel();
        let mut attempt = Some(Attempt {
            master: master.clone(),
            client: client.clone(),
            principal: credential.principal.clone(),
            secret,
            turn: Turn::Starting,
            told: Some(told),
        });
        let make = || attempt.take().expect("nobody else takes ids of this form");
        let actor = GivenUp(runtime.spawn_numbered("crammd5_authenticatee", make));
        async move {
            let _actor = actor;
            verdict.await.unwrap_or(Err(AuthenticationError::Discarded))
        }
        .boxed()
    }
}

/// Ends the actor when nobody waits for it any more.
struct GivenUp(Pid<Attempt>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.terminate(Inject::Front);
    }
}

/// What the master may say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Its mechanisms.
    Starting,
    /// A challenge, or the verdict.
    Stepping,
}

struct Attempt {
    master: Upid,
    client: Upid,
    principal: String,
    secret: String,
    turn: Turn,
    told: Option<oneshot::Sender<Result<Verdict, AuthenticationError>>>,
}

impl Process for Attempt {
    fn install(&self, router: &mut Router<Self>) {
        router.on(Self::mechanisms);
        router.on(Self::step);
        router.on(Self::completed);
        router.on(Self::failed);
        router.on(Self::error);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        info!("Creating new client SASL connection");
        ctx.send(&self.master, &AuthenticateMessage { pid: self.client.to_string() });
    }
}

impl Attempt {
    /// Each attempt has an actor of its own at the master, whose name we learn only now; but it
    /// must be where the master is.
    fn is_stranger(&self, from: &Upid) -> bool {
        let is_stranger = from.address != self.master.address;
        if is_stranger {
            warn!("Ignoring authentication message from '{from}', which is not the master");
        }
        is_stranger
    }

    fn tell(&mut self, verdict: Result<Verdict, AuthenticationError>) {
        if let Some(told) = self.told.take() {
            // Nobody may be waiting any more.
            let _ = told.send(verdict);
        }
    }

    fn mechanisms(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: AuthenticationMechanismsMessage,
    ) {
        if self.is_stranger(&from) {
            return;
        }
        if self.turn != Turn::Starting {
            return self.tell(Err(AuthenticationError::OutOfTurn("mechanisms")));
        }
        let offered = message.mechanisms.join(",");
        info!("Received SASL authentication mechanisms: {offered}");
        if !message.mechanisms.iter().any(|name| name == cram_md5::MECHANISM) {
            return self.tell(Err(AuthenticationError::Mechanisms(offered)));
        }
        info!("Attempting to authenticate with mechanism '{}'", cram_md5::MECHANISM);
        ctx.reply(&AuthenticationStartMessage {
            mechanism: cram_md5::MECHANISM.to_owned(),
            data: Some(Default::default()),
        });
        self.turn = Turn::Stepping;
    }

    fn step(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: AuthenticationStepMessage) {
        if self.is_stranger(&from) {
            return;
        }
        if self.turn != Turn::Stepping {
            return self.tell(Err(AuthenticationError::OutOfTurn("step")));
        }
        info!("Received SASL authentication step");
        let proof = cram_md5::response(&message.data, &self.principal, self.secret.as_bytes());
        ctx.reply(&AuthenticationStepMessage { data: proof.into() });
    }

    fn completed(&mut self, _: &mut Ctx<Self>, from: Upid, _: AuthenticationCompletedMessage) {
        if self.is_stranger(&from) {
            return;
        }
        if self.turn != Turn::Stepping {
            return self.tell(Err(AuthenticationError::OutOfTurn("completed")));
        }
        info!("Authentication success");
        self.tell(Ok(Verdict::Authenticated));
    }

    fn failed(&mut self, _: &mut Ctx<Self>, from: Upid, _: AuthenticationFailedMessage) {
        if !self.is_stranger(&from) {
            self.tell(Ok(Verdict::Refused));
        }
    }

    fn error(&mut self, _: &mut Ctx<Self>, from: Upid, message: AuthenticationErrorMessage) {
        if !self.is_stranger(&from) {
            self.tell(Err(AuthenticationError::Master(message.error().to_owned())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libprocess::testing::{Peer, runtime, wait};

    type Proof = BoxFuture<'static, Result<Verdict, AuthenticationError>>;

    /// A master's process, whose sessions have other names than the master.
    fn begin(secret: Option<&str>) -> (Peer, Runtime, Proof) {
        let (session, runtime) = (Peer::start("master"), runtime());
        let client = Upid::new("slave(1)", runtime.address());
        let secret = secret.map(str::to_owned);
        let credential = Credential { principal: "p".to_owned(), secret };
        let proof =
            CramMd5Authenticatee.authenticate(&runtime, session.upid(), &client, &credential);
        (session, runtime, proof)
    }

    fn offer(session: &Peer, mechanisms: &[&str]) -> Upid {
        let request = session.expect::<AuthenticateMessage>();
        assert!(request.message.pid.starts_with("slave(1)@127.0.0.1:"));
        assert_eq!(&*request.from.id, "crammd5_authenticatee(1)");
        let mechanisms = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        session.send(&request.from, &AuthenticationMechanismsMessage { mechanisms });
        request.from
    }

    #[test]
    fn crammd5_authentication_test_success() {
        let (session, _runtime, proof) = begin(Some("s"));
        let client = offer(&session, &["PLAIN", "CRAM-MD5"]);
        let start = session.expect::<AuthenticationStartMessage>().message;
        assert_eq!((start.mechanism.as_str(), start.data), ("CRAM-MD5", Some("".into())));
        let challenge = "<1.2@vm>";
        session.send(&client, &AuthenticationStepMessage { data: challenge.into() });
        let step = session.expect::<AuthenticationStepMessage>().message;
        assert_eq!(step.data, cram_md5::response(challenge.as_bytes(), "p", b"s"));
        session.send(&client, &AuthenticationCompletedMessage::default());
        assert_eq!(wait(proof), Ok(Verdict::Authenticated));
    }

    #[test]
    fn a_proof_that_does_not_hold_is_refused() {
        let (session, _runtime, proof) = begin(Some("s"));
        let client = offer(&session, &["CRAM-MD5"]);
        session.send(&client, &AuthenticationFailedMessage::default());
        assert_eq!(wait(proof), Ok(Verdict::Refused));
    }

    #[test]
    fn crammd5_authentication_test_authenticatee_secret_missing() {
        let (_session, _runtime, proof) = begin(None);
        assert_eq!(wait(proof), Ok(Verdict::Refused));
    }

    #[test]
    fn what_is_out_of_turn_or_unknown_ends_the_attempt() {
        let (session, _runtime, proof) = begin(Some("s"));
        let client = session.expect::<AuthenticateMessage>().from;
        session.send(&client, &AuthenticationCompletedMessage::default());
        assert_eq!(wait(proof), Err(AuthenticationError::OutOfTurn("completed")));

        let (session, _runtime, proof) = begin(Some("s"));
        offer(&session, &["PLAIN"]);
        assert_eq!(wait(proof), Err(AuthenticationError::Mechanisms("PLAIN".to_owned())));

        let (session, _runtime, proof) = begin(Some("s"));
        let client = offer(&session, &["CRAM-MD5"]);
        let error = Some("no".to_owned());
        session.send(&client, &AuthenticationErrorMessage { error });
        assert_eq!(wait(proof).unwrap_err().to_string(), "Authentication error: no");
    }

    #[test]
    fn strangers_cannot_authenticate_us() {
        let (session, _runtime, proof) = begin(Some("s"));
        let client = offer(&session, &["CRAM-MD5"]);
        session.expect::<AuthenticationStartMessage>();
        let stranger = Peer::start("master");
        stranger.send(&client, &AuthenticationFailedMessage::default());
        session.send(&client, &AuthenticationCompletedMessage::default());
        assert_eq!(wait(proof), Ok(Verdict::Authenticated));
    }
}
