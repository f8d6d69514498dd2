//! The post-mortem as Markdown.

use slipstream_schemas::visible::acts;

use super::Block;
use crate::report::times::Times;

/// All of it, under a title.
pub fn text(title: &str, times: Times, blocks: &[Block]) -> String {
    let mut out = format!("# Post-mortem: {}\n\n{}\n", plain(title), times.range());
    for block in blocks {
        out.push('\n');
        match block {
            Block::Heading(heading) => out.push_str(&format!("## {heading}\n")),
            Block::Facts(text) => out.push_str(&format!("{}\n", plain(text))),
            Block::ToWrite(what, hint) => out.push_str(&format!("**{what}:** _to be written: {}_\n", plain(hint))),
            Block::Table(caption, heads, rows) => table(&mut out, caption, heads, rows),
        }
    }
    out
}

fn table(out: &mut String, caption: &str, heads: &[&str], rows: &[Vec<String>]) {
    out.push_str(&format!("{caption}\n\n| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len())));
    for row in rows {
        let fields: Vec<String> = row.iter().map(|field| plain(field)).collect();
        out.push_str(&format!("| {} |\n", fields.join(" | ")));
    }
}

/// Text that Markdown shows as it is, on one line.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\u{a0}' => out.push(' '),
            c if c.is_whitespace() || c.is_control() => out.push(' '),
            c if acts(c) => out.extend(c.escape_unicode()),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_markup() {
        assert_eq!(plain("a|b\n<script> *x* 14\u{a0}%"), "a\\|b \\<script\\> \\*x\\* 14 %");
    }
}
