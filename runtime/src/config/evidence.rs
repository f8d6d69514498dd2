//! What notifications say beyond the alert: evidence, and a link to a trace.

use super::receiver;
use super::section::Section;

/// Whether notifications have evidence; by default they do.
pub(super) fn evidence(top: &Section<'_>) -> bool {
    let read = |text: &str| match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    top.value("evidence", "`true` or `false`", read).unwrap_or(true)
}

/// The link of a trace: an address of the web with `{trace_id}` in it.
pub(super) fn trace_url(top: &Section<'_>) -> Option<String> {
    const TRACE_URL: &str = "an address like `https://host/trace/{trace_id}`, with {trace_id} for the trace";
    top.value("trace_url", TRACE_URL, |text| {
        let filled = text.replace("{trace_id}", "x");
        let is_one = filled != text && !filled.contains(['{', '}']);
        is_one.then(|| receiver::url(&filled)).flatten().map(|_| text.to_owned())
    })
}
