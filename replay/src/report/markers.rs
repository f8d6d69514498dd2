//! Markers in words.

use crate::outcome::MarkerShown;

/// `deploy`, `change`, `incident`, `note`; others as they are.
pub fn kind(marker: &MarkerShown) -> &str {
    if marker.kind == "config" { "change" } else { &marker.kind }
}

/// Above a chart: `deploy: 2.4.1`, or what was done.
pub fn label(marker: &MarkerShown) -> String {
    format!("{}: {}", kind(marker), marker.version.as_deref().unwrap_or(&marker.text))
}

/// In a sentence: `the deploy of 2.4.1 to checkout in production`.
pub fn named(marker: &MarkerShown) -> String {
    let kind = if marker.kind == "config" { "configuration change" } else { &marker.kind };
    let version = marker.version.as_ref().map(|version| format!(" of {version}")).unwrap_or_default();
    let service = if marker.service.is_empty() { String::new() } else { format!(" to {}", marker.service) };
    let environment = if marker.environment.is_empty() { String::new() } else { format!(" in {}", marker.environment) };
    format!("the {kind}{version}{service}{environment}")
}

/// A deploy or a change of configuration: something that can be the cause.
pub fn is_change(marker: &MarkerShown) -> bool {
    matches!(marker.kind.as_str(), "deploy" | "config")
}

/// Whether it is of a service, or of all.
pub fn concerns(marker: &MarkerShown, service: &str) -> bool {
    marker.service.is_empty() || marker.service == service
}
