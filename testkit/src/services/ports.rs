//! Ports for services and processes that have to be at an address that is known before they start, or again later.

use std::net::TcpListener;

use anyhow::{Context, Result};
use rand::RngExt;

/// A free loopback port, below the range that the system uses for outgoing connections: a
/// client that connects to a stopped service would otherwise sooner or later get the service's own port, and even
/// connect to itself.
///
/// # Errors
/// When none is found.
pub fn free() -> Result<u16> {
    let mut random = rand::rng();
    let candidates = std::iter::repeat_with(|| random.random_range(12_000..32_000)).take(200);
    let mut free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().context("no free port between 12000 and 32000")
}
