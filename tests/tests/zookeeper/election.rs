//! Contenders and detectors on a real server: who leads, who is told, and what they make of lost
//! connections and lost sessions.

use std::sync::Arc;
use std::time::Duration;

use coordination::election::contender::ZooKeeperMasterContender;
use coordination::election::detector::ZooKeeperMasterDetector;
use coordination::election::{DetectError, MasterContender, MasterDetector, Mechanism};
use coordination::group::{Group, Members};
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use proto::mesos::MasterInfo;
use tests::zookeeper::{Proxy, ZooKeeper, within};

const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

fn group(runtime: &Runtime, url: &str) -> Group {
    Group::new(runtime, &url.parse().expect("a URL"), SESSION_TIMEOUT)
}

/// A master that there is only in ZooKeeper.
fn master(port: u32) -> MasterInfo {
    MasterInfo {
        id: format!("master-{port}"),
        ip: u32::from_ne_bytes([127, 0, 0, 1]),
        port,
        pid: Some(format!("master@127.0.0.1:{port}")),
        hostname: Some("localhost".to_owned()),
        ..MasterInfo::default()
    }
}

fn contender(runtime: &Runtime, url: &str, master: &MasterInfo) -> ZooKeeperMasterContender {
    let contender = ZooKeeperMasterContender::new(group(runtime, url), false);
    contender.initialize(master.clone());
    contender
}

fn detector(runtime: &Runtime, url: &str) -> Arc<dyn MasterDetector> {
    Mechanism::parse(url).expect("a URL").detector(runtime)
}

fn detect(detector: &Arc<dyn MasterDetector>, previous: Option<&MasterInfo>) -> Option<MasterInfo> {
    wait(detector.detect(previous.cloned())).expect("a leader, or none")
}

/// The numbers of the session and of the nodes of one group.
fn session(group: &Group) -> i64 {
    wait(group.session()).expect("a session").expect("it is connected")
}

#[test]
fn zookeeper_master_contender_detector_test_master_contender() {
    let test = "zookeeper_master_contender_detector_test_master_contender";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let group = group(&runtime, &url);
    let contender = ZooKeeperMasterContender::new(group.clone(), false);
    assert!(wait(contender.contend()).is_err(), "it is not initialized");
    contender.initialize(master(10_000));
    let lost = wait(contender.contend()).unwrap();
    assert!(contender.is_certain());
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(master(10_000)));
    zookeeper.expire(session(&group));
    wait(lost).unwrap();
    assert_eq!(detect(&detector, Some(&master(10_000))), None);
    // It can contend again.
    let _lost = wait(contender.contend()).unwrap();
    assert_eq!(detect(&detector, None), Some(master(10_000)));
}

#[test]
fn zookeeper_master_contender_detector_test_contender_pending_election() {
    let test = "zookeeper_master_contender_detector_test_contender_pending_election";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, proxy) = (runtime(), zookeeper.proxy());
    proxy.cut();
    let contender = contender(&runtime, &proxy.url("/mesos"), &master(10_000));
    let contended = contender.contend();
    // Given up with nobody to ask, and again.
    let again = contender.contend();
    proxy.mend();
    assert!(wait(contended).is_ok());
    assert!(wait(again).is_ok());
    let detector = detector(&runtime, &zookeeper.url("/mesos"));
    assert_eq!(detect(&detector, None), Some(master(10_000)));
}

#[test]
fn zookeeper_master_contender_detector_test_master_contenders() {
    let test = "zookeeper_master_contender_detector_test_master_contenders";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let first = contender(&runtime, &url, &master(10_001));
    let _first_lost = wait(first.contend()).unwrap();
    let detectors = [detector(&runtime, &url), detector(&runtime, &url)];
    detectors.iter().for_each(|d| assert_eq!(detect(d, None), Some(master(10_001))));
    let second = contender(&runtime, &url, &master(10_002));
    let _second_lost = wait(second.contend()).unwrap();
    drop(first);
    for detector in &detectors {
        assert_eq!(detect(detector, Some(&master(10_001))), Some(master(10_002)));
    }
}

#[test]
fn zoo_keeper_test_leader_detector_cancellation_handling() {
    let test = "zoo_keeper_test_leader_detector_cancellation_handling";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let first = contender(&runtime, &url, &master(10_001));
    let _first_lost = wait(first.contend()).unwrap();
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(master(10_001)));
    // It leaves, and nobody leads until another one comes.
    drop(first);
    assert_eq!(detect(&detector, Some(&master(10_001))), None);
    let second = contender(&runtime, &url, &master(10_002));
    let _second_lost = wait(second.contend()).unwrap();
    assert_eq!(detect(&detector, None), Some(master(10_002)));
}

