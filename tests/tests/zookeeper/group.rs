//! Groups on a real server: joining, leaving, watching, and all of it across lost connections and
//! lost sessions.

use std::time::Duration;

use coordination::group::{Candidate, Group, Members, Membership};
use coordination::zookeeper::session::Session;
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use tests::http;
use tests::zookeeper::{ZooKeeper, within};

const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

fn group(runtime: &Runtime, url: &str) -> Group {
    Group::new(runtime, &url.parse().expect("a URL"), SESSION_TIMEOUT)
}

fn members(memberships: &[&Membership]) -> Members {
    memberships.iter().map(|&membership| (membership.id(), membership.clone())).collect()
}

#[test]
fn group_test_group() {
    let Some(zookeeper) = ZooKeeper::start("group_test_group") else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    let current = wait(group.watch(Members::new())).unwrap();
    assert_eq!(current, members(&[&membership]));
    assert_eq!(wait(group.data(&membership)), Ok(Some(b"hello world".to_vec())));
    assert_eq!(wait(group.cancel(&membership)), Ok(true));
    assert_eq!(wait(group.watch(current)), Ok(Members::new()));
    assert!(wait(membership.cancelled()));
    assert_eq!(wait(group.cancel(&membership)), Ok(false));
}

#[test]
fn group_test_group_join_with_disconnect() {
    let Some(zookeeper) = ZooKeeper::start("group_test_group_join_with_disconnect") else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    proxy.cut();
    let group = group(&runtime, &proxy.url("/test"));
    let joined = group.join("hello world", None);
    proxy.mend();
    let membership = wait(joined).unwrap();
    assert_eq!(wait(group.watch(Members::new())), Ok(members(&[&membership])));
}

