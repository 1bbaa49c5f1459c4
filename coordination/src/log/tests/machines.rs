//! Three replicas and two writers on a network that loses, repeats and reorders everything, with
//! replicas that restart and lose nothing, by a thousand seeds. What was acknowledged stays, and
//! no two replicas ever learn different things.

use std::collections::BTreeMap;

use libprocess::Upid;
use proptest::prelude::{any, proptest};
use proptest::test_runner::Config;
use proto::mesos::internal::log::action::{Append, Truncate};
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{Action, Metadata};

use crate::log::acceptor::{Acceptor, Reply};
use crate::log::coordinator::Coordinator;
use crate::log::message::{Payload, is_learned};
use crate::log::storage::{Change, Restored};
use crate::log::store::Request;
use crate::log::turn::{Ask, Effect, Input, Machine, Turn};

const REPLICAS: usize = 3;
const QUORUM: usize = 2;
const WRITERS: usize = 2;
const STEPS: usize = 600;

/// Numbers by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("it is below an usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

struct Replica {
    acceptor: Acceptor,
    metadata: Metadata,
    disk: BTreeMap<u64, Action>,
}

impl Replica {
    fn new() -> Self {
        let metadata = Metadata { status: Status::Voting.into(), promised: 0 };
        let acceptor = Acceptor::restore(Restored { metadata, ..Restored::default() });
        Self { acceptor, metadata, disk: BTreeMap::new() }
    }

    fn serve(&mut self, request: &Request) -> Option<Reply> {
        let from = Upid::empty();
        let step = match request {
            Request::Promise(request) => {
                let stored = request.position.and_then(|position| self.stored(position));
                self.acceptor.promise(&from, request, stored)
            }
            Request::Write(request) => {
                self.acceptor.write(&from, request, self.stored(request.position))
            }
            Request::Learned(action) => self.acceptor.learned(&from, action),
            Request::Recover => self.acceptor.recover(&from),
        };
        if let Some(change) = step.change {
            self.acceptor.apply(&change);
            match change {
                Change::Metadata(metadata) => self.metadata = metadata,
                Change::Action(action) => {
                    self.disk.insert(action.position, action);
                }
            }
        }
        step.reply
    }

    fn stored(&self, position: u64) -> Option<Action> {
        self.acceptor.has(position).then(|| self.disk[&position].clone())
    }

    /// Everything but the disk is forgotten.
    fn restart(&mut self) {
        let mut restored = Restored { metadata: self.metadata, ..Restored::default() };
        for action in self.disk.values() {
            let position = action.position;
            restored.end = restored.end.max(position);
            if is_learned(action) {
                restored.learned.insert(position, position);
                let begin = crate::log::message::beginning_after(action);
                restored.begin = restored.begin.max(begin);
            } else {
                restored.unlearned.insert(position, position);
            }
        }
        let restarted = Acceptor::restore(restored);
        assert_eq!(restarted, self.acceptor);
        self.acceptor = restarted;
    }
}

struct Writer {
    coordinator: Coordinator,
    /// What it is at: nothing, an election, or the append of an entry.
    task: Option<Option<String>>,
    question: usize,
    asked: Option<Request>,
    /// For as long as a question is asked, an answer of each replica counts once.
    answered: Vec<usize>,
}

enum Letter {
    Request { writer: usize, question: usize, replica: usize, request: Request },
    Reply { writer: usize, question: usize, replica: usize, reply: Reply },
    Resume { writer: usize, question: usize },
}

