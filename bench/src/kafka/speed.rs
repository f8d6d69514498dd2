//! Raw consumer, raw consumer with our decode, tally end to end, Kafka Streams: on one topic, one after the other.

use anyhow::Result;

use super::fill::fill;
use super::measured::Measured;
use super::options::Options;
use super::place::Place;
use super::raw::RawConsumer;
use super::{raw, slos, streams, tally};
use crate::table::Row;

const PARTITIONS: u32 = 8;
/// What tally is to reach of Kafka Streams, by variant.
const GOALS: [&str; 2] = ["2", "1.5"];

/// One run: each of them once.
struct Run {
    plain: Measured,
    decoded: Measured,
    batches: Measured,
    tally: Measured,
    peers: Vec<Measured>,
}

/// The topic of `--events`, 40 SLOs, redelivery on.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let place = Place::new(&options.brokers, &options.program()?, "speed", PARTITIONS)?;
    place.define(&slos::documents(0))?;
    let filled = fill(&place, options.events)?;
    let runs: Vec<Run> = (0..options.runs.max(1)).map(|_| run(&place, options)).collect::<Result<_>>()?;
    place.remove()?;
    let [plain, decoded, batches, tally] =
        [|run: &Run| run.plain, |run: &Run| run.decoded, |run: &Run| run.batches, |run: &Run| run.tally]
            .map(|of| middle(runs.iter().map(of)));
    let [bytes, sent] = [filled.bytes, filled.sent].map(|bytes| bytes as f64 / filled.events as f64);
    let what = format!("{:.1} M events of {bytes:.0} B, {PARTITIONS} partitions", filled.events as f64 / 1e6);
    let mut rows = vec![
        Row::new(
            what,
            format!(
                "written at {}, {sent:.0} B per event on the wire and in Kafka",
                millions(filled.events as f64 / filled.took.as_secs_f64())
            ),
            "",
        ),
        Row::new("raw consumer, polled, no decode", shown(&plain), ""),
        against("raw consumer, polled, our decode", "", &decoded, ("no decode", plain.flow_rate())),
        against("our log, in batches, our decode", "", &batches, ("raw consumer, our decode", decoded.flow_rate())),
        against(
            &format!("tally, {} SLOs, redelivery on", slos::MATCHING),
            "0.7",
            &tally,
            ("raw consumer, our decode", decoded.flow_rate()),
        ),
    ];
    for (n, (_, name)) in streams::VARIANTS.iter().enumerate().filter(|_| options.streams.is_some()) {
        let peer = middle(runs.iter().map(|run| run.peers[n]));
        rows.push(Row::new(format!("Kafka Streams, {name}, same job without redelivery"), shown(&peer), ""));
        let warm = (&*format!("Kafka Streams, {name}, warm half"), peer.warm_rate());
        rows.push(against(&format!("tally against {name}"), GOALS[n], &tally, warm));
        let memory = tally.usage.peak as f64 / peer.usage.peak as f64;
        let figure = format!("{} MiB", tally.usage.peak >> 20);
        let reference = format!("{} MiB", peer.usage.peak >> 20);
        rows.push(Row::new(format!("tally against {name}: peak memory"), figure, "0.1").against(reference, memory));
        let cpu = (tally.cpu(), peer.cpu());
        let row = Row::new(format!("tally against {name}: CPU s/M"), format!("{:.2}", cpu.0), "");
        rows.push(row.against(format!("{:.2}", cpu.1), cpu.0 / cpu.1));
    }
    Ok(rows)
}

fn run(place: &Place, options: &Options) -> Result<Run> {
    let plain = raw::measure(place, RawConsumer::Polled)?;
    let decoded = raw::measure(place, RawConsumer::Decoded)?;
    let batches = raw::measure(place, RawConsumer::Ours)?;
    let tally = tally::measure(place, "tally")?;
    let peer = |built| streams::VARIANTS.iter().map(|(variant, _)| streams::measure(place, built, variant)).collect();
    let peers = options.streams.as_deref().map_or_else(|| Ok(Vec::new()), peer)?;
    Ok(Run { plain, decoded, batches, tally, peers })
}

fn against(what: &str, goal: &'static str, measured: &Measured, (name, rate): (&str, f64)) -> Row {
    Row::new(what, shown(measured), goal).against(format!("{name}: {}", millions(rate)), measured.flow_rate() / rate)
}

/// The run with the middle rate.
pub fn middle(runs: impl Iterator<Item = Measured>) -> Measured {
    let mut runs: Vec<Measured> = runs.collect();
    runs.sort_by(|a, b| a.flow_rate().total_cmp(&b.flow_rate()));
    runs[runs.len() / 2]
}

/// Rates, CPU and memory in one cell.
pub fn shown(measured: &Measured) -> String {
    let rates = [measured.flow_rate(), measured.warm_rate(), measured.rate()].map(millions);
    let memory = measured.usage.peak >> 20;
    format!(
        "{} (warm half {}, with its start {}), {:.2} CPU s/M, {memory} MiB",
        rates[0],
        rates[1],
        rates[2],
        measured.cpu()
    )
}

/// A rate in millions a second.
pub fn millions(rate: f64) -> String {
    format!("{:.2} M/s", rate / 1e6)
}
