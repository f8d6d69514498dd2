//! The incident report of a made-up outcome: what it says, what it draws, and that nothing in it is markup but its own.

mod charts;
mod made_up;
mod page;
mod sentences;
mod xml;

use slipstream_replay::outcome::Outcome;
use slipstream_replay::report::{self, Told};
use xml::Element;

/// What is told of an outcome.
fn told(outcome: &Outcome) -> Told<'_> {
    Told {
        title: "Incident report: checkout-availability",
        outcome,
        what_if: None,
        focus: None,
        generated_by: "slipstream 0.1.0",
        command: "slipstream replay --alert a1b2c3d4e5f60718 --around 30m --report incident.html",
    }
}

/// The report, parsed.
fn page(told: &Told<'_>) -> Element {
    xml::parse(&report::html(told))
}
