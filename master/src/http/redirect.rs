//! `/redirect`: to the leading master.
//! Upstream: `Master::Http::redirect`.

use std::net::Ipv4Addr;

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};

use crate::views::View;

/// The help page.
pub fn help() -> Page {
    help::tldr("Redirects to the leading master.").description(&[
        "Answers 307 Temporary Redirect with the address of the leading master, or of this one",
        "if none leads as far as it knows. This is the address to bookmark where several masters",
        "run. The leader's host name must be one that the client can resolve: see `--hostname`.",
    ])
}

/// The answer.
pub fn serve(view: &View<'_>, _: &Request) -> Response {
    let leader = view.leader.unwrap_or(view.info);
    // The number holds the address's bytes in the order of the network.
    let address = || Ipv4Addr::from(leader.ip.to_ne_bytes()).to_string();
    let host = leader.hostname.clone().unwrap_or_else(address);
    // Without a scheme, so that the client stays with the one that it came by.
    Response::temporary_redirect(&format!("//{host}:{}", leader.port))
}

#[cfg(test)]
mod tests {
    use proto::mesos::MasterInfo;

    use super::*;
    use crate::views::fixture::Books;

    #[test]
    fn redirects_to_the_leader_or_to_itself() {
        let check = |leader: Option<MasterInfo>, expected: &str| {
            let books = Books { leader, ..Books::empty() };
            let response = serve(&books.view(), &Request::default());
            assert_eq!(response.status.as_u16(), 307);
            assert_eq!(response.headers["location"], expected);
        };
        let ip = u32::from_ne_bytes([10, 1, 2, 3]);
        let leader = MasterInfo { ip, port: 5055, ..MasterInfo::default() };
        check(None, "//localhost:5050");
        check(Some(MasterInfo { hostname: Some("h".into()), ..leader.clone() }), "//h:5055");
        check(Some(leader), "//10.1.2.3:5055");
    }
}
