//! Unit tests of definitions: given traffic, expect SLIs, budgets, conditions and alerts at times.
//!
//! A test file is YAML. It is called `NAME.test.yaml` and is kept beside the definitions that it tests:
//!
//! ```yaml
//! definitions: [availability.yaml]      # default: all definitions in the file's own directory
//! start: 2026-01-05T00:00:00Z           # default; of the whole file or of one test
//! tests:
//!   - name: an outage of payment pages within a minute
//!     given:
//!       traffic:
//!         - 100/s POST /pay service shop for 4d1h
//!         - 100 % 503 on /pay from 4d to 4d10m
//!       events:
//!         - at: 1h
//!           endpoint: /refund
//!           status_code: 500
//!           count: 3
//!           every: 10s
//!     expect:
//!       - at: 4d
//!         slo: availability
//!         sli: above 99.99 %
//!         burn: {1h: 0 ± 0.1}
//!       - at: 4d5m
//!         slo: availability
//!         budget_remaining: 13.3 % ± 0.1 %
//!         conditions: {1h/5m: true, 6h/30m: true}
//!     alerts:
//!       - at: 4d52s ± 1s
//!         slo: availability
//!         is: firing
//!         severity: page
//!       - {at: 4d30m to 4d50m, is: severity, severity: ticket}
//! ```
//!
//! # Times
//! Durations are numbers with `s`, `m`, `h`, `d` or `w`, in any combination: `90s`, `1h30m`, `2d`. A time is a duration
//! since the test's start, or a timestamp such as `2026-02-01T00:00:00+01:00`. `at: 10m` is what is known when ten minutes
//! have passed: windows end there. An alert's time is the end of the second whose evaluation changed it. Times are log
//! times; no clock is read.
//!
//! A test lasts until the last time that it names, or as long as `lasts: 3h` says; at most 400 days.
//!
//! # Traffic
//! A list of lines (or one text, with lines separated by `;` or line ends). A line is a **flow** or a **change**.
//!
//! A flow makes requests: `RATE [REQUEST] [from TIME] [to TIME | for DURATION]`. The rate is a number per `s`, `m`, `h`
//! or `d`: `100/s`, `1.5/m`. A flow without `from` begins with the test, one without `to` or `for` lasts to its end.
//!
//! A change alters a share of the requests that the lines above it make: `SHARE % EFFECT [on REQUEST] [from TIME]
//! [to TIME | for DURATION]`. The effect is what the requests become, written like a request (`500`, `latency 2s`,
//! `attributes.outcome=declined`), or `late by 10m` (they happen then, but the log gets them later), or `lost` (they never
//! arrive). `silence [on REQUEST] ...` is `100 % lost`. `on` selects requests; without it all. If no line names the endpoint
//! in `on`, that share of the requests without an endpoint goes there. A later change sees the result of an earlier one.
//!
//! A request is any of
//!
//! | written | short | default |
//! |---|---|---|
//! | `service NAME` | | the service of the SLOs, where it is one |
//! | `endpoint NAME` | `/path` | `/` |
//! | `method NAME` | `GET`, `POST`, ... | `GET` |
//! | `status NUMBER` | `503` | `200` |
//! | `latency 80ms` (`2s`, `none`) | | `50ms` |
//! | `environment NAME` | | empty |
//! | `attributes.KEY=VALUE` | | none |
//!
//! There is no randomness. At a rate r, floor(r x seconds) requests have been made after that many seconds; of the first
//! N requests that a change meets, floor(share x N) are changed. Equal requests of one second are one event with their
//! number as weight.
//!
//! # Events
//! Single events by the schema's names: `at` (when it happened), `service`, `environment`, `endpoint`, `method`,
//! `status_code`, `latency_ms` (a number or `none`), `weight`, `attributes`, `event_id`. `count` makes several, `every` so
//! often or `spread` evenly over a duration (otherwise all at once); `late` delays them. With an `event_id` they all share
//! it, so all but the first are redeliveries. Defaults as in traffic.
//!
//! # Expectations
//! Each has `at`. `slo`, `objective` and `group` (a map from label to value) say what it is about, and may be left out if
//! there is only one. If no objective of a composite SLO is named, it is `composite`.
//!
//! | field | what |
//! |---|---|
//! | `sli` | good / total over the budget's window; `none` without traffic |
//! | `good`, `bad`, `total` | over the budget's window: events, or seconds with slices |
//! | `unknown`, `too_late` | events since the definition was published |
//! | `budget_total`, `budget_spent`, `budget_left` | events, or a duration with slices |
//! | `budget_remaining` | share that is left; negative when overspent |
//! | `exhausted_in` | a duration: when the budget will be spent at the current rate; `none` if it is not being spent |
//! | `burn` | a map from window (`5m`, or `budget`) to burn rate |
//! | `conditions` | a map from rule to `true` (it holds) or `false` |
//! | `alert` | `none`, `pending`, `firing` or `keeping`: the worst of the series' alerts |
//!
//! A number matches if it is equal at the digits written: `0.99` matches from 0.985 to 0.995, `12` matches exactly 12 of
//! what is counted. Otherwise: `14.4 ± 0.1` (or `+-`, or `within`), `14.4 ± 1 %` (of the number; of a percentage, points),
//! `above 1`, `at least 1`, `below 1`, `at most 1` (or `>`, `>=`, `<`, `<=`, in quotes), `10 to 12`. Shares are numbers or
//! percentages.
//!
//! # Alerts
//! `alerts` is a timeline: `at` (a time, `10m ± 30s`, or `10m to 11m`), `is` (`pending`, `inactive`, `firing`, `severity`,
//! `keeping`, `resumed`, `resolved`), and `slo`, `objective`, `group`, `rule`, `severity` where they matter. Each entry needs a
//! transition of its own; `is: firing` with a severity also matches the `severity` by which a firing alert gets it. A
//! `firing`, `severity` or `resolved` without an entry is a failure; other transitions are details. `alerts: none` expects
//! that nothing is ever sent. Without `alerts` they are not checked.
//!
//! # How it runs
//! The real folds run: tally with redelivery and matcher, burn, alert machines, over one partition. Where nothing can be
//! bad for as long as any rule looks back, requests are fed in lumps of whole slots that no ring can distinguish any more
//! by the time anything is looked at (`steady`); this changes no result. A test that needs more work than [`MAX_WORK`] is
//! stopped and says so.

