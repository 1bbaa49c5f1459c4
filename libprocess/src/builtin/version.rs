//! `/version`: what was built, when and by whom; the program says so in its configuration.
//! Started by `builtin` where there is something to say.
//!
//! Upstream: `mesos::internal::VersionProcess`.

use stout::json;

use crate::http::{Request, Response, help};
use crate::process::{Ctx, Process};
use crate::router::Router;

pub(super) struct Version {
    json: Vec<u8>,
}

impl Version {
    pub(super) fn new(members: &[(String, serde_json::Value)]) -> Self {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|(name, _)| name);
        let json = json::object(|version| {
            members.iter().for_each(|(name, value)| version.field(name, value));
        });
        Self { json }
    }

    fn version(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        Response::json(self.json.clone(), request.jsonp())
    }
}

impl Process for Version {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Tells the version of this program.").description(&[
            "An object with the members `version`, `build_date`, `build_time`, `build_user` and,",
            "where they are known, `git_sha`, `git_branch` and `git_tag`.",
        ]);
        router.route("/", page.into(), Self::version);
    }
}
