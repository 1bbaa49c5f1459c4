//! Does what a proposer's machine wants done: asks the replicas and brings the answers, tells them,
//! waits. Called by `writer` and `process`. Decides nothing; whoever drops the future stops it.
//!
//! Each question goes out from an actor of its own, as upstream's do, so that late answers to an
//! earlier one are never taken for answers to this one.
//!
//! Upstream: `Protocol`, `Network::broadcast`.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{Either, select};
use libprocess::process::Gone;
use libprocess::{Ctx, Inject, Pid, Process, Router, Runtime, Upid};
use prost::{Message, Name};
use proto::mesos::internal::log::{
    Action, LearnedMessage, PromiseResponse, RecoverRequest, RecoverResponse, WriteResponse,
};
use tokio::sync::mpsc;

use crate::log::network::Members;
use crate::log::replica::OwnReplica;
use crate::log::turn::{Ask, Effect, Input, Machine, Pause};

/// After this long a question is asked again. Upstream waits for ever, but for catch-up and
/// recovery.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that a proposer works with.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) runtime: Runtime,
    pub(crate) quorum: usize,
    pub(crate) members: Members,
    pub(crate) replica: OwnReplica,
}

/// Runs a machine to its outcome.
pub(crate) async fn drive<M: Machine>(peers: &Peers, machine: &mut M) -> Result<M::Outcome, Gone> {
    let mut question = None;
    let mut turn = machine.start();
    loop {
        let mut input = None;
        for effect in turn.effects {
            match effect {
                Effect::Ask(ask) => question = Some(Question::ask(peers, ask).await),
                Effect::AskAgain => question.iter_mut().for_each(|question| question.again(peers)),
                Effect::Learn(action) => peers.learn(action),
                Effect::Check(position) => {
                    input = Some(Input::Missing(peers.replica.is_missing(position).await?));
                }
                Effect::List(last) => {
                    input = Some(Input::Listed(peers.replica.missing_up_to(last).await?));
                }
                Effect::SetStatus(status) => {
                    input = Some(Input::StatusSet(peers.replica.set_status(status).await?));
                }
                Effect::Pause(pause) => {
                    question = None;
                    peers.runtime.clock().sleep(length(&peers.runtime, pause)).await;
                    input = Some(Input::Resumed);
                }
            }
        }
        if let Some(outcome) = turn.outcome {
            return Ok(outcome);
        }
        let input = match (input, &mut question) {
            (Some(input), _) => input,
            (None, Some(question)) => question.next(&peers.runtime).await,
            (None, None) => unreachable!("a machine that goes on waits for something"),
        };
        turn = machine.step(input);
    }
}

/// Between once and twice the shortest.
fn length(runtime: &Runtime, pause: Pause) -> Duration {
    match pause {
        Pause::Short => jittered(runtime, Duration::from_millis(100)),
        Pause::Long => jittered(runtime, Duration::from_millis(500)),
    }
}

/// Between `shortest` and twice that.
pub(crate) fn jittered(runtime: &Runtime, shortest: Duration) -> Duration {
    let part = runtime.random() as f64 / u64::MAX as f64;
    shortest.mul_f64(1.0 + part)
}

impl Peers {
    /// Tells all replicas what was agreed on.
    fn learn(&self, action: Action) {
        let message = LearnedMessage { action };
        let body = message.encode_to_vec();
        for member in self.members.now() {
            // As upstream, in nobody's name.
            let (nobody, name) = (Upid::empty(), LearnedMessage::full_name());
            self.runtime.post(&nobody, &member, name, body.clone().into());
        }
    }
}

/// One question under way.
struct Question {
    ask: Ask,
    ear: Pid<Ear>,
    answers: mpsc::UnboundedReceiver<(Upid, Input)>,
    /// Who has been asked and has not answered.
    waiting: BTreeSet<Upid>,
    answered: BTreeSet<Upid>,
    all_told: bool,
}

impl Question {
    async fn ask(peers: &Peers, ask: Ask) -> Self {
        let members = peers.members.at_least(peers.quorum).await;
        let (heard, answers) = mpsc::unbounded_channel();
        let ear = peers.runtime.spawn_numbered("", || Ear { heard: heard.clone() });
        let answered = BTreeSet::new();
        let question = Self { ask, ear, answers, waiting: members, answered, all_told: false };
        question.send(&peers.runtime);
        question
    }

    fn send(&self, runtime: &Runtime) {
        let (name, body) = match &self.ask {
            Ask::Promise(request) => encoded(request),
            Ask::Write(request) => encoded(request),
            Ask::Recover => encoded(&RecoverRequest {}),
        };
        for member in &self.waiting {
            runtime.post(self.ear.upid(), member, name.clone(), body.clone().into());
        }
    }

    /// Those who are in the network now, and have not answered.
    fn again(&mut self, peers: &Peers) {
        self.waiting = peers.members.now();
        self.waiting.retain(|member| !self.answered.contains(member));
        self.send(&peers.runtime);
    }

    async fn next(&mut self, runtime: &Runtime) -> Input {
        if self.waiting.is_empty() && !self.all_told {
            self.all_told = true;
            return Input::AllAnswered;
        }
        let mut patience = std::pin::pin!(runtime.clock().sleep(PATIENCE));
        loop {
            let answer = std::pin::pin!(self.answers.recv());
            match select(answer, patience.as_mut()).await {
                Either::Left((Some((from, input)), _)) => {
                    // Only of those who were asked, and of each only one.
                    if self.waiting.remove(&from) {
                        self.answered.insert(from);
                        return input;
                    }
                }
                // The ear is gone only with the runtime, whose clock stands still then.
                Either::Left((None, _)) => patience.as_mut().await,
                Either::Right(_) => return Input::Timeout,
            }
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.ear.terminate(Inject::Front);
    }
}

fn encoded<M: Message + Name>(message: &M) -> (String, Vec<u8>) {
    (M::full_name(), message.encode_to_vec())
}

/// Hears the answers to one question. Upstream: the `ReqResProcess` behind a `Protocol`.
struct Ear {
    heard: mpsc::UnboundedSender<(Upid, Input)>,
}

impl Ear {
    fn hear(&mut self, from: Upid, input: Input) {
        // Too late, if nobody listens any more.
        let _ = self.heard.send((from, input));
    }
}

impl Process for Ear {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|ear: &mut Self, _: &mut Ctx<Self>, from, response: PromiseResponse| {
            ear.hear(from, Input::Promise(response));
        });
        router.on(|ear: &mut Self, _: &mut Ctx<Self>, from, response: WriteResponse| {
            ear.hear(from, Input::Write(response));
        });
        router.on(|ear: &mut Self, _: &mut Ctx<Self>, from, response: RecoverResponse| {
            ear.hear(from, Input::Recover(response));
        });
    }
}
