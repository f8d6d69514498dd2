//! Markers: what was done to a service, or befell it, and when.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// What a marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkerKind {
    /// A version went into service.
    Deploy,
    /// A change of configuration.
    Config,
    /// Something was broken.
    Incident,
    /// Anything else.
    Note,
}

impl MarkerKind {
    /// Every kind.
    pub const ALL: [MarkerKind; 4] = [MarkerKind::Deploy, MarkerKind::Config, MarkerKind::Incident, MarkerKind::Note];

    /// Its name in JSON and on the command line: `deploy`, `config`, `incident` or `note`.
    pub fn name(self) -> &'static str {
        match self {
            MarkerKind::Deploy => "deploy",
            MarkerKind::Config => "config",
            MarkerKind::Incident => "incident",
            MarkerKind::Note => "note",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<MarkerKind> {
        MarkerKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A deploy, a change of configuration, an incident or a note. Its rules are in [`crate::marker`]. Of several records with one
/// id the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Unique; a UUIDv7 unless its sender gave one.
    pub id: String,
    /// What it is.
    pub kind: MarkerKind,
    /// Service, as in events; empty: every service.
    pub service: String,
    /// Environment, as in events; empty: every environment.
    #[serde(default)]
    pub environment: String,
    /// When it happened or began.
    pub time: EventTime,
    /// When an incident ended; `None`: it goes on, or the marker is a moment.
    #[serde(default)]
    pub until: Option<EventTime>,
    /// What was deployed.
    #[serde(default)]
    pub version: Option<String>,
    /// What there is to say, for people; may have several lines.
    #[serde(default)]
    pub text: String,
    /// Where to read more: http or https.
    #[serde(default)]
    pub link: Option<String>,
    /// Who recorded it; empty: not known.
    #[serde(default)]
    pub author: String,
}

impl Marker {
    /// Where it ends: `until`; for an incident without it, which goes on, never; else the moment that it is.
    pub fn end(&self) -> EventTime {
        match (self.until, self.kind) {
            (Some(until), _) => until,
            (None, MarkerKind::Incident) => EventTime::MAX,
            (None, _) => self.time,
        }
    }

    /// Whether any moment of it is in `[from, to)`.
    pub fn touches(&self, from: EventTime, to: EventTime) -> bool {
        self.time < to && self.end() >= from
    }
}
