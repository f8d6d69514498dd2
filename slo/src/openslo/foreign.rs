//! Metric sources of other tools: the filter one would write here instead.

use super::fields::Fields;
use super::source::Role;

/// What to write instead of a metric of another tool.
pub(super) fn instead(_source: &Fields<'_>, role: Role) -> String {
    let spec = match role {
        Role::Good => "filter: 'status_code < 500'",
        Role::Bad => "filter: 'status_code >= 500'",
        Role::Total => "filter: 'service == \"web\"'",
        Role::Threshold => "metric: latency_ms, filter: 'service == \"web\"'",
    };
    format!("write the filter over request events here: `type: slipstream`, `spec: {{{spec}}}`")
}
