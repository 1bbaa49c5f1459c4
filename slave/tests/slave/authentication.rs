//! A slave with a credential proves who it is before it registers.

use std::time::Duration;

use libprocess::Upid;
use proto::mesos::internal::{
    AuthenticateMessage, AuthenticationCompletedMessage, AuthenticationErrorMessage,
    AuthenticationFailedMessage, AuthenticationMechanismsMessage, AuthenticationStartMessage,
    RegisterSlaveMessage,
};
use tempfile::NamedTempFile;

use crate::support::{World, run};

/// A slave that has asked to be authenticated.
async fn asking() -> (World, NamedTempFile) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "principal secret").unwrap();
    let mut world = World::start(&[&format!("--credential={}", file.path().display())]);
    let message = world.master.next::<AuthenticateMessage>().await;
    assert_eq!(message.pid, world.upid().to_string());
    assert_eq!(world.master.count::<RegisterSlaveMessage>(), 0);
    (world, file)
}

/// Who speaks for the slave in its nth attempt.
fn attempt(world: &World, number: u32) -> Upid {
    Upid::new(format!("crammd5_authenticatee({number})"), world.runtime.address())
}

async fn begin(world: &mut World, attempt: &Upid) {
    let mechanisms = vec!["CRAM-MD5".to_owned()];
    world.master.send(attempt, &AuthenticationMechanismsMessage { mechanisms });
    let started = world.master.next::<AuthenticationStartMessage>().await;
    assert_eq!(started.mechanism, "CRAM-MD5");
}

#[test]
fn it_registers_once_it_is_believed() {
    run(async {
        let (mut world, _file) = asking().await;
        let attempt = attempt(&world, 1);
        begin(&mut world, &attempt).await;
        world.master.send(&attempt, &AuthenticationCompletedMessage {});
        world.master.next::<RegisterSlaveMessage>().await;
    });
}

#[test]
fn it_ends_when_it_is_refused() {
    run(async {
        let (mut world, _file) = asking().await;
        let attempt = attempt(&world, 1);
        begin(&mut world, &attempt).await;
        world.master.send(&attempt, &AuthenticationFailedMessage {});
        let fatal = world.ended().await.unwrap_err();
        let expected = format!("Master {} refused authentication", world.master.upid);
        assert_eq!(fatal.to_string(), expected);
    });
}

#[test]
fn it_tries_again_after_an_error_and_after_silence() {
    run(async {
        let (mut world, _file) = asking().await;
        world.runtime.clock().pause();
        let first = attempt(&world, 1);
        let error = AuthenticationErrorMessage { error: Some("busy".to_owned()) };
        world.master.send(&first, &error);
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(2));
        world.master.next::<AuthenticateMessage>().await;
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(5));
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(4));
        world.master.next::<AuthenticateMessage>().await;
        let third = attempt(&world, 3);
        begin(&mut world, &third).await;
        world.master.send(&third, &AuthenticationCompletedMessage {});
        world.master.next::<RegisterSlaveMessage>().await;
    });
}
