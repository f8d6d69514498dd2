//! What it means: matching, redelivery, ticks, slots, windows, burn rates, budgets, rules as evaluated, alerts.
//!
//! Pure: no tokio, no clock, no randomness, no environment. Time is an argument.
//!
//! ```
//! use slipstream_definitions::definition::{Document, Indicator, Objective, Ratio, Side, Slo, Window};
//! use slipstream_schemas::decode::{Attributes, Provenance, decode};
//! use slipstream_schemas::LogTime;
//! use slipstream_schemas::records::Settings;
//! use slipstream_slo::burn::Burn;
//! use slipstream_slo::redelivery::Memory;
//! use slipstream_slo::revision::Revisions;
//! use slipstream_slo::scale::Scale;
//! use slipstream_slo::tally::Tally;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What is counted, from second 60 of the log's time on.
//! let indicator = Indicator { total: "true".to_owned(), side: Side::Good("status_code < 500".to_owned()) };
//! let slo = Slo {
//!     name: "answers".to_owned(),
//!     display_name: String::new(),
//!     service: "payment".to_owned(),
//!     description: String::new(),
//!     group_by: Vec::new(),
//!     window: Window::Rolling(86_400),
//!     objectives: vec![Objective::new("answered", indicator, Ratio { num: 9, den: 10 })],
//!     composite: None,
//!     labels: Vec::new(),
//!     document: Document::Slo,
//! };
//! let mut revisions = Revisions::new();
//! revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 })?;
//! revisions.apply_slo(1, LogTime(60_000), "answers", Some(slo))?;
//!
//! // Tally: a step over what came in that second. Of a hundred requests one failed, and one came twice.
//! let mut tally = Tally::new(0, 1, 1, 0, LogTime(0), Memory::new(120_000));
//! let mut step = tally.begin::<String>(&revisions, LogTime(i64::MAX));
//! for offset in 0..101 {
//!     let (id, status) = (offset % 100, if offset == 7 { 503 } else { 200 });
//!     let value = format!(
//!         r#"{{"event_id":"e-{id}","time":60000000,"service":"payment","endpoint":"/","method":"GET","status_code":{status}}}"#
//!     );
//!     let from = Provenance { topic: "request-events", partition: 0, offset };
//!     step.push(offset, LogTime(60_250), Ok(&decode(value.as_bytes(), &from, Attributes::Skip)?))?;
//! }
//! let counted = step.finish(None).expect("there were records");
//! assert_eq!((counted.accepted, counted.duplicates), (100, 1));
//! // Nothing more comes before second 62, says the log.
//! let silence = tally.idle::<String>(&revisions, 101, LogTime(62_000), LogTime(i64::MAX), None);
//! let silence = silence.expect("the stamp moved");
//!
//! // Burn: the second counts once it is known to be over.
//! let mut burn = Burn::new(0, 1, 1, Scale::REAL);
//! burn.apply(0, &counted.batches[0].1, &revisions)?;
//! burn.apply(1, &silence.batches[0].1, &revisions)?;
//! let stands = burn.states(&revisions)?;
//! assert_eq!((stands[0].tick, stands[0].sli), (61, Some(0.99)));
//! assert!((stands[0].budget_remaining - 0.9).abs() < 1e-9);
//! # Ok(())
//! # }
//! ```

pub mod alerts;
pub mod budget;
pub mod burn;
pub mod counts;
pub mod hash;
pub mod matcher;
pub mod redelivery;
pub mod revision;
pub mod ring;
pub mod rule;
pub mod scale;
pub mod slices;
pub mod tally;
