//! `/teardown`: an operator ends a framework. Authorized first; what happens then is told in
//! `handlers/framework/teardown.rs`. Upstream: `Master::Http::teardown`, `_teardown`.

use common::ids::FrameworkId;
use http::Method;
use libprocess::http::help::{self, Page};
use libprocess::http::{Failed, Reply, Request, Response};
use libprocess::process::{Ctx, Gone};

use super::form::{self, Malformed};
use crate::authorizer::{self, Action, Verdict};
use crate::master::Master;
use crate::state::{Cluster, Framework};

/// Why no framework is torn down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The method is another one.
    #[error("Expecting 'POST', received '{0}'")]
    Method(Method),
    /// The body is no form.
    #[error("Unable to decode query string: {0}")]
    Form(Malformed),
    /// The form names no framework.
    #[error("Missing 'frameworkId' query parameter")]
    Missing,
    /// The framework is not registered.
    #[error("No framework found with specified ID")]
    Unknown,
    /// The framework ended while its teardown was being authorized.
    #[error("No framework found with ID {0}")]
    Gone(FrameworkId),
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        match refusal {
            Refusal::Method(came) => Response::method_not_allowed(&["POST"], &came),
            _ => Response::bad_request(refusal.to_string()),
        }
    }
}

/// The help page.
pub fn help() -> Page {
    help::tldr("Ends a framework with all its tasks and executors.").description(&[
        "To be sent by POST, as a form with the field `frameworkId`.",
        "Answers 200 OK when the framework has been removed.",
    ])
}

impl Master {
    /// Ends the framework that a request names, once that is authorized.
    pub(crate) fn teardown_endpoint(&mut self, ctx: &mut Ctx<Self>, request: &Request) -> Reply {
        let framework = match parse(&self.cluster, request) {
            Ok(framework) => framework,
            Err(refusal) => return Response::from(refusal).into(),
        };
        let id = framework.id.clone();
        let Some(authorizer) = &self.authorizer else {
            self.remove_framework(ctx, &id);
            return Response::ok("").into();
        };
        let framework_principal = framework.info.principal.clone();
        let verdict = authorizer.authorize(authorizer::Request {
            principal: request.principal.clone(),
            action: Action::TeardownFramework { framework_principal },
        });
        let pid = ctx.pid().clone();
        Reply::later(async move {
            let verdict = verdict.await;
            let done = pid.dispatch(|master, ctx| master.on_teardown_authorized(ctx, id, verdict));
            done.await.unwrap_or_else(|gone: Gone| Err(Failed(gone.to_string())))
        })
    }

    fn on_teardown_authorized(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: FrameworkId,
        verdict: Verdict,
    ) -> Result<Response, Failed> {
        match verdict {
            Verdict::Failed(why) => return Err(Failed(why)),
            Verdict::Denied => return Ok(Response::forbidden("")),
            Verdict::Allowed if self.doubts(ctx) => return Ok(Response::service_unavailable()),
            Verdict::Allowed => {}
        }
        if self.cluster.frameworks.get(&id).is_none() {
            return Ok(Refusal::Gone(id).into());
        }
        self.remove_framework(ctx, &id);
        Ok(Response::ok(""))
    }
}

/// The framework that a request names.
fn parse<'a>(cluster: &'a Cluster, request: &Request) -> Result<&'a Framework, Refusal> {
    if request.method != Method::POST {
        return Err(Refusal::Method(request.method.clone()));
    }
    let fields = form::parse(request).map_err(Refusal::Form)?;
    let id = fields.get("frameworkId").ok_or(Refusal::Missing)?;
    cluster.frameworks.get(&id.as_str().into()).ok_or(Refusal::Unknown)
}

#[cfg(test)]
mod tests {
    use libprocess::http::Body;
    use proto::mesos::FrameworkInfo;

    use super::*;
    use crate::views::fixture::Books;

    fn check(method: &str, body: &'static str, expected: Result<&str, (u16, &str)>) {
        let mut books = Books::empty();
        books.add_framework("F-0001", 1, FrameworkInfo::default());
        let method = method.parse().unwrap();
        let request = Request { method, body: body.into(), ..Request::default() };
        let parsed = parse(&books.cluster, &request).map_err(|refusal| {
            let (text, response) = (refusal.to_string(), Response::from(refusal));
            let Body::Bytes(body) = response.body else { panic!("no text") };
            assert_eq!(body, text);
            (response.status.as_u16(), text)
        });
        let parsed = parsed.map(|framework| framework.id.as_str());
        assert_eq!(parsed, expected.map_err(|(status, text)| (status, text.to_owned())), "{body}");
    }

    #[test]
    fn teardown_endpoint_names_a_registered_framework() {
        check("POST", "frameworkId=F-0001", Ok("F-0001"));
        check("POST", "frameworkId=F%2D0001&x", Ok("F-0001"));
        check("POST", "frameworkId=", Err((400, "No framework found with specified ID")));
        check("POST", "frameworkId=F-0002", Err((400, "No framework found with specified ID")));
    }

    #[test]
    fn teardown_endpoint_no_framework_id() {
        let missing = "Missing 'frameworkId' query parameter";
        check("POST", "", Err((400, missing)));
        check("POST", "frameworkid=F-0001", Err((400, missing)));
        let undecodable = "Unable to decode query string: Malformed % escape in '%zz': '%zz'";
        check("POST", "frameworkId=%zz", Err((400, undecodable)));
    }

    #[test]
    fn teardown_is_posted() {
        let body = "frameworkId=F-0001";
        check("GET", body, Err((405, "Expecting 'POST', received 'GET'")));
        check("PUT", body, Err((405, "Expecting 'POST', received 'PUT'")));
    }

    #[test]
    fn a_framework_that_ended_meanwhile_is_named() {
        let gone = Refusal::Gone("F-0001".into());
        assert_eq!(gone.to_string(), "No framework found with ID F-0001");
    }
}
