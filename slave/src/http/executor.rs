//! `/api/v1/executor`: what an executor asks for, read from its request, and the refusals in
//! upstream's words. What is then done is in `handlers::subscription`. Changes nothing.
//! Upstream: `Slave::Http::executor`.

use common::calls::InvalidCall;
use common::calls::executor::ExecutorCall;
use common::content_type::{ContentType, DeserializeError};
use common::evolve::evolve;
use http::{Method, StatusCode};
use libprocess::http::{Body, Request, Response};
use proto::mesos::v1;

/// Why a request is not served.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum CallRefusal {
    /// Calls are posted; its answer says which method came.
    #[error("Expecting 'POST'")]
    Method(Method),
    #[error("Expecting 'Content-Type' to be present")]
    NoContentType,
    #[error("Expecting 'Content-Type' of application/json or application/x-protobuf")]
    ContentType,
    #[error(transparent)]
    Body(#[from] DeserializeError),
    #[error("Failed to validate Executor::Call: {0}")]
    Call(#[from] InvalidCall),
    #[error("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")]
    Accept,
    #[error("Agent has not finished recovery")]
    Recovering,
    #[error("Framework cannot be found")]
    UnknownFramework,
    #[error("Executor cannot be found")]
    UnknownExecutor,
    #[error("Executor is not subscribed")]
    NotSubscribed,
}

impl From<CallRefusal> for Response {
    fn from(refusal: CallRefusal) -> Response {
        let status = match &refusal {
            CallRefusal::Method(came) => return Response::method_not_allowed(&["POST"], came),
            CallRefusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            CallRefusal::Accept => StatusCode::NOT_ACCEPTABLE,
            CallRefusal::Recovering => StatusCode::SERVICE_UNAVAILABLE,
            CallRefusal::NotSubscribed => StatusCode::FORBIDDEN,
            CallRefusal::NoContentType
            | CallRefusal::Body(_)
            | CallRefusal::Call(_)
            | CallRefusal::UnknownFramework
            | CallRefusal::UnknownExecutor => StatusCode::BAD_REQUEST,
        };
        Response { body: Body::Bytes(refusal.to_string().into()), ..Response::new(status) }
    }
}

/// What a request asks for.
pub(crate) fn call_of(request: &Request) -> Result<ExecutorCall, CallRefusal> {
    if request.method != Method::POST {
        return Err(CallRefusal::Method(request.method.clone()));
    }
    let content_type = request.header("Content-Type").ok_or(CallRefusal::NoContentType)?;
    let content_type = ContentType::from_header(content_type).ok_or(CallRefusal::ContentType)?;
    let call: v1::executor::Call = content_type.deserialize(request.body.clone())?;
    Ok(ExecutorCall::try_from(evolve::<proto::mesos::executor::Call>(&call))?)
}

/// How a request's sender would have events; JSON if it does not mind.
pub(crate) fn accepted_by(request: &Request) -> Result<ContentType, CallRefusal> {
    let mut known = [ContentType::Json, ContentType::Protobuf].into_iter();
    let accepted = known.find(|known| request.accepts_media_type(known.as_str()));
    accepted.ok_or(CallRefusal::Accept)
}