struct World {
    chance: Chance,
    replicas: Vec<Replica>,
    writers: Vec<Writer>,
    letters: Vec<Letter>,
    acknowledged: BTreeMap<u64, String>,
    truncated: u64,
    appended: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let writer = || Writer {
            coordinator: Coordinator::new(QUORUM),
            task: None,
            question: 0,
            asked: None,
            answered: Vec::new(),
        };
        Self {
            chance: Chance(seed | 1),
            replicas: (0..REPLICAS).map(|_| Replica::new()).collect(),
            writers: (0..WRITERS).map(|_| writer()).collect(),
            letters: Vec::new(),
            acknowledged: BTreeMap::new(),
            truncated: 0,
            appended: 0,
        }
    }

    fn step(&mut self) {
        if self.chance.one_in(40) {
            let replica = self.chance.below(REPLICAS);
            self.replicas[replica].restart();
        }
        let writer = self.chance.below(WRITERS);
        if self.writers[writer].task.is_none() {
            self.begin(writer);
        } else if self.chance.one_in(15) {
            self.input(writer, Input::Timeout);
        } else if self.chance.one_in(100) {
            // It dies, and another one takes its place.
            self.writers[writer].coordinator = Coordinator::new(QUORUM);
            self.writers[writer].task = None;
            self.writers[writer].question += 1;
        }
        if !self.letters.is_empty() {
            let index = self.chance.below(self.letters.len());
            let letter = self.letters.swap_remove(index);
            self.deliver(letter);
        }
    }

    fn begin(&mut self, index: usize) {
        let writer = &mut self.writers[index];
        if !writer.coordinator.is_elected() {
            writer.coordinator.elect(self.replicas[index].acceptor.promised());
            writer.task = Some(None);
        } else if let (true, Some((&to, _))) =
            (self.chance.one_in(6), self.acknowledged.last_key_value())
        {
            let truncate = Payload::Truncate(Truncate { to });
            writer.coordinator.write(truncate).expect("it is not full");
            writer.task = Some(None);
            self.truncated = self.truncated.max(to);
        } else {
            self.appended += 1;
            let text = format!("entry {}", self.appended);
            let append = Append { bytes: text.clone().into(), cksum: None };
            writer.coordinator.write(Payload::Append(append)).expect("it is not full");
            writer.task = Some(Some(text));
        }
        let turn = self.writers[index].coordinator.start();
        self.turn(index, turn);
    }

    fn input(&mut self, index: usize, input: Input) {
        let turn = self.writers[index].coordinator.step(input);
        self.turn(index, turn);
    }

    fn turn(&mut self, index: usize, turn: Turn<Option<u64>>) {
        let mut input = None;
        for effect in turn.effects {
            match effect {
                Effect::Ask(ask) => self.ask(index, ask),
                Effect::AskAgain => self.send(index),
                Effect::Learn(action) => self.learn(index, &action),
                Effect::Check(position) => {
                    let is_missing = self.replicas[index].acceptor.is_missing(position);
                    input = Some(Input::Missing(is_missing));
                }
                Effect::List(last) => {
                    let missing = self.replicas[index].acceptor.missing_up_to(last);
                    input = Some(Input::Listed(missing));
                }
                Effect::Pause(_) => {
                    self.writers[index].question += 1;
                    let question = self.writers[index].question;
                    self.letters.push(Letter::Resume { writer: index, question });
                }
                Effect::SetStatus(_) => unreachable!("all of them vote"),
            }
        }
        if let Some(outcome) = turn.outcome {
            let task = self.writers[index].task.take().expect("it had something to do");
            if let (Some(position), Some(text)) = (outcome, task) {
                let earlier = self.acknowledged.insert(position, text);
                assert_eq!(earlier, None, "position {position} was used twice");
            }
        }
        if let Some(input) = input {
            self.input(index, input);
        }
    }

    fn ask(&mut self, index: usize, ask: Ask) {
        let writer = &mut self.writers[index];
        writer.question += 1;
        writer.answered.clear();
        writer.asked = Some(match ask {
            Ask::Promise(request) => Request::Promise(request),
            Ask::Write(request) => Request::Write(request),
            Ask::Recover => Request::Recover,
        });
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let writer = &self.writers[index];
        let (question, request) = (writer.question, writer.asked.clone().expect("it has asked"));
        for replica in (0..REPLICAS).filter(|replica| !writer.answered.contains(replica)) {
            let request = request.clone();
            self.letters.push(Letter::Request { writer: index, question, replica, request });
        }
    }

    /// The own replica hears at once what is told, the others when it arrives.
    fn learn(&mut self, index: usize, action: &Action) {
        let action = Action { learned: Some(true), ..action.clone() };
        self.replicas[index].serve(&Request::Learned(action.clone()));
        for replica in (0..REPLICAS).filter(|&replica| replica != index) {
            let request = Request::Learned(action.clone());
            self.letters.push(Letter::Request { writer: index, question: 0, replica, request });
        }
    }

    fn deliver(&mut self, letter: Letter) {
        if self.chance.one_in(12) {
            return;
        }
        match letter {
            Letter::Request { writer, question, replica, request } => {
                if let Some(reply) = self.replicas[replica].serve(&request) {
                    self.letters.push(Letter::Reply { writer, question, replica, reply });
                }
                if self.chance.one_in(12) {
                    self.letters.push(Letter::Request { writer, question, replica, request });
                }
            }
            Letter::Reply { writer, question, replica, reply } => {
                let asker = &mut self.writers[writer];
                if asker.question != question || asker.answered.contains(&replica) {
                    return;
                }
                asker.answered.push(replica);
                if asker.task.is_some() {
                    match reply {
                        Reply::Promise(response) => self.input(writer, Input::Promise(response)),
                        Reply::Write(response) => self.input(writer, Input::Write(response)),
                        Reply::Recover(response) => self.input(writer, Input::Recover(response)),
                    }
                }
            }
            Letter::Resume { writer, question } => {
                let is_waiting = self.writers[writer].task.is_some();
                if self.writers[writer].question == question && is_waiting {
                    self.input(writer, Input::Resumed);
                }
            }
        }
    }

    /// What is known to be agreed on is the same everywhere, and is what was acknowledged.
    fn check(&self) {
        let mut agreed: BTreeMap<u64, Payload> = BTreeMap::new();
        for replica in &self.replicas {
            for action in replica.disk.values().filter(|action| is_learned(action)) {
                // Of a truncated position a NOP may be told instead.
                if action.position < self.truncated {
                    continue;
                }
                let payload = Payload::of(action).expect("what was agreed on is whole");
                let first = agreed.entry(action.position).or_insert_with(|| payload.clone());
                assert_eq!(*first, payload, "at position {}", action.position);
            }
        }
        for (position, text) in self.acknowledged.range(self.truncated..) {
            let append = Append { bytes: text.clone().into(), cksum: None };
            assert_eq!(agreed.get(position), Some(&Payload::Append(append)), "at {position}");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]
    #[test]
    fn what_was_acknowledged_stays_whatever_the_network_does(seed in any::<u64>()) {
        let mut world = World::new(seed);
        for step in 0..STEPS {
            world.step();
            if step % 20 == 0 {
                world.check();
            }
        }
        world.check();
    }
}