#[test]
fn zookeeper_master_contender_detector_test_non_retryable_errors() {
    let test = "zookeeper_master_contender_detector_test_non_retryable_errors";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, servers) = (runtime(), zookeeper.servers());
    let creator = zookeeper.session(&runtime, Some("creator:creator"));
    within(&runtime, async move { creator.make_path("/mesos").await.unwrap() });
    let stranger = contender(&runtime, &zookeeper.url("/mesos"), &master(10_000));
    assert_eq!(
        wait(stranger.contend()).err().unwrap().to_string(),
        "Failed to create ephemeral node at '/mesos' in ZooKeeper: not authenticated"
    );
    let url = format!("zk://creator:creator@{servers}/mesos");
    let contender = contender(&runtime, &url, &master(10_001));
    let _lost = wait(contender.contend()).unwrap();
    // Everybody may know who leads.
    let reader = detector(&runtime, &zookeeper.url("/mesos"));
    assert_eq!(detect(&reader, None), Some(master(10_001)));
    let lost = detector(&runtime, &zookeeper.url("/mesos/b//c"));
    assert_eq!(
        wait(lost.detect(None)).unwrap_err().to_string(),
        "Failed to create '/mesos/b//c' in ZooKeeper: bad arguments"
    );
    assert!(wait(lost.detect(None)).is_err(), "it stays so");
}

#[test]
fn zookeeper_master_contender_detector_test_contender_detector_shutdown_network() {
    let test = "zookeeper_master_contender_detector_test_contender_detector_shutdown_network";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, proxy) = (runtime(), zookeeper.proxy());
    let url = proxy.url("/mesos");
    let contender = contender(&runtime, &url, &master(10_000));
    let lost = wait(contender.contend()).unwrap();
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(master(10_000)));
    proxy.cut();
    proxy.reset();
    wait(lost).unwrap();
    assert!(!contender.is_certain());
    assert_eq!(detect(&detector, Some(&master(10_000))), None);
    proxy.mend();
    let _lost = wait(contender.contend()).unwrap();
    assert_eq!(detect(&detector, None), Some(master(10_000)));
}

#[test]
fn zookeeper_master_contender_detector_test_master_detector_timedout_session() {
    let test = "zookeeper_master_contender_detector_test_master_detector_timedout_session";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let runtime = runtime();
    let proxies: [Proxy; 3] = std::array::from_fn(|_| zookeeper.proxy());
    let leader = contender(&runtime, &proxies[0].url("/mesos"), &master(10_001));
    let leader_lost = wait(leader.contend()).unwrap();
    let follower = contender(&runtime, &proxies[1].url("/mesos"), &master(10_002));
    let follower_lost = wait(follower.contend()).unwrap();
    let slave = detector(&runtime, &proxies[2].url("/mesos"));
    assert_eq!(detect(&slave, None), Some(master(10_001)));

    // The leader alone is cut off, and so silently that only time tells.
    proxies[0].cut();
    wait(leader_lost).unwrap();
    assert_eq!(detect(&slave, Some(&master(10_001))), Some(master(10_002)));

    // The slave is: it must not stay with a leader that may lead no more.
    proxies[2].cut();
    assert_eq!(detect(&slave, Some(&master(10_002))), None);
    assert!(follower.is_certain());
    proxies[2].mend();
    assert_eq!(detect(&slave, None), Some(master(10_002)));
    drop((follower, follower_lost));
}

#[test]
fn zookeeper_master_contender_detector_test_master_detector_expire_master_zk_session() {
    let test = "zookeeper_master_contender_detector_test_master_detector_expire_master_zk_session";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let group = group(&runtime, &url);
    let leader = ZooKeeperMasterContender::new(group.clone(), false);
    leader.initialize(master(10_001));
    let lost = wait(leader.contend()).unwrap();
    // As in a master, the same session detects.
    let own: Arc<dyn MasterDetector> =
        Arc::new(ZooKeeperMasterDetector::new(&runtime, group.clone()));
    assert_eq!(detect(&own, None), Some(master(10_001)));
    let follower = contender(&runtime, &url, &master(10_002));
    let _follower_lost = wait(follower.contend()).unwrap();
    let slave = detector(&runtime, &url);
    assert_eq!(detect(&slave, None), Some(master(10_001)));
    let told = own.detect(Some(master(10_001)));
    zookeeper.expire(session(&group));
    assert_eq!(wait(told), Ok(None), "nobody leads before it is known who does");
    wait(lost).unwrap();
    assert_eq!(detect(&slave, Some(&master(10_001))), Some(master(10_002)));
    assert_eq!(detect(&own, None), Some(master(10_002)));
}

