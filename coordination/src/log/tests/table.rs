//! Tables of text: behind each line with `>`, what follows from it. Those in `testdata` are read as
//! documentation, too.

use std::collections::BTreeMap;
use std::fmt::Write;

use libprocess::Upid;
use proto::mesos::internal::log::action::{Append, Nop, Truncate, Type};
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{
    Action, Metadata, PromiseRequest, PromiseResponse, RecoverResponse, WriteRequest,
    WriteResponse, promise_response, write_response,
};

use crate::log::acceptor::{Acceptor, Reply, Step};
use crate::log::coordinator::Coordinator;
use crate::log::message::{Payload, performed, write_request};
use crate::log::positions::Positions;
use crate::log::recovery::{AutoInitialize, Recovery};
use crate::log::storage::{Change, Restored};
use crate::log::turn::{Ask, Effect, Input, Machine, Turn};

/// Does each line of a table, and compares what follows with what the table says.
fn check(table: &str, mut act: impl FnMut(&[&str]) -> Vec<String>) {
    let mut actual = String::new();
    for line in table.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            let words: Vec<&str> = command.split(' ').collect();
            writeln!(actual, "{line}").expect("a text takes all");
            act(&words).iter().for_each(|line| actual = format!("{actual}{line}\n"));
        } else if line.is_empty() || line.starts_with('#') {
            writeln!(actual, "{line}").expect("a text takes all");
        }
    }
    assert!(actual == table, "this is what follows:\n{actual}");
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().ok().unwrap_or_else(|| panic!("'{word}' is no number"))
}

fn status(word: &str) -> Status {
    Status::from_str_name(word).unwrap_or_else(|| panic!("'{word}' is no status"))
}

fn payload(words: &[&str]) -> Payload {
    match words {
        ["nop"] => Payload::Nop(Nop::default()),
        ["tombstone"] => Payload::Nop(Nop { tombstone: Some(true) }),
        ["append", text] => {
            let bytes = (*text).to_owned().into();
            Payload::Append(Append { bytes, cksum: None })
        }
        ["truncate", to] => Payload::Truncate(Truncate { to: number(to) }),
        other => panic!("{other:?} is no payload"),
    }
}

/// As `print_action` prints it.
fn action(words: &[&str]) -> Action {
    let [position, "promised", promised, rest @ ..] = words else { panic!("{words:?}") };
    let promised_only =
        Action { position: number(position), promised: number(promised), ..Action::default() };
    match rest {
        [] => promised_only,
        ["performed", proposal, "learned", rest @ ..] => Action {
            promised: number(promised),
            learned: Some(true),
            ..performed(number(position), number(proposal), payload(rest))
        },
        ["performed", proposal, rest @ ..] => Action {
            promised: number(promised),
            ..performed(number(position), number(proposal), payload(rest))
        },
        other => panic!("{other:?} is no action"),
    }
}

fn print_action(action: &Action) -> String {
    let mut text = format!("{} promised {}", action.position, action.promised);
    if let Some(performed) = action.performed {
        text += &format!(" performed {performed}");
    }
    if action.learned == Some(true) {
        text += " learned";
    }
    match action.r#type {
        Some(_) => text + &print_payload(&Payload::of(action).expect("what we make is whole")),
        None => text,
    }
}

fn print_payload(payload: &Payload) -> String {
    match payload {
        Payload::Nop(Nop { tombstone: Some(true) }) => " tombstone".to_owned(),
        Payload::Nop(_) => " nop".to_owned(),
        Payload::Append(append) => format!(" append {}", String::from_utf8_lossy(&append.bytes)),
        Payload::Truncate(truncate) => format!(" truncate {}", truncate.to),
    }
}

fn print_reply(reply: &Reply) -> String {
    match reply {
        Reply::Promise(response) => {
            let kind = response.r#type().as_str_name();
            assert_eq!(response.okay, kind == "ACCEPT");
            let mut text = format!("says {kind} {}", response.proposal);
            if let Some(position) = response.position {
                text += &format!(" position {position}");
            }
            if let Some(action) = &response.action {
                text += &format!(" action {}", print_action(action));
            }
            text
        }
        Reply::Write(response) => {
            let kind = response.r#type().as_str_name();
            assert_eq!(response.okay, kind == "ACCEPT");
            format!("says {kind} {} at {}", response.proposal, response.position)
        }
        Reply::Recover(response) => match (response.begin, response.end) {
            (Some(begin), Some(end)) => {
                format!("says {} {begin}..{end}", response.status().as_str_name())
            }
            _ => format!("says {}", response.status().as_str_name()),
        },
    }
}