#[test]
fn group_test_group_data_and_cancel_with_disconnect() {
    let test = "group_test_group_data_and_cancel_with_disconnect";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    let group = group(&runtime, &proxy.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    let session = wait(group.session());
    for _ in 0..3 {
        proxy.cut();
        proxy.reset();
        let data = group.data(&membership);
        proxy.mend();
        assert_eq!(wait(data), Ok(Some(b"hello world".to_vec())));
    }
    proxy.cut();
    proxy.reset();
    let cancelled = group.cancel(&membership);
    proxy.mend();
    assert_eq!(wait(cancelled), Ok(true));
    assert!(wait(membership.cancelled()));
    assert_eq!(wait(group.session()), session, "it is the same session all the time");
}

#[test]
fn group_test_group_data_with_removed_membership() {
    let test = "group_test_group_data_with_removed_membership";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    assert_eq!(wait(group.cancel(&membership)), Ok(true));
    assert_eq!(wait(group.data(&membership)), Ok(None));
}

#[test]
fn group_test_group_watch_with_session_expiration() {
    let test = "group_test_group_watch_with_session_expiration";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    let current = wait(group.watch(Members::new())).unwrap();
    assert_eq!(current, members(&[&membership]));
    let session = wait(group.session()).unwrap().expect("it is connected");
    let changed = group.watch(current);
    zookeeper.expire(session);
    assert_eq!(wait(changed), Ok(Members::new()));
    assert!(!wait(membership.cancelled()));
    // The next session serves what is asked for meanwhile.
    let again = wait(group.join("hello again", None)).unwrap();
    assert!(again.id() > membership.id());
    assert_eq!(wait(group.watch(Members::new())), Ok(members(&[&again])));
}

#[test]
fn group_test_multiple_groups() {
    let Some(zookeeper) = ZooKeeper::start("group_test_multiple_groups") else { return };
    let runtime = runtime();
    let url = zookeeper.url("/test");
    let (group1, group2) = (group(&runtime, &url), group(&runtime, &url));
    let membership1 = wait(group1.join("group 1", None)).unwrap();
    let membership2 = wait(group2.join("group 2", None)).unwrap();
    let both = members(&[&membership1, &membership2]);
    let seen1 = wait(group1.watch(members(&[&membership1]))).unwrap();
    assert_eq!((seen1, wait(group2.watch(Members::new())).unwrap()), (both.clone(), both.clone()));
    // What a group sees of another's members is what became of them, too.
    let other = wait(group1.watch(Members::new())).unwrap()[&membership2.id()].clone();
    assert_eq!(wait(group1.cancel(&other)), Ok(false), "it is not its own");
    let session = wait(group2.session()).unwrap().expect("it is connected");
    zookeeper.expire(session);
    assert!(!wait(other.cancelled()));
    assert!(!wait(membership2.cancelled()));
    assert_eq!(wait(group1.watch(both)), Ok(members(&[&membership1])));
}

#[test]
fn group_test_group_path_with_restrictive_perms() {
    let test = "group_test_group_path_with_restrictive_perms";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let owner = zookeeper.session(&runtime, Some("creator:creator"));
    within(&runtime, async move { owner.make_path("/read-only").await.unwrap() });
    let servers = zookeeper.servers();

    // Somebody else may read, and join below what is not there only if it may be made.
    let reader = group(&runtime, &zookeeper.url("/read-only"));
    let refused = wait(reader.join("fail", None)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Failed to create ephemeral node at '/read-only' in ZooKeeper: not authenticated"
    );
    let below = group(&runtime, &zookeeper.url("/read-only/new"));
    let refused = wait(below.join("fail", None)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Failed to create '/read-only/new' in ZooKeeper: not authenticated"
    );
    assert_eq!(wait(below.watch(Members::new())), Err(refused), "the group is given up");
    let stranger = group(&runtime, &format!("zk://non-creator:non-creator@{servers}/read-only"));
    assert!(wait(stranger.join("fail", None)).is_err());

    let creator = group(&runtime, &format!("zk://creator:creator@{servers}/read-only"));
    let membership = wait(creator.join("succeed", None)).unwrap();
    assert_eq!(wait(reader.watch(Members::new())), Ok(members(&[&membership])));
    assert_eq!(wait(reader.data(&membership)), Ok(Some(b"succeed".to_vec())));
}

#[test]
fn group_test_labelled_group() {
    let Some(zookeeper) = ZooKeeper::start("group_test_labelled_group") else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    // As many as there may be underscores in it.
    for label in ["testlabel", "test_label_2"] {
        let membership = wait(group.join("hello world", Some(label))).unwrap();
        let seen = wait(group.watch(Members::new())).unwrap();
        assert_eq!(seen, members(&[&membership]));
        assert_eq!(wait(group.data(&membership)), Ok(Some(b"hello world".to_vec())));
        assert_eq!(membership.label(), label.split('_').next());
        assert_eq!(wait(group.cancel(&membership)), Ok(true));
        assert_eq!(wait(group.watch(seen)), Ok(Members::new()));
    }
}

#[test]
fn members_that_join_at_once_have_numbers_in_a_row() {
    let test = "members_that_join_at_once_have_numbers_in_a_row";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    let candidate = |label: &str, data: &'static str| Candidate {
        label: Some(label.to_owned()),
        data: data.into(),
    };
    let pair = vec![candidate("info", "one"), candidate("json.info", "two")];
    let pair = wait(group.join_as(pair)).unwrap();
    assert_eq!(pair[0].id() + 1, pair[1].id());
    let nodes: Vec<String> = zookeeper.ephemerals().into_iter().map(|(path, _)| path).collect();
    assert_eq!(nodes, ["/test/info_0000000000", "/test/json.info_0000000001"]);
    assert_eq!(wait(group.data(&pair[1])), Ok(Some(b"two".to_vec())));
    assert_eq!(wait(group.cancel_all(&pair)), Ok(true));
    assert_eq!(zookeeper.ephemerals(), []);
}

#[test]
fn group_test_connect_timer() {
    let Some(zookeeper) = ZooKeeper::start("group_test_connect_timer") else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    proxy.cut();
    runtime.clock().pause();
    let group = group(&runtime, &proxy.url("/test"));
    let joined = group.join("hello world", None);
    wait(runtime.settle());
    // The time of the first attempt is over, and the time of the second.
    for _ in 0..2 {
        runtime.clock().advance(SESSION_TIMEOUT);
        wait(runtime.settle());
    }
    runtime.clock().resume();
    proxy.mend();
    wait(joined).unwrap();
}

