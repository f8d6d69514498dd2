//! The rules of a marker, for the command line and the gateway the same; and markers as JSON.

mod json;

pub use json::{MarkerJson, from_json};

use crate::decode::{self, ENVIRONMENT_BYTES, EventError, SERVICE_BYTES};
use crate::records::{Marker, MarkerKind};

const ID_BYTES: usize = 128;
const VERSION_BYTES: usize = 128;
const TEXT_BYTES: usize = 1_000;
const LINK_BYTES: usize = 2_000;
const AUTHOR_BYTES: usize = 256;

/// Checks a marker against every rule.
///
/// ```
/// use slipstream_schemas::EventTime;
/// use slipstream_schemas::marker::validate;
/// use slipstream_schemas::records::{Marker, MarkerKind};
///
/// let deploy = Marker {
///     id: "d-1".to_owned(),
///     kind: MarkerKind::Deploy,
///     service: "payment".to_owned(),
///     environment: String::new(),
///     time: EventTime(1_769_851_800_000_000), // microseconds
///     until: None,
///     version: Some("1.4.2".to_owned()),
///     text: String::new(),
///     link: Some("https://ci.example/runs/7".to_owned()),
///     author: "ci".to_owned(),
/// };
/// assert_eq!(validate(&deploy), Ok(()));
/// let wrong = Marker { link: Some("ci.example/runs/7".to_owned()), ..deploy };
/// let error = validate(&wrong).unwrap_err();
/// assert_eq!(error.to_string(), "link `ci.example/runs/7`: must begin with http:// or https://, and have no spaces");
/// ```
///
/// # Errors
/// The first rule that it breaks.
pub fn validate(marker: &Marker) -> Result<(), EventError> {
    decode::text("id", &marker.id, 1, ID_BYTES)?;
    decode::text("service", &marker.service, 0, SERVICE_BYTES)?;
    decode::text("environment", &marker.environment, 0, ENVIRONMENT_BYTES)?;
    decode::text("author", &marker.author, 0, AUTHOR_BYTES)?;
    decode::time("time", marker.time.0)?;
    until(marker)?;
    version(marker)?;
    words(marker)?;
    marker.link.as_deref().map_or(Ok(()), link)
}

fn until(marker: &Marker) -> Result<(), EventError> {
    let Some(until) = marker.until else { return Ok(()) };
    decode::time("until", until.0)?;
    if marker.kind != MarkerKind::Incident {
        return Err(EventError::rule("until", until.rfc3339(), "only an incident has an end"));
    }
    if until < marker.time {
        let rule = format!("must not be before its time, {}", marker.time.rfc3339());
        return Err(EventError::rule("until", until.rfc3339(), rule));
    }
    Ok(())
}

fn version(marker: &Marker) -> Result<(), EventError> {
    let Some(version) = &marker.version else { return Ok(()) };
    decode::text("version", version, 1, VERSION_BYTES)?;
    match marker.kind {
        MarkerKind::Deploy => Ok(()),
        _ => Err(EventError::rule("version", version, "only a deploy has one")),
    }
}

/// The text. It may have lines, and a note has nothing else to say.
fn words(marker: &Marker) -> Result<(), EventError> {
    let text = marker.text.as_str();
    let least = usize::from(marker.kind == MarkerKind::Note);
    if text.len() < least || text.len() > TEXT_BYTES {
        let rule = format!("must be {least} to {TEXT_BYTES} bytes, is {}", text.len());
        return Err(EventError::rule("text", text, rule));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(EventError::rule("text", text, "must not have control characters other than line ends"));
    }
    Ok(())
}

/// A link is shown to people, so it must be nothing that runs (`javascript:`).
fn link(link: &str) -> Result<(), EventError> {
    decode::text("link", link, 1, LINK_BYTES)?;
    let rest = link.strip_prefix("http://").or_else(|| link.strip_prefix("https://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace)) {
        return Err(EventError::rule("link", link, "must begin with http:// or https://, and have no spaces"));
    }
    Ok(())
}
