//! Tally end to end: the real role as a process, from the earliest offset until all it read is committed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use slipstream_schemas::Topic;

use super::measured::{Measured, Progress};
use super::place::Place;
use super::role::Role;

const WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Counted once a step is committed, so it shows the committed position.
const RECORDS: &str = "slipstream_tally_records_total";
/// All events of the bench are valid and new.
const COVERED: &str = "outcome=\"accepted\"";

/// Tallies request-events from the beginning. `roles`: `tally`, or further roles as well.
///
/// # Errors
/// When the process ends or takes too long.
pub fn measure(place: &Place, roles: &str) -> Result<Measured> {
    let events = place.held(&place.topic(Topic::RequestEvents))?;
    place.forget("tally")?;
    // A tally without a position refuses to sum what was summed before.
    if place.held(&place.topic(Topic::SliTallies))? > 0 {
        place.renew(Topic::SliTallies)?;
    }
    let deadline = Instant::now() + WITHIN;
    let mut progress = Progress::new(events);
    let mut role = Role::start(place, roles, &[])?;
    role.ready(WITHIN)?;
    progress.ready(role.usage()?);
    let mut done = 0;
    while done < events {
        role.runs()?;
        ensure!(Instant::now() < deadline, "tally committed only {done} of {events} events within {WITHIN:?}");
        std::thread::sleep(LOOK_EVERY);
        done = committed(&role).unwrap_or(0);
        progress.at(done);
    }
    let measured = progress.end(role.usage()?);
    role.end()?;
    Ok(measured)
}

/// Records up to the committed position; `None` if the process does not respond yet.
fn committed(role: &Role) -> Option<u64> {
    Some(role.metric(RECORDS, COVERED).ok()? as u64)
}
