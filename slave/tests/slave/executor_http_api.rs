//! The executor API: who is refused and with which words, and what executors hear that are not.

use common::content_type::ContentType;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use libprocess::http::client::{Content, Request};
use proto::mesos::v1::executor::{Call, event};
use proto::mesos::v1::{self, TaskState};

use crate::subscriber::{
    self, ENCODINGS, Subscriber, answer, message, open, request, status, update,
};
use crate::support::{World, executor_task, run, run_task};

/// The answer to a request that is changed before it is sent.
async fn check(
    world: &World,
    (encoding, call): (ContentType, &Call),
    change: impl FnOnce(&mut Request),
    expected: (u16, &str),
) {
    let mut request = request(world, encoding, call);
    change(&mut request);
    let (status, text) = answer(world, request).await;
    assert_eq!((status, text.as_str()), expected);
}

/// The same for bodies.
async fn check_body(world: &World, encoding: ContentType, body: &[u8], expected: &str) {
    let mut request = request(world, encoding, &subscriber::subscribe());
    request.body = Content::Bytes(body.to_vec().into());
    let (status, text) = answer(world, request).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.starts_with(expected), "{text}");
}

/// A call that makes no sense in itself.
async fn check_invalid(world: &World, call: &Call, why: &str) {
    let expected = format!("Failed to validate Executor::Call: {why}");
    for encoding in ENCODINGS {
        check(world, (encoding, call), |_| {}, (400, &expected)).await;
    }
}

#[test]
fn no_content_type() {
    run(async {
        let world = World::registered(&[]).await;
        let remove = |request: &mut Request| {
            request.headers.remove(CONTENT_TYPE);
        };
        let call = (ContentType::Json, &message("hello world"));
        check(&world, call, remove, (400, "Expecting 'Content-Type' to be present")).await;
    });
}

#[test]
fn valid_json_but_invalid_protobuf() {
    run(async {
        let world = World::registered(&[]).await;
        let expected = "Failed to convert JSON into Call protobuf: ";
        check_body(&world, ContentType::Json, br#"{"string":"valid_json"}"#, expected).await;
    });
}

#[test]
fn malformed_content() {
    run(async {
        let world = World::registered(&[]).await;
        let text = b"MALFORMED_CONTENT";
        let json = "Failed to parse body into JSON: ";
        check_body(&world, ContentType::Json, text, json).await;
        let protobuf = "Failed to parse body into Call protobuf";
        check_body(&world, ContentType::Protobuf, text, protobuf).await;
        for body in [&b""[..], b"\xff\xff\xff", &[0; 1000], &[0x0a; 100_000]] {
            check_body(&world, ContentType::Protobuf, body, protobuf).await;
        }
        for body in [&b""[..], b"\xff", b"[", b"1e999", &[b'['; 100_000], b"{\"type\":"] {
            check_body(&world, ContentType::Json, body, json).await;
        }
        let shape = "Failed to convert JSON into Call protobuf: ";
        for body in ["[]", "null", "1", "{\"type\":7}", "{\"type\":\"LAUNCH\"}"] {
            check_body(&world, ContentType::Json, body.as_bytes(), shape).await;
        }
    });
}

#[test]
fn ids_that_nest_too_deeply_are_refused() {
    run(async {
        let world = World::registered(&[]).await;
        for levels in 85..105 {
            let parents = "\"value\":\"x\",\"parent\":{".repeat(levels);
            let body = format!(
                r#"{{"executor_id":{{"value":"E"}},"framework_id":{{"value":"F"}},
                "type":"UPDATE","update":{{"status":{{"task_id":{{"value":"t"}},
                "state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"AAAAAAAAAAAAAAAAAAAAAA==",
                "container_status":{{"container_id":{{{parents}"value":"x"{}}}}}}}}}}}"#,
                "}".repeat(levels),
            );
            check_body(&world, ContentType::Json, body.as_bytes(), "F").await;
        }
    });
}

#[test]
fn unsupported_content_media_type() {
    run(async {
        let world = World::registered(&[]).await;
        let expected = "Expecting 'Content-Type' of application/json or application/x-protobuf";
        for encoding in ENCODINGS {
            let call = (encoding, &subscriber::subscribe());
            let change = |request: &mut Request| {
                let unknown = HeaderValue::from_static("application/unknown-media-type");
                request.headers.insert(CONTENT_TYPE, unknown);
            };
            check(&world, call, change, (415, expected)).await;
        }
    });
}

