//! What mesos-fetcher is told to do for a command's URIs. Pure. Called by `fetcher`.
//! Upstream: `validateUris`, and the parts of `FetcherProcess` that fill in `FetcherInfo`.
//! The cache has its place here: every item bypasses it for now.

use proto::mesos::CommandInfo;
use proto::mesos::fetcher::FetcherInfo;
use proto::mesos::fetcher::fetcher_info::Item;
use proto::mesos::fetcher::fetcher_info::item::Action;

use super::uri::{self, UriError};

/// The order for all URIs of `command`, in the order of the command; a URI that is given twice
/// with all its properties is fetched once.
pub(super) fn plan(
    command: &CommandInfo,
    sandbox: &str,
    user: Option<&str>,
    frameworks_home: Option<&str>,
) -> Result<FetcherInfo, UriError> {
    let mut items: Vec<Item> = Vec::new();
    for uri in &command.uris {
        uri::destination(&uri.value, uri.output_file.as_deref())?;
        if items.iter().all(|item| item.uri != *uri) {
            let action = Action::BypassCache.into();
            items.push(Item { uri: uri.clone(), action, cache_filename: None });
        }
    }
    Ok(FetcherInfo {
        sandbox_directory: sandbox.to_owned(),
        cache_directory: None,
        items,
        user: user.map(str::to_owned),
        frameworks_home: frameworks_home.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use proto::mesos::CommandInfo;
    use proto::mesos::command_info::Uri;

    use super::{UriError, plan};

    fn uri(value: &str) -> Uri {
        Uri { value: value.into(), ..Uri::default() }
    }

    #[test]
    fn uris_keep_their_order_and_are_fetched_once() {
        let extracted = Uri { extract: Some(false), ..uri("/b") };
        let uris = vec![uri("/b"), uri("/a"), uri("/b"), extracted.clone()];
        let command = CommandInfo { uris, ..CommandInfo::default() };
        let info = plan(&command, "/sandbox", Some("user"), None).unwrap();
        let planned: Vec<Uri> = info.items.into_iter().map(|item| item.uri).collect();
        assert_eq!(planned, [uri("/b"), uri("/a"), extracted]);
        assert_eq!(info.sandbox_directory, "/sandbox");
        assert_eq!(info.user.as_deref(), Some("user"));
    }

    #[test]
    fn one_bad_uri_refuses_all() {
        let command = CommandInfo { uris: vec![uri("/a"), uri("a'b")], ..CommandInfo::default() };
        assert_eq!(plan(&command, "/", None, None), Err(UriError::IllegalCharacters));
    }
}
