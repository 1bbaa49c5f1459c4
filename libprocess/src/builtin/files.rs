//! `/files/{browse,read,download,debug}`: logs and sandboxes, under the names by which a daemon
//! attaches them.
//! Started by a daemon, which keeps the [`Files`]. Nothing outside of what is attached can be
//! reached, by whatever path or link; all reading happens where it may block.
//!
//! Upstream: `mesos::internal::Files`.

mod listing;
mod read;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;

use stout::json;

use crate::http::{Failed, Reply, Request, Response, help, mime};
use crate::process::{Ctx, Gone, Pid, Process};
use crate::router::Router;
use crate::runtime::{AlreadyRunning, Runtime};

use resolve::Unresolved;

/// Attached paths by name; a name has no slash at its end, a path is canonical.
type Attached = HashMap<String, PathBuf>;

/// The files that a daemon shows. Clones are the same; they stay until [`Files::stop`].
/// Upstream: `Files`.
#[derive(Clone, Debug)]
pub struct Files {
    runtime: Runtime,
    pid: Pid<FilesProcess>,
}

/// Why a path cannot be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is nothing there.
    #[error("Failed to get realpath of '{path}': {source}")]
    NoPath {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("Failed to access '{path}': {source}")]
    NoAccess {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The files are not shown any more.
    #[error(transparent)]
    Gone(#[from] Gone),
}

impl Files {
    /// Starts to serve `/files`.
    ///
    /// # Errors
    /// If the runtime has files already: use a clone of those.
    pub fn start(runtime: &Runtime) -> Result<Files, AlreadyRunning> {
        let pid = runtime.spawn("files", FilesProcess::default())?;
        Ok(Files { runtime: runtime.clone(), pid })
    }

    /// Shows what is at `path` now, a file or a folder, under `name`. What had the name is not
    /// shown any more.
    pub fn attach(
        &self,
        path: impl Into<PathBuf>,
        name: impl Into<String>,
    ) -> impl Future<Output = Result<(), AttachError>> + Send + 'static {
        let (path, name, pid) = (path.into(), name.into(), self.pid.clone());
        let checked = self.runtime.blocking(move || check(path));
        async move {
            let path = checked.await.ok_or(Gone)??;
            let name = name.strip_suffix('/').unwrap_or(&name).to_owned();
            Ok(pid.dispatch(move |this, _| drop(this.attached.insert(name, path))).await?)
        }
    }

    /// Shows `name` no more.
    pub fn detach(&self, name: &str) {
        let name = name.to_owned();
        self.pid.tell(move |this, _| drop(this.attached.remove(&name)));
    }

    /// Stops serving `/files`.
    pub fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        self.pid.terminate(crate::process::Inject::Back);
        self.pid.wait()
    }
}

fn check(path: PathBuf) -> Result<PathBuf, AttachError> {
    match path.canonicalize() {
        Err(source) => Err(AttachError::NoPath { path, source }),
        Ok(real) => match nix::unistd::access(&real, nix::unistd::AccessFlags::R_OK) {
            Ok(()) => Ok(real),
            Err(errno) => Err(AttachError::NoAccess { path, source: errno.into() }),
        },
    }
}

/// The actor behind [`Files`].
#[derive(Debug, Default)]
pub struct FilesProcess {
    attached: Attached,
}

impl Process for FilesProcess {
    fn install(&self, router: &mut Router<Self>) {
        let path = ">        path=VALUE          The attached name, and the path below it.";
        let parameters = ["Query parameters:", "", path];
        let browse = help::tldr("Lists a folder.").description(&parameters);
        let read = help::tldr("Reads a piece of a file.").description(&[
            "Query parameters:",
            "",
            path,
            ">        offset=VALUE        Where to begin; without it only the size is returned.",
            ">        length=VALUE        How much to read, as far as one answer can hold it.",
        ]);
        let download = help::tldr("Sends a whole file.").description(&parameters);
        let debug = help::tldr("Shows what is attached under which name.");
        for suffix in ["", ".json"] {
            let name = |name| format!("/{name}{suffix}");
            router.route(&name("browse"), browse.clone().into(), Self::browse);
            router.route(&name("read"), read.clone().into(), Self::read);
            router.route(&name("download"), download.clone().into(), Self::download);
            router.route(&name("debug"), debug.clone().into(), Self::debug);
        }
    }
}

impl FilesProcess {
    /// Answers with what `work` finds at the request's path.
    fn answer(
        &self,
        ctx: &Ctx<Self>,
        request: Request,
        work: impl FnOnce(Request, Result<resolve::Real, Unresolved>) -> Response + Send + 'static,
    ) -> Reply {
        let path = request.query.get("path").filter(|path| !path.is_empty()).cloned();
        let Some(path) = path else {
            return Response::bad_request("Expecting 'path=value' in query.\n").into();
        };
        let candidate = resolve::candidate(&self.attached, &path);
        let answered = ctx.runtime().blocking(move || {
            let real = candidate.ok_or(Unresolved::Nothing).and_then(resolve::Candidate::open);
            work(request, real)
        });
        Reply::later(async move { answered.await.ok_or_else(|| Failed("no answer".to_owned())) })
    }

    fn browse(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Reply {
        self.answer(ctx, request, |request, real| match real {
            Ok(real) => {
                let shown = request.query.get("path").map_or("", String::as_str);
                Response::json(listing::list(&real.path, shown), request.jsonp())
            }
            Err(Unresolved::Nothing) => Response::not_found(),
            Err(error) => Response::internal_server_error_with(format!("{error}.\n")),
        })
    }

    fn read(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Reply {
        self.answer(ctx, request, |request, real| {
            let range = match read::Range::of(&request.query) {
                Ok(range) => range,
                Err(error) => return Response::bad_request(format!("{error}.\n")),
            };
            match file(real, "Cannot read a directory.\n") {
                Ok(path) => read::read(&path, range, request.jsonp()),
                Err(refusal) => *refusal,
            }
        })
    }

    fn download(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Reply {
        self.answer(ctx, request, |_, real| match file(real, "Cannot download a directory.\n") {
            Ok(path) => send(path),
            Err(refusal) => *refusal,
        })
    }

    fn debug(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        let mut attached: Vec<_> = self.attached.iter().collect();
        attached.sort();
        let shown = json::object(|shown| {
            for (name, path) in attached {
                shown.field(name, path.to_string_lossy());
            }
        });
        Response::json(shown, request.jsonp())
    }
}

/// The path, if a file is there.
fn file(
    real: Result<resolve::Real, Unresolved>,
    is_folder: &'static str,
) -> Result<PathBuf, Box<Response>> {
    match real {
        Ok(real) if real.path.is_dir() => Err(Box::new(Response::bad_request(is_folder))),
        Ok(real) => Ok(real.path),
        Err(Unresolved::Nothing) => Err(Box::new(Response::not_found())),
        Err(error) => Err(Box::new(Response::bad_request(format!("{error}.\n")))),
    }
}

fn send(path: PathBuf) -> Response {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let content_type = extension.and_then(mime::of_extension).unwrap_or("application/octet-stream");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let disposition = format!("attachment; filename={}", name.unwrap_or_default());
    Response::file(path)
        .with_type(content_type)
        .with_header(http::header::CONTENT_DISPOSITION, &disposition)
}
