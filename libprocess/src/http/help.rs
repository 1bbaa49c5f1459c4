//! The text of a `/help` page, in upstream's layout.
//! Called where routes are installed: `help::tldr("…").description(&["…"]).into()`.
//! Never mentions the path: the page gets its USAGE from the route itself.
//!
//! Upstream: `HELP`, `TLDR`, `DESCRIPTION`, `REFERENCES`.

/// A page in Markdown that is being put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    text: String,
}

/// A page that says in one line what the endpoint does.
pub fn tldr(line: &str) -> Page {
    Page { text: format!("### TL;DR; ###\n{line}\n") }
}

impl Page {
    /// Adds what there is to know beyond that, line by line. Comes before the references.
    pub fn description(self, lines: &[&str]) -> Page {
        Page { text: format!("{}\n### DESCRIPTION ###\n{}\n\n", self.text, lines.join("\n")) }
    }

    /// Adds the targets of links, `[name]: url`, line by line.
    pub fn references(self, lines: &[&str]) -> Page {
        Page { text: format!("{}\n{}\n\n", self.text, lines.join("\n")) }
    }
}

impl From<Page> for String {
    fn from(page: Page) -> Self {
        page.text
    }
}

impl From<Page> for Option<String> {
    fn from(page: Page) -> Self {
        Some(page.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_the_layout_of_upstream() {
        let check = |page: Page, expected: &str| assert_eq!(String::from(page), expected);
        check(tldr("Stops."), "### TL;DR; ###\nStops.\n");
        check(
            tldr("Stops.").description(&["One.", "Two."]),
            "### TL;DR; ###\nStops.\n\n### DESCRIPTION ###\nOne.\nTwo.\n\n",
        );
        check(
            tldr("Stops.").description(&["[a][b]"]).references(&["[b]: c"]),
            "### TL;DR; ###\nStops.\n\n### DESCRIPTION ###\n[a][b]\n\n\n[b]: c\n\n",
        );
    }
}
