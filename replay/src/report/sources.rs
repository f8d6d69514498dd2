//! Where the report comes from, what was missing, and how to repeat it.

use std::cmp::Reverse;

use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::{self, Times};
use super::{Told, facts, words};
use crate::outcome::{Clock, Outcome, SloHistory};

/// Objectives of which it is said how many events were unknown.
const MOST_TOLD: usize = 5;

/// The section.
pub fn write(m: &mut Markup, told: &Told<'_>, times: Times) {
    let outcome = told.outcome;
    m.within("section", &[("aria-labelledby", "sources")], |m| {
        m.leaf("h2", &[("id", "sources")], "Where this comes from");
        m.leaf("p", &[], &in_words(outcome, times));
        undecided(outcome).iter().for_each(|told| m.leaf("p", &[], told));
        if !outcome.parts.is_empty() {
            let rows: Vec<Vec<Cell>> = outcome
                .parts
                .iter()
                .map(|part| {
                    let offsets = [part.from_offset, part.to_offset].map(words::count);
                    let [from, to] = [&part.from, &part.to].map(|text| Cell::Figure(times.at_text(text)));
                    vec![
                        Cell::Name(part.source.clone()),
                        Cell::Figure(part.partition.to_string()),
                        Cell::Figure(offsets.join(" to ")),
                        from,
                        to,
                    ]
                })
                .collect();
            tables::write(
                m,
                "What was read (log time, UTC)",
                &["Source", "#Partition", "#Offsets", "#From", "#To"],
                &rows,
            );
        }
        missing(m, outcome, times);
        m.leaf("h3", &[], "How to repeat it");
        m.within("pre", &[], |m| m.leaf("code", &[], told.command));
    });
}

fn in_words(outcome: &Outcome, times: Times) -> String {
    let number = |count: u64| words::count(i64::try_from(count).unwrap_or(i64::MAX));
    let order = match outcome.clock {
        Clock::Log => "in the order in which the log took them",
        Clock::Event => "in the order in which they happened",
    };
    let is_before = times::parse(&outcome.warm_up_from) < times::parse(&outcome.from);
    let why = if is_before {
        "to fill windows before the range began"
    } else {
        "with the range: windows filled from there on"
    };
    format!(
        "Every number is counted anew from single requests, {order}, by steps of {}. {} in the range counted; {} and {} did not. \
         Reading began at {}, {why}.",
        words::span(outcome.step_seconds),
        words::plural(i64::try_from(outcome.events).unwrap_or(i64::MAX), "event"),
        match outcome.duplicates {
            1 => "1 copy".to_owned(),
            copies => format!("{} copies", number(copies)),
        },
        match outcome.invalid {
            1 => "1 invalid record".to_owned(),
            invalid => format!("{} invalid records", number(invalid)),
        },
        times.at_text(&outcome.warm_up_from),
    )
}

/// Events that count neither way, in a sentence.
fn undecided(outcome: &Outcome) -> Option<String> {
    let mut of: Vec<&SloHistory> = outcome.slos.iter().filter(|slo| slo.range.unknown > 0).collect();
    of.sort_by_key(|slo| Reverse(slo.range.unknown));
    let named = |slo: &&SloHistory| {
        let status = &slo.status;
        let name = facts::name(outcome, &status.name, &status.objective, status.group.as_ref());
        format!("{} of {name}", words::plural(slo.range.unknown, "event"))
    };
    let mut told: Vec<String> = of.iter().take(MOST_TOLD).map(named).collect();
    let more = of.len().saturating_sub(MOST_TOLD);
    told.extend((more > 0).then(|| format!("some of {more} more")));
    let told = (!told.is_empty()).then(|| words::list(&told))?;
    Some(format!("A filter could not be decided for {told}: these are unknown, neither good nor bad."))
}

fn missing(m: &mut Markup, outcome: &Outcome, times: Times) {
    if outcome.missing.is_empty() {
        m.leaf("p", &[], "No part of the history was missing.");
        return;
    }
    let row = |missing: &crate::outcome::Missing| {
        let [from, to] = [&missing.from, &missing.to].map(|text| Cell::Figure(times.at_text(text)));
        vec![Cell::Figure(missing.partition.to_string()), from, to, Cell::Text(missing.reason.clone())]
    };
    let rows: Vec<Vec<Cell>> = outcome.missing.iter().map(row).collect();
    tables::write(m, "What was missing (log time, UTC)", &["Partition", "#From", "#To", "Why"], &rows);
}
