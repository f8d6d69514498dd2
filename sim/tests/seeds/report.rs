//! The report on many worlds: progress, the story of one that fails, and a summary line.

use std::collections::BTreeMap;
use std::io::Write;

use slipstream_sim::{BEGIN, Played, WorldSummary};

/// Lines of the trace that a failure shows.
const STORY: usize = 40;
/// A line of progress after so many worlds.
const PROGRESS: u64 = 50;

/// Worlds that have episodes enough for a share of them to mean something.
const ENOUGH: u64 = 50;

/// Worlds in which each rule holds somewhere.
const MANY: u64 = 150;

/// The rules of the worlds: one of each kind at least.
const RULES: [&str; 8] =
    ["page", "ticket", "of-a/errors", "of-a/breach", "of-a/little", "of-a/soon", "d/silent", "d/errors"];

/// What was played so far.
pub struct Report {
    seeds: u64,
    played: u64,
    lines: usize,
    all: WorldSummary,
    worlds_complete: u64,
    faults: BTreeMap<&'static str, u64>,
    failed: Vec<u64>,
}

impl Report {
    pub fn of(seeds: u64) -> Report {
        let (all, faults, failed) = (WorldSummary::default(), BTreeMap::new(), Vec::new());
        Report { seeds, played: 0, lines: 0, all, worlds_complete: 0, faults, failed }
    }

    pub fn take(&mut self, seed: u64, played: &Played) {
        self.played += 1;
        self.lines += played.trace.lines().len();
        for (kind, count) in played.trace.faults() {
            *self.faults.entry(*kind).or_default() += count;
        }
        match &played.told {
            Ok(told) => {
                self.all.add(told);
                self.worlds_complete += u64::from(told.ticks.1 == 0);
            }
            Err(error) => {
                self.failed.push(seed);
                let error = format!("{error:#}");
                println!("\nseed {seed}: {error}\n\nwhat happened around it (milliseconds, who, what):");
                println!("{}\nto reproduce: make sim SEED={seed} TRACE=FILE\n", story(played.trace.lines(), &error));
            }
        }
        if self.played.is_multiple_of(PROGRESS) && self.played < self.seeds {
            println!("{} of {} worlds, {} failed", self.played, self.seeds, self.failed.len());
        }
    }

    /// The closing line; a test that failed ends here.
    pub fn close(mut self) {
        let WorldSummary { events, undercut, ticks, rates, transitions, held, deliveries, fates, replayed } = &self.all;
        let faults: Vec<String> = self.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let rules = held.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ");
        let fate = |((outcome, reason), count): (&(&str, &str), &usize)| match *reason {
            "none" => format!("{outcome} {count}"),
            reason => format!("{outcome} {reason} {count}"),
        };
        let fates = fates.iter().map(fate).collect::<Vec<_>>().join(", ");
        // Bypasses the output capture of passing tests, so that `make test` prints the summary as well.
        let told = writeln!(
            std::io::stdout(),
            "simulation: {} worlds, {} events accepted ({} redelivered, {} dead letters, {undercut} below a horizon), \
             {} faults ({}), {} of {} ticks complete ({} worlds wholly), {} of {} burn rates recounted, {transitions} \
             transitions (held: {rules}), {deliveries} deliveries, notes ({fates}), {replayed}, {} lines of trace; {} failed",
            self.played,
            events.0,
            events.1,
            events.2,
            self.faults.values().sum::<u64>(),
            faults.join(", "),
            ticks.0.saturating_sub(ticks.1),
            ticks.0,
            self.worlds_complete,
            rates.0,
            rates.1,
            self.lines,
            self.failed.len()
        );
        assert!(told.is_ok(), "standard output is closed");
        let enough = replayed.same >= replayed.exempted() || self.seeds < ENOUGH;
        assert!(enough, "R1: at least half of the episodes are to be compared: {replayed}");
        let silent = RULES.iter().find(|rule| !held.contains_key(**rule)).filter(|_| self.seeds >= MANY);
        assert!(silent.is_none(), "the rule {silent:?} has never held");
        self.failed.sort_unstable();
        assert!(
            self.failed.is_empty(),
            "failing seeds: {:?}; to reproduce one: make sim SEED={}",
            self.failed,
            self.failed[0]
        );
    }
}

/// The lines of the trace around the time that an error names, else the last ones.
fn story(lines: &[String], error: &str) -> String {
    let at = moment(error);
    let time = |line: &String| line.split_whitespace().next().and_then(|text| text.parse::<i64>().ok());
    let end = match at {
        Some(at) => lines.iter().position(|line| time(line) > Some(at + 2_500)).unwrap_or(lines.len()),
        None => lines.len(),
    };
    lines[end.saturating_sub(STORY)..end].join("\n")
}

/// The last log time or tick in a text, as milliseconds since the world began.
fn moment(text: &str) -> Option<i64> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<i64>().ok());
    let since = |number: i64| match number {
        n if (BEGIN..BEGIN + 10_000_000).contains(&n) => Some(n - BEGIN),
        n if (BEGIN / 1_000..BEGIN / 1_000 + 10_000).contains(&n) => Some(n * 1_000 - BEGIN),
        _ => None,
    };
    numbers.filter_map(since).max()
}
