//! What was done to services, or befell them.

use serde::Serialize;
use slipstream_schemas::records;
use utoipa::ToSchema;

use super::{Example, at};

/// What a marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
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

/// A deploy, a change of configuration, an incident or a note.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Marker {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: MarkerKind,
    /// The service; empty: every service.
    pub service: String,
    /// The environment; empty: every environment.
    pub environment: String,
    /// When it happened or began.
    pub time: String,
    /// When an incident ended; null: it goes on, or the marker is a moment.
    pub until: Option<String>,
    /// What was deployed.
    pub version: Option<String>,
    /// What there is to say, for people.
    pub text: String,
    /// Where to read more.
    pub link: Option<String>,
    /// Who recorded it.
    pub author: String,
}

impl From<records::Marker> for Marker {
    fn from(marker: records::Marker) -> Self {
        let kind = match marker.kind {
            records::MarkerKind::Deploy => MarkerKind::Deploy,
            records::MarkerKind::Config => MarkerKind::Config,
            records::MarkerKind::Incident => MarkerKind::Incident,
            records::MarkerKind::Note => MarkerKind::Note,
        };
        Marker {
            id: marker.id,
            kind,
            service: marker.service,
            environment: marker.environment,
            time: marker.time.rfc3339(),
            until: marker.until.map(|until| until.rfc3339()),
            version: marker.version,
            text: marker.text,
            link: marker.link,
            author: marker.author,
        }
    }
}

/// Markers, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Markers {
    /// The markers; of more than were asked for, the newest.
    pub markers: Vec<Marker>,
    /// How many there are in all.
    pub markers_total: usize,
}

impl Example for Markers {
    fn example() -> Self {
        let marker = Marker {
            id: "0193b6a0-51aa-7c1f-b2fd-0f9a4c8e7d21".to_owned(),
            kind: MarkerKind::Deploy,
            service: "payment".to_owned(),
            environment: "prod".to_owned(),
            time: at("09:28:00.000000"),
            until: None,
            version: Some("2.14.0".to_owned()),
            text: "New card provider".to_owned(),
            link: Some("https://ci.example.org/payment/2.14.0".to_owned()),
            author: "ana".to_owned(),
        };
        Markers { markers: vec![marker], markers_total: 1 }
    }
}
