//! The events of the embedded log as JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use slipstream_schemas::codec;
use slipstream_schemas::event::RequestEvent;

use super::embedded::SEED;
use crate::kafka::traffic::{Traffic, now};

/// Writes as many events as the log has, `rate` a second.
///
/// # Errors
/// When they cannot be written.
pub fn write(path: &Path, (events, rate): (u64, u64)) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).context("creating a file of events")?);
    let (mut traffic, begin) = (Traffic::new(SEED), now());
    for n in 0..events {
        let (_, value) = traffic.next(begin + (n * 1_000_000 / rate) as i64);
        let event: RequestEvent = codec::decode(value).context("encoding an event")?;
        serde_json::to_writer(&mut out, &event).context("writing an event")?;
        out.write_all(b"\n").context("writing an event")?;
    }
    out.flush().context("writing events")
}