#[test]
fn message_from_unknown_framework() {
    run(async {
        let mut world = World::registered(&[]).await;
        for encoding in ENCODINGS {
            let call = (encoding, &message("hello world"));
            check(&world, call, |_| {}, (400, "Framework cannot be found")).await;
        }
        world.tell(&run_task(executor_task("t")));
        world.launched().await;
        let executor_id = v1::ExecutorId { value: "other".to_owned() };
        let stranger = Call { executor_id, ..subscriber::subscribe() };
        let call = (ContentType::Json, &stranger);
        check(&world, call, |_| {}, (400, "Executor cannot be found")).await;
    });
}

#[test]
fn executors_subscribe_before_they_say_anything_else() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(executor_task("t")));
        world.launched().await;
        let running = update(&status("t", (TaskState::TaskRunning, 1)));
        for call in [message("hello world"), running] {
            let call = (ContentType::Protobuf, &call);
            check(&world, call, |_| {}, (403, "Executor is not subscribed")).await;
        }
    });
}

#[test]
fn get_request() {
    run(async {
        let world = World::registered(&[]).await;
        let call = (ContentType::Json, &subscriber::subscribe());
        let get = |request: &mut Request| request.method = http::Method::GET;
        check(&world, call, get, (405, "Expecting 'POST', received 'GET'")).await;
    });
}

/// What an executor is answered that accepts this.
async fn check_default(accept: Option<&'static str>) {
    for encoding in ENCODINGS {
        let mut world = World::registered(&[]).await;
        world.running(executor_task("t")).await;
        let mut request = request(&world, encoding, &subscriber::subscribe());
        request.headers.remove(ACCEPT);
        if let Some(accept) = accept {
            request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let mut executor = Subscriber::of(open(&world, request).await, ContentType::Json);
        executor.hears(event::Type::Subscribed).await;
    }
}

#[test]
fn default_accept() {
    run(check_default(Some("*/*")));
}

#[test]
fn no_accept_header() {
    run(check_default(None));
}

#[test]
fn not_acceptable() {
    run(async {
        let world = World::registered(&[]).await;
        let expected = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
        for encoding in ENCODINGS {
            let foo = |request: &mut Request| {
                request.headers.insert(ACCEPT, HeaderValue::from_static("foo"));
            };
            check(&world, (encoding, &subscriber::subscribe()), foo, (406, expected)).await;
        }
    });
}

#[test]
fn valid_protobuf_invalid_call() {
    run(async {
        let world = World::registered(&[]).await;
        let check = async |call: Call, part: &str| {
            check_invalid(&world, &call, &format!("Expecting '{part}' to be present")).await;
        };
        check(Call { subscribe: None, ..subscriber::subscribe() }, "subscribe").await;
        check(Call { message: None, ..message("") }, "message").await;
        let running = update(&status("t", (TaskState::TaskRunning, 1)));
        check(Call { update: None, ..running }, "update").await;
    });
}

#[test]
fn status_update_call_failed_validation() {
    run(async {
        let world = World::registered(&[]).await;
        let sound = status("t", (TaskState::TaskStarting, 1));
        let other = Some(v1::ExecutorId { value: "other".to_owned() });
        let why = "ExecutorID in Call: E does not match ExecutorID in TaskStatus: other";
        check_invalid(
            &world,
            &update(&v1::TaskStatus { executor_id: other, ..sound.clone() }),
            why,
        )
        .await;
        let why = "Received TASK_STAGING from executor E of framework F which is not allowed";
        check_invalid(&world, &update(&status("t", (TaskState::TaskStaging, 1))), why).await;
        let source = Some(v1::task_status::Source::Master.into());
        let why = "Received Call from executor E of framework F with invalid source, expecting \
                   'SOURCE_EXECUTOR'";
        check_invalid(&world, &update(&v1::TaskStatus { source, ..sound.clone() }), why).await;
        let why = "Expecting 'uuid' to be present";
        check_invalid(&world, &update(&v1::TaskStatus { uuid: None, ..sound.clone() }), why).await;
        let uuid = Some("short".into());
        let why = "Expecting 'uuid' to have 16 bytes, not 5";
        check_invalid(&world, &update(&v1::TaskStatus { uuid, ..sound }), why).await;
    });
}

#[test]
fn subscribe() {
    run(async {
        for encoding in ENCODINGS {
            let mut world = World::registered(&[]).await;
            world.tell(&run_task(executor_task("t")));
            world.launched().await;
            let mut executor = Subscriber::new(&world, encoding, &subscriber::subscribe()).await;
            let subscribed = executor.hears(event::Type::Subscribed).await.subscribed.unwrap();
            assert_eq!(subscribed.executor_info.executor_id.value, "E");
            assert_eq!(subscribed.framework_info.name, "framework");
            assert_eq!(subscribed.agent_info.id.unwrap().value, "S0");
            let launch = executor.hears(event::Type::Launch).await.launch.unwrap();
            assert_eq!(launch.task.task_id.value, "t");
        }
    });
}
