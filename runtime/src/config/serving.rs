//! What all servers for clients share: their certificate, and how often a client may ask.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::problem::Place;
use super::section::{Problems, Section, complain, path, plain};

/// Certificate and key of the servers for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// File with the certificate and those that lead to a root that clients know (PEM).
    pub certificate: PathBuf,
    /// File with its private key (PEM).
    pub key: PathBuf,
    /// Where the certificate was named, for mistakes that are found in the files.
    pub place: Place,
}

/// Requests a second of each client, by the scope that they need; for a moment twice as many. `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Events and markers.
    pub ingest: Option<NonZeroU32>,
    /// Questions.
    pub read: Option<NonZeroU32>,
    /// Changes.
    pub operate: Option<NonZeroU32>,
}

impl Default for RateLimits {
    fn default() -> Self {
        RateLimits { ingest: None, read: NonZeroU32::new(1_000), operate: NonZeroU32::new(20) }
    }
}

/// Both files, or neither.
pub(super) fn tls(section: Section<'_>, problems: &Problems) -> Option<Tls> {
    const FILE: &str = "the path of a file (PEM)";
    let file = |key: &'static str| {
        let node = section.get(key)?;
        Some((section.value(key, FILE, plain).map(|file| path(&node.place, &file)), node.place.clone()))
    };
    let lacks = |there: &str, place: &Place, missing: &str| {
        let message = format!("`tls.{there}` is set, and `tls.{missing}` is not; set both, or neither");
        complain(problems, place, message);
    };
    let (certificate, key) = (file("certificate"), file("key"));
    match (&certificate, &key) {
        (Some((Some(_), place)), None) => lacks("certificate", place, "key"),
        (None, Some((Some(_), place))) => lacks("key", place, "certificate"),
        _ => {}
    }
    section.finish();
    let ((certificate, place), (key, _)) = certificate.zip(key)?;
    Some(Tls { certificate: certificate?, key: key?, place })
}

pub(super) fn rate_limits(section: Section<'_>) -> RateLimits {
    const RATE: &str = "a whole number of requests a second from 1 to 1000000, or `none`";
    const MOST: u32 = 1_000_000;
    let default = RateLimits::default();
    let rate = |key, default| {
        let read = |text: &str| match text {
            "none" => Some(None),
            text => text.replace('_', "").parse().ok().filter(|n: &NonZeroU32| n.get() <= MOST).map(Some),
        };
        section.value(key, RATE, read).unwrap_or(default)
    };
    let limits = RateLimits {
        ingest: rate("ingest", default.ingest),
        read: rate("read", default.read),
        operate: rate("operate", default.operate),
    };
    section.finish();
    limits
}
