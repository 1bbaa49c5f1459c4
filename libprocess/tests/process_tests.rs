//! What actors may rely on, within one runtime and between two of them on real sockets.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use libprocess::process::Gone;
use libprocess::testing::{exited, runtime, start, wait};
use libprocess::{Config, Ctx, Inject, Pid, Process, Router, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What an actor under test reports.
#[derive(Debug, PartialEq)]
enum Seen {
    Message { from: Upid, name: &'static str, body: Bytes },
    Exited(Upid),
    Finalized,
}

/// Tells what it sees, answers `ping` with `pong`.
struct Witness(UnboundedSender<Seen>);

impl Process for Witness {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("ping", |this: &mut Self, ctx, from, body| {
            ctx.send_raw(&from, "pong", body.clone());
            this.tell(Seen::Message { from, name: "ping", body });
        });
        router.on_raw("pong", |this: &mut Self, _, from, body| {
            this.tell(Seen::Message { from, name: "pong", body });
        });
    }

    fn exited(&mut self, _: &mut Ctx<Self>, pid: Upid) {
        self.tell(Seen::Exited(pid));
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        self.tell(Seen::Finalized);
    }
}

impl Witness {
    fn new() -> (Self, UnboundedReceiver<Seen>) {
        let (tell, told) = unbounded_channel();
        (Self(tell), told)
    }

    fn tell(&self, seen: Seen) {
        self.0.send(seen).expect("the test listens");
    }
}

fn message(from: &Upid, name: &'static str, body: &'static str) -> Option<Seen> {
    Some(Seen::Message { from: from.clone(), name, body: body.into() })
}

#[test]
fn process_test_spawn_refuses_a_second_actor_of_one_id() {
    let runtime = runtime();
    let (first, _told) = Witness::new();
    let (second, _also) = Witness::new();
    let pid = runtime.spawn("witness", first).unwrap();
    let refused = runtime.spawn("witness", second).unwrap_err();
    assert_eq!(refused.0, *pid.upid());
    wait(runtime.shutdown());
}

#[test]
fn process_test_pid_ids_count_from_one_for_each_prefix() {
    let runtime = runtime();
    assert_eq!(runtime.generate("slave"), "slave(1)");
    assert_eq!(runtime.generate("slave"), "slave(2)");
    assert_eq!(runtime.generate("executor"), "executor(1)");
    wait(runtime.shutdown());
}

#[test]
fn process_test_message_goes_to_and_fro_in_one_runtime() {
    let runtime = runtime();
    let (one, mut told_one) = Witness::new();
    let (two, mut told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    runtime.post(one.upid(), two.upid(), "ping", "body".into());
    assert_eq!(wait(told_two.recv()), message(one.upid(), "ping", "body"));
    assert_eq!(wait(told_one.recv()), message(two.upid(), "pong", "body"));
    wait(runtime.shutdown());
}

#[test]
fn process_test_remote_message_and_exited() {
    let (here, there) = (runtime(), runtime());
    let (one, mut told_one) = Witness::new();
    let (two, mut told_two) = Witness::new();
    let one = here.spawn("one", one).unwrap();
    let two = there.spawn("two", two).unwrap();
    let linkee = two.upid().clone();
    wait(one.dispatch(move |_, ctx| ctx.link(&linkee))).unwrap();
    here.post(one.upid(), two.upid(), "ping", "far".into());
    assert_eq!(wait(told_two.recv()), message(one.upid(), "ping", "far"));
    assert_eq!(wait(told_one.recv()), message(two.upid(), "pong", "far"));
    let two = two.upid().clone();
    wait(there.shutdown());
    assert_eq!(wait(told_one.recv()), Some(Seen::Exited(two)));
    wait(here.shutdown());
}

#[test]
fn process_test_exited_once_for_a_local_actor_however_often_linked() {
    let runtime = runtime();
    let (one, mut told) = Witness::new();
    let (two, _told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    let linkee = two.upid().clone();
    wait(one.dispatch(move |_, ctx| {
        ctx.link(&linkee);
        ctx.link(&linkee);
    }))
    .unwrap();
    two.terminate(Inject::Front);
    wait(two.wait());
    assert_eq!(wait(told.recv()), Some(Seen::Exited(two.upid().clone())));
    one.terminate(Inject::Back);
    assert_eq!(wait(told.recv()), Some(Seen::Finalized));
    wait(runtime.shutdown());
}

#[test]
fn process_test_inject_exited() {
    let runtime = runtime();
    let (one, mut told) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let gone: Upid = "gone@127.0.0.1:1".parse().unwrap();
    exited(&runtime, &gone, one.upid());
    assert_eq!(wait(told.recv()), Some(Seen::Exited(gone)));
    wait(runtime.shutdown());
}

#[test]
fn what_was_sent_before_a_flush_is_with_the_system_after_it() {
    use std::io::Read;
    const BYTES: usize = 4 << 20;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = match listener.local_addr().unwrap() {
        std::net::SocketAddr::V4(address) => address.into(),
        std::net::SocketAddr::V6(_) => unreachable!("bound to IPv4"),
    };
    let runtime = runtime();
    let to = Upid::new("peer", address);
    runtime.post(&Upid::empty(), &to, "big", vec![0; BYTES].into());
    let read = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).unwrap();
        read.len()
    });
    wait(runtime.flush(Duration::from_secs(30)));
    wait(runtime.shutdown());
    assert!(read.join().unwrap() > BYTES);
}

