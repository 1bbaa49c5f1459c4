//! `/tasks` and `/tasks.json`: a page of tasks. Reads only.
//! Upstream: `Master::Http::tasks`.

use libprocess::http::help::{self, Page as HelpPage};
use libprocess::http::{Request, Response};
use stout::number::numify;

use crate::views::View;
use crate::views::task::{Order, Page, tasks};

/// How many tasks are shown if the request does not say. Upstream: `TASK_LIMIT`.
const TASK_LIMIT: usize = 100;

/// The help page.
pub fn help() -> HelpPage {
    help::tldr("Shows the tasks of all frameworks, a page at a time.").description(&[
        "An object with `tasks`, in the order of their first status updates.",
        "",
        "Query parameters:",
        "",
        ">        limit=VALUE          How many tasks at most (100 by default).",
        ">        offset=VALUE         How many tasks to skip.",
        ">        order=(asc|desc)     The oldest first, or the youngest (by default).",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, request: &Request) -> Response {
    Response::json(tasks(view, &page(request)), request.jsonp())
}

/// COMPAT: what is no number counts as not given, and a negative one as one beyond all tasks
/// (`Master::Http::tasks`); held by `pages_are_asked_for_as_upstream_takes_them`.
fn page(request: &Request) -> Page {
    let number = |name: &str| {
        let number = numify::<i32>(request.query.get(name)?).ok()?;
        Some(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let order = match request.query.get("order").map(String::as_str) {
        Some("asc") => Order::Ascending,
        _ => Order::Descending,
    };
    Page {
        limit: number("limit").unwrap_or(TASK_LIMIT),
        offset: number("offset").unwrap_or(0),
        order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_as_upstream_takes_them() {
        let check = |query: &[(&str, &str)], limit: usize, offset: usize, order: Order| {
            let pairs = query.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            let request = Request { query: pairs.collect(), ..Request::default() };
            assert_eq!(page(&request), Page { limit, offset, order }, "{query:?}");
        };
        check(&[], 100, 0, Order::Descending);
        check(&[("limit", "7"), ("offset", "3"), ("order", "asc")], 7, 3, Order::Ascending);
        check(&[("limit", "0")], 0, 0, Order::Descending);
        check(&[("limit", "-1"), ("order", "desc")], usize::MAX, 0, Order::Descending);
        check(&[("offset", "-1"), ("order", "ASC")], 100, usize::MAX, Order::Descending);
        check(&[("limit", "many"), ("offset", "1e3")], 100, 0, Order::Descending);
        check(&[("limit", "99999999999")], 100, 0, Order::Descending);
    }
}
