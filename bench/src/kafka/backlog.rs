//! Flow control: the peak memory of processes that find all of `--events` waiting for them.

use anyhow::Result;

use super::fill::fill;
use super::options::Options;
use super::place::Place;
use super::speed::shown;
use super::{slos, tally};
use crate::table::Row;

const PARTITIONS: u32 = 8;
const GOAL: &str = "512 MiB";

/// A tally alone, then, on another topic, a process with all computing roles.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    ["tally", "tally,burn,alerter"].into_iter().map(|roles| behind(options, roles)).collect()
}

fn behind(options: &Options, roles: &str) -> Result<Row> {
    let name = format!("backlog-{}", roles.len());
    let place = Place::new(&options.brokers, &options.program()?, &name, PARTITIONS)?;
    place.define(&slos::documents(0))?;
    fill(&place, options.events)?;
    let measured = tally::measure(&place, roles)?;
    place.remove()?;
    let what = format!("{roles} in one process, {:.1} M events behind: peak memory", options.events as f64 / 1e6);
    let figure = format!("{} MiB; {}", measured.usage.peak >> 20, shown(&measured));
    Ok(Row::new(what, figure, GOAL))
}
