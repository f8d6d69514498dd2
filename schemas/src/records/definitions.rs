//! What is in force: definitions, and what is fixed for an installation.

use serde::{Deserialize, Serialize};

/// A record of slo-definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// `SLO` or `Settings`.
    pub kind: String,
    /// Name within the kind.
    pub name: String,
    /// The document: for an SLO a self-contained OpenSLO document (references inlined) as YAML or JSON; for Settings
    /// JSON. Null: deleted.
    pub document: Option<String>,
    /// Who published it.
    pub author: String,
}

/// What is fixed for an installation when its topics are made. Kept as JSON in the Settings definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// W of the redelivery rule, milliseconds.
    pub redelivery_window_ms: i64,
    /// From a revision's log time to its cut, milliseconds: 5,000, or 0 where definitions and events are read in one
    /// order.
    pub cut_delay_ms: i64,
}