#[test]
fn the_acceptor_answers_as_in_the_table() {
    let mut acceptor = Acceptor::restore(Restored::default());
    let mut disk: BTreeMap<u64, Action> = BTreeMap::new();
    check(include_str!("../testdata/acceptor.txt"), |words| {
        let from = Upid::empty();
        let stored = |position| disk.get(&position).cloned();
        let step = match words {
            ["new", name] => {
                let metadata = Metadata { status: status(name).into(), promised: 0 };
                acceptor = Acceptor::restore(Restored { metadata, ..Restored::default() });
                disk.clear();
                return Vec::new();
            }
            ["show"] => {
                let (begin, end) = (acceptor.begin(), acceptor.end());
                let (status, promised) = (acceptor.status().as_str_name(), acceptor.promised());
                let missing = acceptor.missing_up_to(end);
                return vec![format!(
                    "{status} promised {promised} {begin}..{end} missing {missing}"
                )];
            }
            ["promise", proposal] => {
                let request = PromiseRequest { proposal: number(proposal), position: None };
                acceptor.promise(&from, &request, None)
            }
            ["promise", proposal, "at", position] => {
                let position = number(position);
                let request =
                    PromiseRequest { proposal: number(proposal), position: Some(position) };
                acceptor.promise(&from, &request, stored(position))
            }
            ["write", proposal, "at", position, "broken"] => {
                let (proposal, position) = (number(proposal), number(position));
                let r#type = Type::Append.into();
                let request =
                    WriteRequest { proposal, position, r#type, ..WriteRequest::default() };
                acceptor.write(&from, &request, stored(position))
            }
            ["write", proposal, "at", position, rest @ ..] => {
                let (proposal, position) = (number(proposal), number(position));
                let request = write_request(position, proposal, payload(rest));
                acceptor.write(&from, &request, stored(position))
            }
            ["learned", rest @ ..] => acceptor.learned(&from, &action(rest)),
            ["recover"] => acceptor.recover(&from),
            other => panic!("{other:?} is no command"),
        };
        outcome(&mut acceptor, &mut disk, step)
    });
}

fn outcome(acceptor: &mut Acceptor, disk: &mut BTreeMap<u64, Action>, step: Step) -> Vec<String> {
    let Step { change, reply } = step;
    if let Some(change) = &change {
        acceptor.apply(change);
    }
    let written = change.map(|change| match change {
        Change::Metadata(metadata) => {
            format!("writes {} promised {}", metadata.status().as_str_name(), metadata.promised)
        }
        Change::Action(action) => {
            let text = format!("writes {}", print_action(&action));
            disk.insert(action.position, action);
            text
        }
    });
    written.into_iter().chain(reply.as_ref().map(print_reply)).collect()
}

fn print_turn<T: std::fmt::Debug>(turn: &Turn<T>) -> Vec<String> {
    let mut lines: Vec<String> = turn.effects.iter().map(print_effect).collect();
    lines.extend(turn.outcome.as_ref().map(|outcome| format!("done {outcome:?}")));
    lines
}

fn print_effect(effect: &Effect) -> String {
    match effect {
        Effect::Ask(Ask::Promise(PromiseRequest { proposal, position: None })) => {
            format!("asks promise {proposal}")
        }
        Effect::Ask(Ask::Promise(PromiseRequest { proposal, position: Some(position) })) => {
            format!("asks promise {proposal} at {position}")
        }
        Effect::Ask(Ask::Write(request)) => {
            let payload = Payload::asked(request).expect("what we ask is whole");
            let (proposal, position) = (request.proposal, request.position);
            format!("asks write {proposal} at {position}{}", print_payload(&payload))
        }
        Effect::Ask(Ask::Recover) => "asks recover".to_owned(),
        Effect::AskAgain => "asks again".to_owned(),
        Effect::Learn(action) => format!("tells {}", print_action(action)),
        Effect::Check(position) => format!("checks {position}"),
        Effect::List(last) => format!("lists up to {last}"),
        Effect::SetStatus(status) => format!("becomes {}", status.as_str_name()),
        Effect::Pause(pause) => format!("pauses {pause:?}"),
    }
}

fn input(words: &[&str]) -> Input {
    match words {
        ["promised", kind, proposal, rest @ ..] => {
            let proposal = number(proposal);
            let response = PromiseResponse { proposal, ..promised(kind) };
            Input::Promise(match rest {
                [] => response,
                ["position", position] => {
                    PromiseResponse { position: Some(number(position)), ..response }
                }
                ["action", rest @ ..] => PromiseResponse { action: Some(action(rest)), ..response },
                other => panic!("{other:?}"),
            })
        }
        ["written", kind, proposal, "at", position] => {
            let (proposal, position) = (number(proposal), number(position));
            Input::Write(WriteResponse { proposal, position, ..written(kind) })
        }
        ["recover", name] => {
            Input::Recover(RecoverResponse { status: status(name).into(), begin: None, end: None })
        }
        ["recover", name, begin, end] => Input::Recover(RecoverResponse {
            status: status(name).into(),
            begin: Some(number(begin)),
            end: Some(number(end)),
        }),
        ["listed", ranges @ ..] => {
            let mut positions = Positions::default();
            for range in ranges {
                let (first, last) = range.split_once("..").expect("a range");
                positions.insert(number(first), number(last));
            }
            Input::Listed(positions)
        }
        ["missing"] => Input::Missing(true),
        ["there"] => Input::Missing(false),
        ["set"] => Input::StatusSet(true),
        ["not", "set"] => Input::StatusSet(false),
        ["all", "answered"] => Input::AllAnswered,
        ["timeout"] => Input::Timeout,
        ["resumed"] => Input::Resumed,
        other => panic!("{other:?} is no input"),
    }
}

/// `okay` and `refused` are those of peers before 0.26, without a type.
fn promised(kind: &str) -> PromiseResponse {
    let (okay, r#type) = match kind {
        "ACCEPT" => (true, Some(promise_response::Type::Accept.into())),
        "REJECT" => (false, Some(promise_response::Type::Reject.into())),
        "IGNORE" => (false, Some(promise_response::Type::Ignore.into())),
        "okay" => (true, None),
        "refused" => (false, None),
        other => panic!("{other}"),
    };
    PromiseResponse { okay, r#type, ..PromiseResponse::default() }
}

fn written(kind: &str) -> WriteResponse {
    let (okay, r#type) = match kind {
        "ACCEPT" => (true, Some(write_response::Type::Accept.into())),
        "REJECT" => (false, Some(write_response::Type::Reject.into())),
        "IGNORE" => (false, Some(write_response::Type::Ignore.into())),
        "okay" => (true, None),
        "refused" => (false, None),
        other => panic!("{other}"),
    };
    WriteResponse { okay, r#type, ..WriteResponse::default() }
}

#[test]
fn the_coordinator_does_as_in_the_table() {
    let mut coordinator = Coordinator::new(1);
    check(include_str!("../testdata/coordinator.txt"), |words| match words {
        ["new", quorum] => {
            coordinator = Coordinator::new(number(quorum));
            Vec::new()
        }
        ["elect", promised] => {
            coordinator.elect(number(promised));
            print_turn(&coordinator.start())
        }
        ["append", _] | ["truncate", _] => match coordinator.write(payload(words)) {
            Ok(()) => print_turn(&coordinator.start()),
            Err(full) => vec![full.to_string()],
        },
        words => print_turn(&coordinator.step(input(words))),
    });
}

#[test]
fn a_replica_recovers_as_in_the_table() {
    let mut recovery = Recovery::new(1, Status::Empty, AutoInitialize::No);
    check(include_str!("../testdata/recovery.txt"), |words| match words {
        ["new", quorum, name, rest @ ..] => {
            let auto_initialize = match rest {
                ["auto"] => AutoInitialize::Yes,
                _ => AutoInitialize::No,
            };
            recovery = Recovery::new(number(quorum), status(name), auto_initialize);
            print_turn(&recovery.start())
        }
        words => print_turn(&recovery.step(input(words))),
    });
}
