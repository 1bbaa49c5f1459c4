//! Awaiting, dropping and counting messages: what the tests of every crate rely on.

use libprocess::testing::{Intercept, Verdict, runtime, wait};
use libprocess::{Pid, Process, Router, Runtime, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

impl prost::Name for Note {
    const NAME: &'static str = "Note";
    const PACKAGE: &'static str = "test";
}

fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

struct Reader(UnboundedSender<String>);

impl Process for Reader {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|this: &mut Self, _, _, note: Note| {
            // A test that has seen enough does not listen any more.
            let _ = this.0.send(note.text);
        });
    }
}

fn reader(runtime: &Runtime) -> (Pid<Reader>, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    (runtime.spawn("reader", Reader(tell)).expect("a free id"), told)
}

fn post(runtime: &Runtime, to: &Pid<Reader>, text: &str) {
    let body = prost::Message::encode_to_vec(&note(text));
    runtime.post(&Upid::empty(), to.upid(), "test.Note", body.into());
}

#[test]
fn the_next_message_is_seen_and_still_arrives() {
    let runtime = runtime();
    let (pid, mut told) = reader(&runtime);
    let next = Intercept::<Note>::of(&runtime).to(pid.upid()).next();
    post(&runtime, &pid, "one");
    assert_eq!(wait(next).message, note("one"));
    assert_eq!(wait(told.recv()).unwrap(), "one");
    wait(runtime.shutdown());
}

#[test]
fn only_the_next_message_that_fits_is_dropped() {
    let runtime = runtime();
    let (pid, mut told) = reader(&runtime);
    let lost = Intercept::<Note>::of(&runtime).when(|note| note.text == "two").drop_next();
    for text in ["one", "two", "two", "three"] {
        post(&runtime, &pid, text);
    }
    let caught = wait(lost);
    assert_eq!((caught.from, caught.to), (Upid::empty(), pid.upid().clone()));
    let seen: Vec<_> = (0..3).map(|_| wait(told.recv()).unwrap()).collect();
    assert_eq!(seen, ["one", "two", "three"]);
    wait(runtime.shutdown());
}

#[test]
fn all_messages_are_dropped_and_counted_until_the_tally_is_gone() {
    let runtime = runtime();
    let (pid, mut told) = reader(&runtime);
    let tally = Intercept::<Note>::of(&runtime).drop_all();
    post(&runtime, &pid, "one");
    pid.post(&Upid::empty(), &note("two"));
    assert_eq!(tally.count(), 2);
    drop(tally);
    post(&runtime, &pid, "three");
    assert_eq!(wait(told.recv()).unwrap(), "three");
    wait(runtime.shutdown());
}

#[test]
fn the_newer_of_two_that_fit_has_the_message() {
    let runtime = runtime();
    let (pid, _told) = reader(&runtime);
    let older = Intercept::<Note>::of(&runtime).next();
    let newer = Intercept::<Note>::of(&runtime).next();
    post(&runtime, &pid, "one");
    post(&runtime, &pid, "two");
    assert_eq!(wait(newer).message, note("one"));
    assert_eq!(wait(older).message, note("two"));
    wait(runtime.shutdown());
}

#[test]
fn a_message_between_runtimes_is_seen_on_either_side() {
    let (here, there) = (runtime(), runtime());
    let (pid, mut told) = reader(&there);
    let mut leaves = Intercept::<Note>::of(&here).to(pid.upid()).next();
    let arrives = Intercept::<Note>::of(&there).to(pid.upid()).next();
    post(&here, &pid, "one");
    assert_eq!(leaves.passed().unwrap().message, note("one"));
    assert_eq!(wait(arrives).message, note("one"));
    assert_eq!(wait(told.recv()).unwrap(), "one");
    wait(here.shutdown());
    wait(there.shutdown());
}

#[test]
fn a_filter_sees_messages_of_every_name() {
    let runtime = runtime();
    let (pid, mut told) = reader(&runtime);
    let (tell, mut names) = unbounded_channel();
    let filter = runtime.filter(move |envelope| {
        tell.send(envelope.name.to_owned()).unwrap();
        Verdict::Drop
    });
    runtime.post(&Upid::empty(), pid.upid(), "PING", "".into());
    assert_eq!(wait(names.recv()).unwrap(), "PING");
    drop(filter);
    post(&runtime, &pid, "after");
    assert_eq!(wait(told.recv()).unwrap(), "after");
    wait(runtime.shutdown());
}