mod alerts;
mod around;
mod bind;
mod compare;
mod event;
mod expect;
mod file;
mod plan;
mod run;
mod single;
mod sketch;
mod span;
mod steady;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

pub use self::around::Around;
use self::bind::Bound;
use self::run::{Seen, Stopped, Watch};
use slipstream_definitions::definition::Slo;
use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::document::report::Report;
use slipstream_definitions::openslo::load;

/// Most work of a test: about one for a kind of request in a second and each objective, and for a second.
pub const MAX_WORK: u64 = 200_000_000;

/// What the names of test files end with.
pub const SUFFIXES: [&str; 2] = [".test.yaml", ".test.yml"];

/// Which definitions a test file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All in its own directory.
    Beside,
    /// A file or directory, relative to its own directory.
    Path(&'a str),
}

/// The tests of a file.
pub struct Suite {
    /// The file's path.
    pub file: String,
    /// In the order of the file.
    pub tests: Vec<Test>,
}

/// A test that can run.
pub struct Test {
    slos: Arc<[Slo]>,
    bound: Bound,
}

/// How a test went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What was not as expected, by place; empty if it passed.
    pub failures: Vec<Failure>,
    /// Log time that was played, seconds.
    pub seconds: i64,
    /// Events that were fed.
    pub events: u64,
}

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Line of the expectation, from 1; or of the test, if something came that was not expected.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// SLO, objective and group; empty where the test as a whole is meant.
    pub series: String,
    /// What was looked at: `sli`, `burn 1h`, `alert`.
    pub what: String,
    /// When, since the start of the test, such as `1h30m`.
    pub at: String,
    /// What was expected, as written.
    pub expected: String,
    /// What there was.
    pub got: String,
    /// The minute around it.
    pub around: Option<Around>,
}

