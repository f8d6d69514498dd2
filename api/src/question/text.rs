//! A query string as pairs, and texts of a request in a message.

use percent_encoding::percent_decode;
use slipstream_schemas::visible::visible;

use super::Pairs;
use crate::refusal::Mistake;

/// Bytes of a request's text that a message quotes.
const QUOTED: usize = 80;

/// The parameters of a query string, in order, decoded. `+` is a space, as forms have it.
pub(super) fn pairs(query: &str) -> Result<Pairs, Vec<Mistake>> {
    let (mut pairs, mut mistakes) = (Vec::new(), Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (decoded(name), decoded(value)) {
            (Some(name), Some(value)) => pairs.push((name, value)),
            (Some(name), None) => mistakes.push(Mistake::new(&name, NOT_UTF8.to_owned())),
            (None, _) => mistakes.push(Mistake::new(name, NOT_UTF8.to_owned())),
        }
    }
    if mistakes.is_empty() { Ok(pairs) } else { Err(mistakes) }
}

const NOT_UTF8: &str = "its bytes are not UTF-8; encode text as UTF-8, then percent-encode it";

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// A value in a message, shortened, with nothing in it that could not be seen.
pub(super) fn quoted(sent: &str) -> String {
    let cut = &sent[..sent.floor_char_boundary(QUOTED)];
    let more = if cut.len() < sent.len() { "…" } else { "" };
    format!("`{}{more}`", visible(cut))
}
