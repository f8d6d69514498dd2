//! Ports for services and processes that have to be at an address that is known before they start, or again later.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rand::RngExt;

/// Ports that this process was given: whoever has one may not listen on it yet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A free loopback port that nobody in this process was given before, below the range that the system uses for outgoing
/// connections: a client that connects to a stopped service would otherwise sooner or later get the service's own port,
/// and even connect to itself.
///
/// # Errors
/// When none is found.
pub fn free() -> Result<u16> {
    let mut random = rand::rng();
    let candidates = std::iter::repeat_with(|| random.random_range(12_000..32_000)).take(200);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok() && given.insert(*port));
    free.next().context("no free port between 12000 and 32000")
}
