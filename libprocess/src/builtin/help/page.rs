//! A help page for browsers: as much of Markdown as help pages use, as HTML.
//! Called by `help`. Never lets text of a page become markup of its own.
//!
//! Upstream sends the Markdown with a script that renders it.

use std::collections::HashMap;

const STYLE: &str = "body{font:14px/1.6 Helvetica,Arial,sans-serif;background:#fff;padding:30px}\
blockquote{border-left:5px solid #ddd;padding:0 10px;color:#777;margin:0 0 20px}\
blockquote,pre{white-space:pre-wrap}a{color:#08c;text-decoration:none}";

/// The page as a whole.
pub(super) fn render(markdown: &str) -> String {
    let (references, lines): (Vec<_>, Vec<_>) =
        markdown.lines().map(|line| (reference(line), line)).partition(|(link, _)| link.is_some());
    let links: HashMap<_, _> = references.into_iter().filter_map(|(link, _)| link).collect();
    let mut body = String::new();
    let mut quoted = false;
    let mut fenced = false;
    for (_, line) in lines {
        let quote = (!fenced).then(|| line.strip_prefix('>')).flatten();
        if quote.is_some() != quoted {
            body.push_str(if quoted { "</blockquote>\n" } else { "<blockquote>" });
            quoted = !quoted;
        }
        if line.starts_with("```") {
            body.push_str(if fenced { "</pre>\n" } else { "<pre>" });
            fenced = !fenced;
        } else if fenced {
            body.push_str(&escape(line));
            body.push('\n');
        } else if let Some(line) = quote {
            body.push_str(&inline(line, &links));
            body.push('\n');
        } else {
            body.push_str(&block(line, &links));
        }
    }
    body.push_str(if quoted { "</blockquote>\n" } else { "" });
    format!(
        "<html><head><title>Help</title><style>{STYLE}</style></head>\n<body>\n{body}</body></html>"
    )
}

/// A heading, or a line of text.
fn block(line: &str, links: &HashMap<&str, &str>) -> String {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    match level {
        1..=6 => {
            let text = inline(line.trim_matches(['#', ' ']), links);
            format!("<h{level}>{text}</h{level}>\n")
        }
        _ if line.is_empty() => "<p>\n".to_owned(),
        _ => format!("{}<br>\n", inline(line, links)),
    }
}

/// `[name]: url`
fn reference(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ")
}

/// `[text][name]` becomes a link, `` `text` `` code.
fn inline(line: &str, links: &HashMap<&str, &str>) -> String {
    let mut html = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(['[', '`']) {
        html.push_str(&escape(&rest[..start]));
        rest = &rest[start..];
        let (markup, after) = link(rest, links).or_else(|| code(rest)).unwrap_or_else(|| {
            let (plain, after) = rest.split_at(1);
            (plain.to_owned(), after)
        });
        html.push_str(&markup);
        rest = after;
    }
    html + &escape(rest)
}

fn link<'a>(text: &'a str, links: &HashMap<&str, &str>) -> Option<(String, &'a str)> {
    let (label, after) = text.strip_prefix('[')?.split_once("][")?;
    let (name, after) = after.split_once(']')?;
    let url = links.get(name)?;
    Some((format!("<a href=\"{}\">{}</a>", escape(url), escape(label)), after))
}

fn code(text: &str) -> Option<(String, &str)> {
    let (code, after) = text.strip_prefix('`')?.split_once('`')?;
    Some((format!("<code>{}</code>", escape(code)), after))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(markdown: &str, expected: &str) {
        let html = render(markdown);
        let (_, body) = html.split_once("<body>\n").expect("a body");
        assert_eq!(body, format!("{expected}</body></html>"));
    }

    #[test]
    fn headings_links_quotes_and_code_are_rendered() {
        check("## HELP\n", "<h2>HELP</h2>\n");
        check(
            "## `/a` ##\n> [/a/b][a/b]\n\n[a/b]: a/b\n",
            "<h2><code>/a</code></h2>\n<blockquote> <a href=\"a/b\">/a/b</a>\n</blockquote>\n<p>\n",
        );
        check("```\n> x [y]\n```\n", "<pre>&gt; x [y]\n</pre>\n");
        check("one ` [two]\n", "one ` [two]<br>\n");
    }

    #[test]
    fn text_never_becomes_markup() {
        check("<b>\"&\n", "&lt;b&gt;&quot;&amp;<br>\n");
        check(
            "[<i>][x]\n[x]: \"><script>\n",
            "<a href=\"&quot;&gt;&lt;script&gt;\">&lt;i&gt;</a><br>\n",
        );
    }
}
