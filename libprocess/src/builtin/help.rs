//! `/help`, `/help/<id>` and `/help/<id>/<route>`: what can be asked of whom.
//! Started by `builtin`. Reads the tables of the actors that run at that moment.
//!
//! Upstream: `process::Help`.

mod page;

use std::collections::BTreeMap;
use std::sync::Arc;

use stout::json;
use stout::text::tokenize_at_most;

use crate::http::{Request, Response};
use crate::process::{Ctx, Process};
use crate::router::Router;
use crate::runtime::Runtime;

/// Actors that have no entry.
const UNLISTED: &[&str] = &["help", "__processes__"];

/// Texts by route, by actor; a route begins with `/`.
type Pages = BTreeMap<Arc<str>, BTreeMap<String, String>>;

pub(super) struct Help;

impl Process for Help {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, Self::help);
        router.otherwise(Self::help);
    }
}

impl Help {
    fn help(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Response {
        let pages = pages(ctx.runtime());
        let mut tokens = tokenize_at_most(&request.path, "/", 3).into_iter().skip(1);
        let document = match (tokens.next(), tokens.next()) {
            (None, _) if request.query.get("format").is_some_and(|format| format == "json") => {
                return Response::json(to_json(&pages), None);
            }
            (None, _) => contents(&pages),
            (Some(id), name) => match (pages.get(id), name) {
                (None, _) => return Response::not_found(),
                (Some(routes), None) => routes_of(id, routes),
                (Some(routes), Some(name)) => match routes.get(&format!("/{name}")) {
                    Some(text) => format!("{text}\n"),
                    None => {
                        let why = format!("No help available for '/{id}/{name}'.\n");
                        return Response::bad_request(why);
                    }
                },
            },
        };
        let agent = request.header("User-Agent").unwrap_or_default();
        if agent.starts_with("curl") || agent.starts_with("HTTPie") {
            return Response::ok(document).with_type("text/x-markdown");
        }
        Response::ok(page::render(&document))
    }
}

fn pages(runtime: &Runtime) -> Pages {
    let mut pages = Pages::new();
    let cells = runtime.cells();
    for (id, cell) in cells.iter().filter(|(id, _)| !UNLISTED.contains(&&***id)) {
        for (name, help) in cell.routes().pages() {
            let path = path(id, &name);
            let text = match help {
                Some(help) => format!("### USAGE ###\n>        /{path}\n\n{help}"),
                None => format!("## No help page for `/{path}`\n"),
            };
            pages.entry(id.clone()).or_default().insert(format!("/{name}"), text);
        }
    }
    pages
}

/// The path of a route without the leading slash, and of the root route without any other.
fn path(id: &str, name: &str) -> String {
    if name.is_empty() { id.to_owned() } else { format!("{id}/{name}") }
}

fn contents(pages: &Pages) -> String {
    let ids = || pages.keys();
    let listed: String = ids().map(|id| format!("> [/{id}][{id}]\n")).collect();
    let references: String = ids().map(|id| format!("[{id}]: help/{id}\n")).collect();
    format!("## HELP\n{listed}\n{references}")
}

fn routes_of(id: &str, routes: &BTreeMap<String, String>) -> String {
    let paths = || routes.keys().map(|name| path(id, &name[1..]));
    let listed: String = paths().map(|path| format!("> [/{path}][{path}]\n")).collect();
    let references: String = paths().map(|path| format!("[{path}]: {path}\n")).collect();
    format!("## `/{id}` ##\n{listed}\n{references}")
}

fn to_json(pages: &Pages) -> Vec<u8> {
    json::object(|help| {
        help.array("processes", |processes| {
            for (id, routes) in pages {
                processes.object(|process| {
                    process.field("id", &**id);
                    process.array("endpoints", |endpoints| {
                        for (name, text) in routes {
                            endpoints.object(|endpoint| {
                                endpoint.field("name", name);
                                endpoint.field("text", text);
                            });
                        }
                    });
                });
            }
        });
    })
}