/// Reads a test file and the definitions that it names. `find` returns their files, or why it cannot.
///
/// # Errors
/// Everything that is wrong with the file, or with the definitions.
pub fn read(
    source: &SourceFile,
    find: &mut dyn FnMut(Wanted<'_>) -> Result<Vec<SourceFile>, String>,
) -> Result<Suite, Vec<Diagnostic>> {
    let mut report = Report::new(std::slice::from_ref(source));
    let Some(draft) = file::read(source, &mut report) else { return Err(report.into_diagnostics()) };
    let mut files = Vec::new();
    let wanted = draft.definitions.as_ref().map(|paths| paths.iter().map(|(path, at)| (Wanted::Path(path), *at)));
    let beside = || vec![(Wanted::Beside, slipstream_definitions::document::report::Place::start(0))];
    for (wanted, place) in wanted.map_or_else(beside, Iterator::collect) {
        match find(wanted) {
            Ok(found) => files.extend(found),
            Err(message) => report.error(place, "unreadable-definitions", message, None),
        }
    }
    let unread = report.errors() > 0 && files.is_empty();
    let loaded = load(&files);
    if !loaded.is_valid() {
        let mut found = report.into_diagnostics();
        found.extend(loaded.diagnostics.into_iter().filter(Diagnostic::is_error));
        return Err(found);
    }
    if unread {
        return Err(report.into_diagnostics());
    }
    let slos: Arc<[Slo]> = loaded.slos.into();
    let bound = draft.tests.into_iter().filter_map(|draft| bind::bind(&mut report, draft, &slos));
    let tests = bound.map(|bound| Test { slos: Arc::clone(&slos), bound }).collect::<Vec<_>>();
    let errors = report.errors();
    let found = report.into_diagnostics();
    if errors > 0 { Err(found) } else { Ok(Suite { file: source.path.clone(), tests }) }
}

impl Test {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.bound.name
    }

    /// Line of its name, from 1.
    pub fn line(&self) -> usize {
        self.bound.place.line
    }

    /// Plays it.
    pub fn run(&self) -> Outcome {
        self.run_within(MAX_WORK)
    }

    /// Plays it with at most so much work.
    pub fn run_within(&self, most_work: u64) -> Outcome {
        let plan = &self.bound.plan;
        let looks: BTreeSet<i64> = self.bound.expectations.iter().map(|entry| entry.at.max(1)).collect();
        let seen = match run::run(plan, &self.slos, &Watch { looks, arrivals: 0 }, most_work) {
            Ok(seen) => seen,
            Err(stopped) => return self.stopped(&stopped, most_work),
        };
        let found = self.compare(&seen);
        let failures = around::add(found, self, most_work);
        Outcome { failures, seconds: plan.end, events: seen.events }
    }

    fn stopped(&self, stopped: &Stopped, most_work: u64) -> Outcome {
        let (expected, got) = match stopped {
            Stopped::TooMuchWork => (
                format!("at most {most_work} steps of work"),
                "more: make the test shorter, its requests less diverse, or split it".to_owned(),
            ),
            Stopped::Fold(fault) => ("the folds to run".to_owned(), fault.clone()),
        };
        let place = self.bound.place;
        let failure = Failure {
            line: place.line,
            column: place.column,
            series: String::new(),
            what: "run".to_owned(),
            at: span::format(self.bound.plan.end),
            expected,
            got,
            around: None,
        };
        Outcome { failures: vec![failure], seconds: self.bound.plan.end, events: 0 }
    }

    /// What is not as expected.
    fn compare(&self, seen: &Seen) -> Vec<compare::Found> {
        let mut found = compare::expectations(&self.bound, seen);
        found.extend(compare::alerts(&self.bound, seen));
        found.sort_by_key(|found| (found.place.line, found.place.column));
        found
    }
}
