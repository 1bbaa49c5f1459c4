//! The files of the replicated log, as Google's LevelDB sees them.

use std::path::Path;
use std::process::Command;

use coordination::log::{AutoInitialize, Config, Log, Network, Offline, Position};
use libprocess::testing::{runtime, wait};
use tests::needs;

fn run(python: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    command.arg(needs::files("clients/plyvel/records.py")).args(arguments);
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("it can be started");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Fills a log with more than the library below keeps in memory.
fn fill(path: &Path) {
    let runtime = runtime();
    let config = Config {
        quorum: 1,
        path: path.to_owned(),
        network: Network::Alone,
        auto_initialize: AutoInitialize::Yes,
    };
    let log = Log::start(&runtime, config).expect("its files can be had");
    let writer = log.writer();
    assert_eq!(wait(writer.start()), Ok(Some(Position(0))));
    for number in 0..30_u8 {
        let position = wait(writer.append(vec![number; 500_000].into())).expect("it goes on");
        assert_eq!(position, Some(Position(u64::from(number) + 1)));
    }
    assert_eq!(wait(writer.truncate(Position(11))), Ok(Some(Position(31))));
    wait(log.close());
    wait(runtime.shutdown());
}

#[test]
fn files_of_the_log_are_those_of_leveldb() {
    let test = "files_of_the_log_are_those_of_leveldb";
    let Some(python) = needs::python_with("plyvel", test) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    fill(&ours);
    let [ours, theirs] = [&ours, &theirs].map(|path| path.to_str().expect("a plain path"));

    // Theirs reads ours: the metadata and positions 11 to 31.
    let shown = run(&python, &["show", ours]);
    let keys: Vec<&str> = shown.lines().filter_map(|line| line.split(' ').next()).collect();
    let positions = (12..=32).map(|key| format!("{key:010}"));
    let expected: Vec<String> = ["0".repeat(10)].into_iter().chain(positions).collect();
    assert_eq!(keys, expected);

    // Ours reads what theirs has written, and what theirs has made of ours.
    run(&python, &["copy", ours, theirs]);
    for path in [ours, theirs] {
        let mut files = Offline::open(Path::new(path)).expect("it opens");
        assert_eq!((files.is_empty(), files.beginning(), files.ending()), (false, 11, 31));
        let actions = files.read(11, 31).expect("it is whole");
        let sizes = actions.iter().filter_map(|action| action.append.as_ref());
        assert!(sizes.map(|append| append.bytes.len()).eq([500_000; 20]));
        drop(files);
        assert_eq!(run(&python, &["show", path]), shown);
    }
}
