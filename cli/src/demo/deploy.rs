//! The deploy that the demo's fault is blamed on.

use slipstream_producer::marking::new_id;
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Marker, MarkerKind};

use crate::figures;

/// So long before the fault, microseconds.
const BEFORE: i64 = 120_000_000;

/// The marker of a deploy two minutes before a fault.
pub fn marker(fault: EventTime) -> Marker {
    Marker {
        id: new_id(),
        kind: MarkerKind::Deploy,
        service: "payment".to_owned(),
        environment: "demo".to_owned(),
        time: EventTime(fault.0 - BEFORE),
        until: None,
        version: Some("2.14.0".to_owned()),
        text: "new client for the card network".to_owned(),
        link: None,
        author: "demo".to_owned(),
    }
}

/// What the screen says of it.
pub fn line(marker: &Marker) -> String {
    let version = marker.version.as_deref().unwrap_or_default();
    format!(
        "DEPLOY payment {version} went into service at {} (a marker: slipstream mark)",
        figures::moment(marker.time)
    )
}