#[test]
fn group_test_timer_cleanup() {
    let Some(zookeeper) = ZooKeeper::start("group_test_timer_cleanup") else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    proxy.cut();
    runtime.clock().pause();
    let dropped = group(&runtime, &proxy.url("/test"));
    wait(runtime.settle());
    drop(dropped);
    runtime.clock().advance(SESSION_TIMEOUT);
    wait(runtime.settle());
    let processes = http::get_json(&runtime.address().to_string(), "/__processes__");
    let groups = processes
        .as_array()
        .expect("a list")
        .iter()
        .filter(|process| process["id"].as_str().is_some_and(|id| id.starts_with("group")));
    assert_eq!(groups.count(), 0, "{processes}");
    // Nor does it come back now that it could.
    runtime.clock().resume();
    proxy.mend();
    let other = group(&runtime, &proxy.url("/test"));
    let session = wait(other.join("hello world", None)).and_then(|_| wait(other.session()));
    let dump = zookeeper.command(0, "dump").expect("it serves");
    assert!(dump.contains("Sessions with Ephemerals (1)"), "{dump}");
    assert!(session.is_ok_and(|session| session.is_some()));
}

#[test]
fn zoo_keeper_test_create() {
    let Some(zookeeper) = ZooKeeper::start("zoo_keeper_test_create") else { return };
    let runtime = runtime();
    let creator = zookeeper.session(&runtime, Some("creator:creator"));
    let other = zookeeper.session(&runtime, Some("non-owner:non-owner"));
    let anybody = zookeeper.session(&runtime, None);
    within(&runtime, async move {
        // With all that is missing above it.
        creator.make_path("/foo/bar").await.unwrap();
        creator.create("/foo/bar/baz", b"43").await.unwrap();
        assert_eq!(other.read("/foo/bar/baz").await, Ok(Some((b"43".to_vec(), 0))));
        assert!(creator.create("/foo/bar/baz", b"").await.unwrap_err().is_node_exists());
        let refused = other.create("/foo/bar/baz/bam", b"").await.unwrap_err();
        assert_eq!(refused.to_string(), "not authenticated");

        // Below what belongs to nobody.
        anybody.create("/foo-of-all", b"").await.unwrap();
        other.create("/foo-of-all/bam", b"44").await.unwrap();
        assert_eq!(anybody.read("/foo-of-all/bam").await, Ok(Some((b"44".to_vec(), 0))));
        let members = [(String::new(), "45".into())];
        let names = other.make_members("/foo-of-all", &members).await.unwrap();
        assert!(names.len() == 1 && names[0].starts_with('0'), "{names:?}");
    });
}

#[test]
fn zoo_keeper_test_session_timeout_negotiation() {
    let [least, most] = [8, 20].map(Duration::from_secs);
    let builder = ZooKeeper::builder().session_timeouts(least, most);
    let Some(zookeeper) = builder.start("zoo_keeper_test_session_timeout_negotiation") else {
        return;
    };
    let runtime = runtime();
    for (asked, given) in [(7, least), (22, most), (9, Duration::from_secs(9))] {
        let url = zookeeper.url("/test").parse().expect("a URL");
        let connected = Session::connect(url, Duration::from_secs(asked));
        let timeout = within(&runtime, async move { connected.await.unwrap().timeout() });
        assert_eq!(timeout, given, "asked for {asked} s");
    }
}

#[test]
fn a_session_without_a_sign_of_life_is_given_up_before_the_server_ends_it() {
    let test = "a_session_without_a_sign_of_life_is_given_up_before_the_server_ends_it";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    let group = group(&runtime, &proxy.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    assert!(group.lease().is_held());
    proxy.cut();
    assert!(!wait(membership.cancelled()));
    assert!(!group.lease().is_held());
    let nodes: Vec<String> = zookeeper.ephemerals().into_iter().map(|(path, _)| path).collect();
    assert_eq!(nodes, ["/test/0000000000"], "nobody else can have taken its place yet");
}

#[test]
fn a_group_that_is_closed_leaves_nothing_behind() {
    let test = "a_group_that_is_closed_leaves_nothing_behind";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let group = group(&runtime, &zookeeper.url("/test"));
    let membership = wait(group.join("hello world", None)).unwrap();
    let watched = group.watch(members(&[&membership]));
    wait(group.close());
    assert_eq!(zookeeper.ephemerals(), []);
    assert!(!wait(membership.cancelled()));
    assert_eq!(wait(watched).unwrap_err().to_string(), "The group is closed");
    assert_eq!(wait(group.join("again", None)).unwrap_err().to_string(), "The group is closed");
}

#[test]
fn a_server_whose_name_is_unknown_keeps_nobody_from_the_others() {
    let test = "a_server_whose_name_is_unknown_keeps_nobody_from_the_others";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let url = format!("zk://nowhere.invalid:2181,{}/test", zookeeper.servers());
    let membership = wait(group(&runtime, &url).join("hello world", None));
    assert!(membership.is_ok(), "{membership:?}");
}