#[test]
fn zookeeper_master_contender_detector_test_master_detector_expire_slave_zk_session() {
    let test = "zookeeper_master_contender_detector_test_master_detector_expire_slave_zk_session";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let first = contender(&runtime, &url, &master(10_001));
    let _lost = wait(first.contend()).unwrap();
    let group = group(&runtime, &url);
    let slave: Arc<dyn MasterDetector> =
        Arc::new(ZooKeeperMasterDetector::new(&runtime, group.clone()));
    assert_eq!(detect(&slave, None), Some(master(10_001)));
    let told = slave.detect(Some(master(10_001)));
    zookeeper.expire(session(&group));
    assert_eq!(wait(told), Ok(None));
    assert_eq!(detect(&slave, None), Some(master(10_001)));

    // The next time there is another master when it is back.
    let second = contender(&runtime, &url, &master(10_002));
    let _second_lost = wait(second.contend()).unwrap();
    let told = slave.detect(Some(master(10_001)));
    zookeeper.expire(session(&group));
    assert_eq!(wait(told), Ok(None));
    drop(first);
    let mut leader = None;
    while leader != Some(master(10_002)) {
        leader = detect(&slave, leader.as_ref());
    }
}

#[test]
fn zookeeper_master_contender_detector_test_master_detector_uses_json() {
    let test = "zookeeper_master_contender_detector_test_master_detector_uses_json";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let group = group(&runtime, &url);
    let json = r#"{"id":"m","ip":16777343,"pid":"master@127.0.0.1:5050","port":5050}"#;
    let old = wait(group.join("master@127.0.0.1:1", None)).unwrap();
    let odd = wait(group.join(json, Some("foo"))).unwrap();
    let _new = wait(group.join(json, Some("json.info"))).unwrap();
    let detector = detector(&runtime, &url);
    let leader = detect(&detector, None).unwrap();
    assert_eq!(leader.pid(), "master@127.0.0.1:1");
    // Whoever waits is told of a leader that nobody understands; whoever comes later waits.
    let told = detector.detect(Some(leader));
    wait(group.cancel(&old)).unwrap();
    let error = "Failed to parse data of unknown label 'foo'";
    assert_eq!(wait(told), Err(DetectError(error.to_owned())));
    let later = detector.detect(None);
    wait(group.cancel(&odd)).unwrap();
    let leader = wait(later).unwrap().unwrap();
    assert_eq!((leader.id.as_str(), leader.port), ("m", 5050));
}

#[test]
fn a_master_can_be_found_by_old_detectors_on_request() {
    let test = "a_master_can_be_found_by_old_detectors_on_request";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let group = group(&runtime, &url);
    let contender = ZooKeeperMasterContender::new(group.clone(), true);
    contender.initialize(master(10_000));
    let lost = wait(contender.contend()).unwrap();
    let nodes = || zookeeper.ephemerals().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(nodes(), ["/mesos/info_0000000000", "/mesos/json.info_0000000001"]);
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(master(10_000)));
    // One is worth nothing without the other, and goes before there are new ones.
    let members = wait(group.watch(Members::new())).unwrap();
    wait(group.evict(&members[&1])).unwrap();
    wait(lost).unwrap();
    let _lost = wait(contender.contend()).unwrap();
    assert_eq!(nodes(), ["/mesos/info_0000000002", "/mesos/json.info_0000000003"]);
}

#[test]
fn a_master_removes_what_an_earlier_one_at_its_address_left_behind() {
    let test = "a_master_removes_what_an_earlier_one_at_its_address_left_behind";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let earlier = MasterInfo { id: "earlier".to_owned(), ..master(10_000) };
    let killed = contender(&runtime, &url, &earlier);
    let lost = wait(killed.contend()).unwrap();
    let other = contender(&runtime, &url, &master(10_002));
    let _other_lost = wait(other.contend()).unwrap();
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(earlier.clone()));
    let restarted = contender(&runtime, &url, &master(10_000));
    let _lost = wait(restarted.contend()).unwrap();
    wait(lost).unwrap();
    assert_eq!(detect(&detector, Some(&earlier)), Some(master(10_002)));
}

#[test]
fn whoever_withdraws_is_succeeded_at_once() {
    let test = "whoever_withdraws_is_succeeded_at_once";
    let builder = ZooKeeper::builder().session_timeout(Duration::from_secs(60));
    let Some(zookeeper) = builder.start(test) else { return };
    let (runtime, url) = (runtime(), zookeeper.url("/mesos"));
    let leader = contender(&runtime, &url, &master(10_001));
    let _lost = wait(leader.contend()).unwrap();
    let follower = contender(&runtime, &url, &master(10_002));
    let _follower_lost = wait(follower.contend()).unwrap();
    let detector = detector(&runtime, &url);
    assert_eq!(detect(&detector, None), Some(master(10_001)));
    wait(leader.withdraw());
    assert_eq!(detect(&detector, Some(&master(10_001))), Some(master(10_002)));
}