#[test]
fn process_test_exited_is_not_told_to_who_has_ended() {
    let runtime = runtime();
    let (one, mut told) = Witness::new();
    let (two, _told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    let linkee = two.upid().clone();
    wait(one.dispatch(move |_, ctx| ctx.link(&linkee))).unwrap();
    one.terminate(Inject::Front);
    wait(one.wait());
    let (again, mut told_again) = Witness::new();
    runtime.spawn("one", again).unwrap();
    two.terminate(Inject::Front);
    wait(two.wait());
    wait(runtime.settle());
    assert_eq!(told.try_recv(), Ok(Seen::Finalized));
    assert!(told.try_recv().is_err() && told_again.try_recv().is_err());
    wait(runtime.shutdown());
}

/// Notes the order in which things happen to it.
#[derive(Default)]
struct Diary(Vec<&'static str>);

impl Process for Diary {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("note", |this: &mut Self, _, _, _| this.0.push("note"));
    }

    fn initialize(&mut self, _: &mut Ctx<Self>) {
        self.0.push("initialize");
    }
}

#[test]
fn process_test_spawn_initializes_before_any_event() {
    let runtime = runtime();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    runtime.post(&Upid::empty(), diary.upid(), "note", "".into());
    let notes = wait(diary.dispatch(|this, _| this.0.clone())).unwrap();
    assert_eq!(notes, ["initialize", "note"]);
    diary.terminate(Inject::Front);
    wait(diary.wait());
    assert!(!wait(runtime.wait(diary.upid())));
    // The id is free again.
    runtime.spawn("diary", Diary::default()).unwrap();
    wait(runtime.shutdown());
}

#[test]
fn process_test_dispatch() {
    let runtime = runtime();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    diary.tell(|this, _| this.0.push("tell"));
    let length = diary.dispatch(|this, _| this.0.len());
    let later = diary.dispatch_then(|this, _| {
        let length = this.0.len();
        async move { length + 40 }
    });
    assert_eq!((wait(length), wait(later)), (Ok(2), Ok(42)));
    diary.terminate(Inject::Front);
    wait(diary.wait());
    assert_eq!(wait(diary.dispatch(|_, _| ())), Err(Gone));
    wait(runtime.shutdown());
}

#[test]
fn process_test_defer_goes_on_in_the_actor() {
    let runtime = runtime();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    let (go, gone) = oneshot::channel::<&'static str>();
    let (done, end) = oneshot::channel();
    diary.tell(|_, ctx| {
        ctx.then(gone, |this, _, outcome| {
            this.0.push(outcome.expect("sent below"));
            done.send(this.0.clone()).expect("the test waits");
        });
    });
    diary.tell(|this, _| this.0.push("meanwhile"));
    wait(runtime.settle());
    go.send("then").unwrap();
    assert_eq!(wait(end).unwrap(), ["initialize", "meanwhile", "then"]);
    wait(runtime.shutdown());
}

#[test]
fn process_test_terminate_at_the_front_and_at_the_back() {
    let runtime = runtime();
    let check = |inject: Inject, served: bool| {
        let diary = runtime.spawn("diary", Diary::default()).unwrap();
        let (begin, begun) = oneshot::channel();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        diary.tell(move |_, _| {
            begin.send(()).unwrap();
            gone.recv().unwrap();
        });
        wait(begun).unwrap();
        let behind = diary.dispatch(|_, _| ());
        diary.terminate(inject);
        go.send(()).unwrap();
        wait(diary.wait());
        assert_eq!(wait(behind).is_ok(), served, "{inject:?}");
    };
    check(Inject::Front, false);
    check(Inject::Back, true);
    wait(runtime.shutdown());
}

#[test]
fn process_test_handler_that_panics_ends_its_actor_alone() {
    let runtime = runtime();
    let (one, mut told) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    let linkee = diary.upid().clone();
    wait(one.dispatch(move |_, ctx| ctx.link(&linkee))).unwrap();
    diary.tell(|_, _| panic!("on purpose"));
    assert_eq!(wait(told.recv()), Some(Seen::Exited(diary.upid().clone())));
    runtime.spawn("diary", Diary::default()).unwrap();
    wait(runtime.shutdown());
}

#[test]
fn process_test_delegate_keeps_the_sender() {
    struct Delegator(Upid);

    impl Process for Delegator {
        fn install(&self, router: &mut Router<Self>) {
            router.delegate("ping", self.0.clone());
        }
    }

    let runtime = runtime();
    let (one, mut told_one) = Witness::new();
    let (two, mut told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    let delegator = runtime.spawn("delegator", Delegator(two.upid().clone())).unwrap();
    runtime.post(one.upid(), delegator.upid(), "ping", "x".into());
    assert_eq!(wait(told_two.recv()), message(one.upid(), "ping", "x"));
    assert_eq!(wait(told_one.recv()), message(two.upid(), "pong", "x"));
    wait(runtime.shutdown());
}

#[test]
fn process_test_delay_and_order() {
    let runtime = runtime();
    runtime.clock().pause();
    let start = runtime.clock().now();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    let notes = || wait(diary.dispatch(|this, _| this.0.split_off(0))).unwrap();
    diary.tell(|_, ctx| {
        ctx.after(Duration::from_secs(2), |this, _| this.0.push("second"));
        ctx.after(Duration::from_secs(1), |this, _| this.0.push("first"));
        ctx.after(Duration::from_secs(2), |this, _| this.0.push("third"));
        let forgotten = ctx.after(Duration::from_secs(2), |this, _| this.0.push("never"));
        assert!(ctx.cancel(forgotten));
    });
    assert_eq!(notes(), ["initialize"]);
    runtime.clock().advance(Duration::from_millis(1999));
    wait(runtime.settle());
    assert_eq!(notes(), ["first"]);
    runtime.clock().advance(Duration::from_millis(1));
    wait(runtime.settle());
    assert_eq!(notes(), ["second", "third"]);
    assert_eq!(wait(diary.dispatch(|_, ctx| ctx.now())), Ok(start + Duration::from_secs(2)));
    wait(runtime.shutdown());
}

#[test]
fn process_test_delay_in_real_time() {
    let runtime = runtime();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    let (done, end) = oneshot::channel();
    let start = std::time::Instant::now();
    diary.tell(|_, ctx| {
        ctx.after(Duration::from_millis(20), |_, _| done.send(()).expect("the test waits"));
    });
    wait(end).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
    wait(runtime.shutdown());
}

#[test]
fn process_test_after() {
    let runtime = runtime();
    runtime.clock().pause();
    let mut slept = runtime.clock().sleep(Duration::from_secs(5)).boxed();
    assert!((&mut slept).now_or_never().is_none());
    runtime.clock().advance(Duration::from_secs(5));
    assert!(slept.now_or_never().is_some());
    wait(runtime.shutdown());
}

#[test]
fn process_test_async() {
    let runtime = runtime();
    let caller = std::thread::current().id();
    let work = runtime.blocking(move || (std::thread::current().id() != caller, 42));
    assert_eq!(wait(work), Some((true, 42)));
    wait(runtime.shutdown());
}

#[test]
fn process_test_settle_waits_for_chains_of_work() {
    fn pass_on(pid: Pid<Diary>, left: u32) {
        let next = pid.clone();
        pid.tell(move |this, ctx| match left {
            0 => this.0.push("end"),
            left => ctx.then(async {}, move |_, _, ()| pass_on(next, left - 1)),
        });
    }

    let runtime = runtime();
    runtime.clock().pause();
    let diary = runtime.spawn("diary", Diary::default()).unwrap();
    for _ in 0..20 {
        pass_on(diary.clone(), 50);
        wait(runtime.settle());
        assert_eq!(wait(diary.dispatch(|this, _| this.0.pop())), Ok(Some("end")));
    }
    wait(runtime.shutdown());
}

#[test]
fn process_test_donate_a_busy_actor_leaves_threads_to_others() {
    let runtime = runtime();
    let busy = runtime.spawn("busy", Diary::default()).unwrap();
    let other = runtime.spawn("other", Diary::default()).unwrap();
    fn again(pid: Pid<Diary>) {
        let next = pid.clone();
        pid.tell(move |this, _| {
            if this.0.len() < 2 {
                again(next);
            }
        });
    }
    again(busy.clone());
    assert_eq!(wait(other.dispatch(|_, _| 7)), Ok(7));
    wait(busy.dispatch(|this, _| this.0.push("enough"))).unwrap();
    wait(runtime.shutdown());
}

/// One handler wakes the other actors, and all of them hold their threads until all have come.
#[test]
fn what_a_busy_actor_has_sent_is_served_meanwhile() {
    const WORKERS: usize = 4;

    struct Meeting(Arc<Barrier>);

    impl Process for Meeting {
        fn install(&self, router: &mut Router<Self>) {
            router.on_raw("meet", |this: &mut Self, _, _, _| {
                this.0.wait();
            });
        }
    }

    let runtime = start(Config { num_worker_threads: Some(WORKERS), ..Config::default() });
    let barrier = Arc::new(Barrier::new(WORKERS));
    let mut actors = (0..WORKERS)
        .map(|_| runtime.spawn_numbered("meeting", || Meeting(barrier.clone())))
        .collect::<Vec<_>>();
    let first = actors.remove(0);
    let met = first.dispatch(move |this, ctx| {
        actors.iter().for_each(|actor| ctx.send_raw(actor.upid(), "meet", Bytes::new()));
        this.0.wait();
    });
    wait(met).unwrap();
    wait(runtime.shutdown());
}

#[test]
fn a_runtime_leaves_its_port_free() {
    let first = runtime();
    let port = first.bound().port();
    wait(first.shutdown());
    let again = start(Config { port, ..Config::default() });
    assert_eq!(again.bound().port(), port);
    wait(again.shutdown());
}

#[test]
fn a_shutdown_does_not_wait_for_work_that_blocks() {
    let first = runtime();
    let port = first.bound().port();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let work = first.blocking(move || {
        begin.send(()).expect("the test waits");
        gone.recv().is_ok()
    });
    wait(begun).unwrap();
    wait(first.shutdown());
    let again = start(Config { port, ..Config::default() });
    go.send(()).unwrap();
    assert_eq!(wait(work), None);
    wait(again.shutdown());
}
