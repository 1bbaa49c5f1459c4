//! A log of one replica.

use bytes::Bytes;
use coordination::log::{AutoInitialize, Config, Log, Network, Position};
use libprocess::testing::{runtime, wait};

fn config(path: &std::path::Path) -> Config {
    let auto_initialize = AutoInitialize::Yes;
    Config { quorum: 1, path: path.to_owned(), network: Network::Alone, auto_initialize }
}

#[test]
fn log_test_write_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = runtime();
    let log = Log::start(&runtime, config(folder.path())).expect("its files can be had");
    let writer = log.writer();
    assert_eq!(wait(writer.start()), Ok(Some(Position(0))));
    let position = wait(writer.append(Bytes::from_static(b"hello world")));
    assert_eq!(position, Ok(Some(Position(1))));
    let reader = log.reader();
    let entries = wait(reader.read(Position(1), Position(1))).expect("it is there");
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].position, &*entries[0].data), (Position(1), &b"hello world"[..]));
    assert_eq!(wait(writer.truncate(Position(1))), Ok(Some(Position(2))));
    wait(log.close());

    let log = Log::start(&runtime, config(folder.path())).expect("its files can be had");
    assert_eq!(wait(log.reader().beginning()), Ok(Position(1)));
    assert_eq!(wait(log.reader().ending()), Ok(Position(2)));
    wait(runtime.shutdown());
}

#[test]
fn log_test_position() {
    assert!(Position(1) < Position(2) && Position(2) == Position(2));
}
