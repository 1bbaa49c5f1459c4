//! Executors that speak HTTP and say what a test lets them say. Used by the tests of the executor
//! API; the client is the runtime's own.

use std::collections::VecDeque;

use common::content_type::ContentType;
use common::recordio::Decoder;
use libprocess::http::client::{self, Delivery};
use libprocess::http::pipe::{PipeError, Reader};
use libprocess::http::url::{Scheme, Url};
use libprocess::http::{Body, Response};
use proto::mesos::v1;
use proto::mesos::v1::executor::{Call, Event, call, event};

use crate::support::{World, soon};

/// Both encodings.
pub(crate) const ENCODINGS: [ContentType; 2] = [ContentType::Protobuf, ContentType::Json];

/// A request to the executor API; tests change what is to be wrong with it.
pub(crate) fn request(world: &World, encoding: ContentType, call: &Call) -> client::Request {
    let bound = world.runtime.bound();
    let url = Url::new(Scheme::Http, bound.ip().to_string(), bound.port(), PATH);
    client::Request::new(http::Method::POST, url)
        .with_body(encoding.serialize(call), encoding.as_str())
        .with_header(http::header::ACCEPT, encoding.as_str())
}

const PATH: &str = "/slave(1)/api/v1/executor";

/// Status and body of an answer that ends.
pub(crate) async fn answer(world: &World, request: client::Request) -> (u16, String) {
    let answer = client::request(&world.runtime, request, Delivery::Whole);
    let response = soon("an answer", answer).await.unwrap();
    let text = match response.body {
        Body::Empty => String::new(),
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    (response.status.as_u16(), text)
}

/// The head of an answer that goes on.
pub(crate) async fn open(world: &World, request: client::Request) -> Response {
    let answer = client::request(&world.runtime, request, Delivery::Streamed);
    soon("an answer", answer).await.unwrap()
}

/// A call of executor `E` of framework `F`.
fn call_of_type(call_type: call::Type) -> Call {
    Call {
        executor_id: v1::ExecutorId { value: "E".to_owned() },
        framework_id: v1::FrameworkId { value: "F".to_owned() },
        r#type: call_type.into(),
        ..Call::default()
    }
}

pub(crate) fn subscribe() -> Call {
    resubscribe(&[], &[])
}

/// SUBSCRIBE of an executor that has something to tell.
pub(crate) fn resubscribe(tasks: &[&str], statuses: &[&v1::TaskStatus]) -> Call {
    let task = |id: &&str| v1::TaskInfo {
        name: (*id).to_owned(),
        task_id: v1::TaskId { value: (*id).to_owned() },
        ..v1::TaskInfo::default()
    };
    let updates = statuses.iter().map(|&status| call::Update { status: status.clone() });
    let subscribe = call::Subscribe {
        unacknowledged_tasks: tasks.iter().map(task).collect(),
        unacknowledged_updates: updates.collect(),
    };
    Call { subscribe: Some(subscribe), ..call_of_type(call::Type::Subscribe) }
}

pub(crate) fn update(status: &v1::TaskStatus) -> Call {
    let update = Some(call::Update { status: status.clone() });
    Call { update, ..call_of_type(call::Type::Update) }
}

pub(crate) fn message(data: &'static str) -> Call {
    let message = Some(call::Message { data: data.into() });
    Call { message, ..call_of_type(call::Type::Message) }
}

/// A status by an executor; `uuid` fills all its bytes.
pub(crate) fn status(task_id: &str, (state, uuid): (v1::TaskState, u8)) -> v1::TaskStatus {
    v1::TaskStatus {
        task_id: v1::TaskId { value: task_id.to_owned() },
        state: state.into(),
        source: Some(v1::task_status::Source::Executor.into()),
        uuid: Some(vec![uuid; 16].into()),
        ..v1::TaskStatus::default()
    }
}

/// An executor that has subscribed.
pub(crate) struct Subscriber {
    encoding: ContentType,
    body: Reader,
    decoder: Decoder,
    heard: VecDeque<Event>,
}

impl Subscriber {
    /// Subscribes, as soon as the slave has read its disk.
    pub(crate) async fn new(world: &World, encoding: ContentType, call: &Call) -> Subscriber {
        let subscribed = async {
            loop {
                let response = open(world, request(world, encoding, call)).await;
                if response.status != http::StatusCode::SERVICE_UNAVAILABLE {
                    return Subscriber::of(response, encoding);
                }
            }
        };
        soon("the end of reading", subscribed).await
    }

    /// Has been answered.
    pub(crate) fn of(response: Response, encoding: ContentType) -> Subscriber {
        assert_eq!(response.status, http::StatusCode::OK);
        assert_eq!(response.headers["Content-Type"], encoding.as_str());
        assert_eq!(response.headers["Transfer-Encoding"], "chunked");
        let Body::Stream(body) = response.body else { panic!("no stream: {:?}", response.body) };
        Subscriber { encoding, body, decoder: Decoder::new(1 << 20), heard: VecDeque::new() }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        while self.heard.is_empty() {
            let chunk = soon("an event", self.body.read()).await.unwrap().expect("it goes on");
            for record in self.decoder.decode(&chunk).unwrap() {
                self.heard.push_back(self.encoding.deserialize(record).unwrap());
            }
        }
        self.heard.pop_front().unwrap()
    }

    /// The next event, which is of a type.
    pub(crate) async fn hears(&mut self, expected: event::Type) -> Event {
        let event = self.next().await;
        assert_eq!(event.r#type(), expected, "{event:?}");
        event
    }

    /// Waits for the end of the stream, before which nothing more is heard.
    pub(crate) async fn end(&mut self) -> Result<(), PipeError> {
        assert_eq!(self.heard, []);
        let end = soon("the end of the stream", self.body.read()).await?;
        assert_eq!(end, None);
        Ok(())
    }

    /// Says something on a connection of its own, which is accepted.
    pub(crate) async fn say(&self, world: &World, call: &Call) {
        let accepted = answer(world, request(world, self.encoding, call)).await;
        assert_eq!(accepted, (202, String::new()));
    }
}
