//! How tally's cost per event changes with partitions, and with definitions that do not match.

use anyhow::Result;

use super::fill::fill;
use super::measured::Measured;
use super::options::Options;
use super::place::Place;
use super::speed::{middle, millions};
use super::{slos, tally};
use crate::table::Row;

const PARTITIONS: [u32; 4] = [1, 2, 4, 8];
const OTHERS: [usize; 4] = [1, 10, 100, 1_000];
/// Partitions when definitions are varied.
const FIXED: u32 = 4;

/// A sixth of `--events` on topics of 1 to 8 partitions.
pub fn partitions(options: &Options) -> Result<Vec<Row>> {
    let measure = |n| Ok((format!("tally, {n} partition(s)"), tallied(options, n, 0)?));
    series(PARTITIONS.into_iter().map(measure), "flat")
}

/// A sixth of `--events`, the 40 definitions that match and 1 to 1,000 that do not.
pub fn definitions(options: &Options) -> Result<Vec<Row>> {
    let matching = slos::MATCHING;
    let measure = |n| Ok((format!("tally, {matching} SLOs and {n} that match nothing"), tallied(options, FIXED, n)?));
    series(OTHERS.into_iter().map(measure), "2")
}

fn tallied(options: &Options, partitions: u32, others: usize) -> Result<Measured> {
    let place = Place::new(&options.brokers, &options.program()?, &format!("scale-{partitions}-{others}"), partitions)?;
    place.define(&slos::documents(others))?;
    fill(&place, options.fewer())?;
    let runs = (0..options.runs.max(1)).map(|_| tally::measure(&place, "tally")).collect::<Result<Vec<_>>>()?;
    place.remove()?;
    Ok(middle(runs.into_iter()))
}

/// Rows of CPU seconds a million events, without the start, against the first of them.
fn series(measured: impl Iterator<Item = Result<(String, Measured)>>, goal: &'static str) -> Result<Vec<Row>> {
    let mut first: Option<(String, f64)> = None;
    let row = |measured: Result<(String, Measured)>| {
        let (what, measured) = measured?;
        let cpu = measured.cpu_after_start();
        let row = Row::new(&*what, format!("{cpu:.2} CPU s/M ({})", millions(measured.flow_rate())), goal);
        let (name, least) = first.get_or_insert((what, cpu));
        Ok(row.against(format!("{name}: {least:.2} CPU s/M"), cpu / *least))
    };
    measured.map(row).collect()
}
