//! What the exports show of a small made-up trace.

use super::*;

/// `launch` of the scheduler makes the master send `Run` to a slave, which forwards it to an
/// actor that has ended; a process that exports nothing hears of it too.
pub(crate) fn sample() -> Export {
    let hop = |id: u64, cause: u64, kind: Kind, from: &str, to: &str, times: [u64; 3]| Hop {
        id: format!("{id:016x}").parse().unwrap(),
        cause: format!("{cause:016x}").parse().unwrap(),
        kind,
        lost: None,
        from: from.to_owned(),
        to: to.to_owned(),
        name: String::new(),
        bytes: 0,
        queued: 1_796_304_599_000_000_000 + times[0],
        began: 1_796_304_599_000_000_000 + times[1],
        ended: 1_796_304_599_000_000_000 + times[2],
    };
    let named = |name: &str, bytes: u64, hop: Hop| Hop { name: name.to_owned(), bytes, ..hop };
    let (scheduler, master) = ("scheduler@10.0.0.1:1", "master@10.0.0.2:5050");
    let (slave, gone) = ("slave(1)@10.0.0.3:5051", "gone@10.0.0.3:5051");
    let origin = |address: &str, program: &str, pid: u32| Origin {
        address: address.to_owned(),
        host: "box".to_owned(),
        program: program.to_owned(),
        pid,
    };
    let call = hop(2, 1, Kind::Message, scheduler, master, [2_000, 5_000, 905_000]);
    let send = hop(3, 2, Kind::Send, master, slave, [400_000, 400_000, 400_000]);
    let away = hop(4, 2, Kind::Send, master, "pesos@10.0.0.9:9", [500_000, 500_000, 500_000]);
    let run = hop(5, 3, Kind::Message, master, slave, [600_000, 1_000_000, 1_500_000]);
    let lost = hop(6, 5, Kind::Call, "", gone, [1_400_000, 1_400_000, 1_400_000]);
    let mut export = Export {
        origins: vec![
            origin("10.0.0.2:5050", "mesos-master", 7),
            origin("10.0.0.3:5051", "mesos-slave", 8),
        ],
        hops: vec![
            named("mesos.internal.RunTaskMessage", 512, run),
            named("Slave::forward", 0, Hop { lost: Some("the actor has ended".into()), ..lost }),
            named("mesos.scheduler.Call", 64, call),
            named("mesos.internal.RunTaskMessage", 512, send),
            named("</script><b>\"\n", 3, away),
        ],
        notes: vec!["No events of 10.0.0.1:1: Connection refused".to_owned()],
    };
    export.complete();
    export
}

#[test]
fn text_is_a_sequence_diagram() {
    let expected = "\
4 events of 5 actors, from 2026-12-03 13:29:59.000005000+00:00
  mesos-master at 10.0.0.2:5050, pid 7 on box
  mesos-slave at 10.0.0.3:5051, pid 8 on box
  No events of 10.0.0.1:1: Connection refused

                  scheduler@10.0.0.1:1
                  |    master@10.0.0.2:5050
                  |    |    gone@10.0.0.3:5051
                  |    |    |    slave(1)@10.0.0.3:5051
                  |    |    |    |    pesos@10.0.0.9:9
        +0.000us  +--->|    |    |    |      #1  message mesos.scheduler.Call, 64 bytes, \
waited 3us, ran 900us
      +495.000us  |    +------------->|      #2 <- #1  send </script><b>\"?, 3 bytes, \
no record of its arrival
      +500.000us  |    +-------->|    |      #3 <- #1  message mesos.internal.RunTaskMessage, \
512 bytes, waited 400us, ran 500us
      +400.000us  |    |    x<---+    |      #4 <- #3  call Slave::forward, waited 0ns, \
lost: the actor has ended
";
    assert_eq!(text::write(&sample()), expected);
}

#[test]
fn chrome_has_processes_tracks_slices_and_flows() {
    let document = String::from_utf8(chrome::write(&sample())).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let events = document["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let names: Vec<_> = of("M").iter().map(|event| event["args"]["name"].clone()).collect();
    let expected = [
        "mesos-master at 10.0.0.2:5050, pid 7 on box",
        "master",
        "mesos-slave at 10.0.0.3:5051, pid 8 on box",
        "slave(1)",
        "gone",
    ];
    assert_eq!(names, expected);
    assert_eq!(of("X").len(), 5);
    // Each of the four effects whose cause is there: from within the cause's slice to its own.
    let at = |phase: &str, id: &str| {
        let flow = of(phase).into_iter().find(|event| event["id"] == id).unwrap().clone();
        (flow["pid"].clone(), flow["tid"].clone(), flow["ts"].clone())
    };
    assert_eq!(of("s").len(), 4);
    assert_eq!(at("s", "0000000000000003"), (1.into(), 1.into(), 398.0.into()));
    assert_eq!(at("s", "0000000000000005"), (1.into(), 1.into(), 398.0.into()));
    assert_eq!(at("f", "0000000000000005"), (2.into(), 1.into(), 998.0.into()));
}

#[test]
fn chrome_reads_what_it_wrote() {
    let export = sample();
    let document = String::from_utf8(chrome::write(&export)).unwrap();
    assert_eq!(chrome::read(&document).unwrap(), export);
    let check = |document: &str, why: &str| {
        assert_eq!(chrome::read(document).unwrap_err().to_string(), why, "{document}");
    };
    check("<html>", "not JSON: syntax error at line 1 near: <html>");
    check("{}", "origins is missing or malformed");
    check(
        &document.replace("\"id\":\"0000000000000004\",\"cause\"", "\"cause\""),
        "id is missing or malformed",
    );
    check(&document.replace("\"cat\":\"call\"", "\"cat\":\"x\""), "cat is missing or malformed");
}

#[test]
fn html_holds_the_export_and_no_markup_of_it() {
    let page = String::from_utf8(html::write(&sample())).unwrap();
    assert_eq!(page.matches("</script>").count(), 2);
    let (_, rest) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    assert_eq!(chrome::read(data).unwrap(), sample());
    assert!(!page.contains("http://") || page.contains("http://www.w3.org/2000/svg"));
    assert!(!page.contains("src="), "the page loads nothing");
}

#[test]
fn merging_adds_each_event_once() {
    let whole = sample();
    let half = |slave: bool| {
        let mut half = sample();
        half.origins.retain(|origin| (origin.program == "mesos-slave") == slave);
        half.hops.retain(|hop| hop.actor().contains("10.0.0.3") == slave);
        half.notes.clear();
        half
    };
    let mut merged = half(false);
    assert!(merged.absent().contains("10.0.0.3:5051"));
    merged.merge(half(true));
    merged.merge(half(true));
    assert_eq!((&merged.origins, &merged.hops), (&whole.origins, &whole.hops));
    assert_eq!(merged.absent().into_iter().collect::<Vec<_>>(), ["10.0.0.1:1", "10.0.0.9:9"]);
}
