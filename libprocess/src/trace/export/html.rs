//! An export as one HTML page that needs nothing else: no network, no other file.
//! The page carries the JSON of `chrome` and a script that draws it; more such JSON can be opened
//! in it. Never lets text from a trace become markup: the script makes text nodes only, and the
//! JSON has every slash escaped, so that no tag can end in it.

use crate::trace::export::{Export, chrome};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub(crate) fn write(export: &Export) -> Vec<u8> {
    let data = chrome::write(export);
    let mut page = Vec::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len());
    let mut rest = PAGE;
    for (mark, piece) in
        [("/*STYLE*/", STYLE.as_bytes()), ("/*DATA*/", &data), ("/*SCRIPT*/", SCRIPT.as_bytes())]
    {
        let (before, after) = rest.split_once(mark).expect("the page has its three marks in order");
        page.extend_from_slice(before.as_bytes());
        page.extend_from_slice(piece);
        rest = after;
    }
    page.extend_from_slice(rest.as_bytes());
    page
}
