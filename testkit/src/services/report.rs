//! Which test used what: one line per use, in a file that the runner reads for its summary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;

/// The variable with the path of the report; without it nothing is written.
pub const REPORT: &str = "SLIPSTREAM_TEST_REPORT";

/// How a test got a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It shared it with others.
    Shared,
    /// A dedicated one.
    Own,
    /// There was none, and the test did without.
    Missing,
}

const USES: [(Use, &str); 3] = [(Use::Shared, "shared"), (Use::Own, "own"), (Use::Missing, "missing")];

/// Notes that the calling test uses a service.
pub(super) fn note(service: &str, how: Use, description: &str) {
    let Some(path) = std::env::var_os(REPORT) else { return };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    let how = USES.iter().find(|(known, _)| *known == how).map_or("?", |(_, word)| word);
    let line = [service, how, &suite(), test, &description.replace(['\t', '\n'], " ")].join("\t") + "\n";
    // One write of a short line: lines of processes that append at the same time do not mix.
    let written =
        OpenOptions::new().create(true).append(true).open(&path).and_then(|mut f| f.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{REPORT}={}: {error}", path.display()));
}

/// The name of the test binary, without the hash that cargo adds, behind the crate it belongs to.
fn suite() -> String {
    let binary = std::env::current_exe().ok();
    let stem = binary.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("?");
    let name = stem.rsplit_once('-').filter(|(_, hash)| hash.len() == 16).map_or(stem, |(name, _)| name);
    match std::env::var("CARGO_PKG_NAME") {
        Ok(package) => format!("{package}/{name}"),
        Err(_) => name.to_owned(),
    }
}

/// What the tests of a run used.
#[derive(Debug, Default)]
pub struct Uses {
    /// By service, way and description: the tests, each with its suite.
    tests: BTreeMap<(String, Use, String), BTreeSet<(String, String)>>,
}

impl Uses {
    /// Reads a report. Other lines are skipped.
    pub fn read(report: &str) -> Uses {
        let mut tests: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in report.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [service, how, suite, test, description] = fields[..] else { continue };
            let Some((how, _)) = USES.iter().find(|(_, word)| *word == how) else { continue };
            let key = (service.to_owned(), *how, description.to_owned());
            tests.entry(key).or_default().insert((suite.to_owned(), test.to_owned()));
        }
        Uses { tests }
    }

    /// Whether no test wanted the service: one that wanted it and did without has said so.
    pub fn unwanted(&self, service: &str) -> bool {
        !self.tests.keys().any(|(name, _, _)| name == service)
    }

    /// How many tests used the service, shared or of their own.
    pub fn count(&self, service: &str) -> usize {
        let used = self.tests.iter().filter(|((name, how, _), _)| name == service && *how != Use::Missing);
        used.flat_map(|(_, tests)| tests).collect::<BTreeSet<_>>().len()
    }

    /// One line for each kind of use of the service. `shared` describes the shared one if its starter
    /// knows more than the tests; `name` is the service's name for people.
    pub fn lines(&self, service: &str, name: &str, shared: Option<&str>) -> Vec<String> {
        let of_it = self.tests.iter().filter(|((used, _, _), _)| used == service);
        let mut by_kind: BTreeMap<(Use, &str), BTreeSet<&(String, String)>> = BTreeMap::new();
        for ((_, how, description), tests) in of_it {
            let description = shared.filter(|_| *how == Use::Shared).unwrap_or(description);
            by_kind.entry((*how, description)).or_default().extend(tests);
        }
        let told = by_kind.iter().map(|((how, description), tests)| match how {
            Use::Shared => format!("{description}: {}", amount(tests)),
            Use::Own => format!("{description}, dedicated to single tests: {}", amount(tests)),
            Use::Missing => format!("{name}: not available, {} did not run against it ({description})", amount(tests)),
        });
        told.collect()
    }
}

fn amount(tests: &BTreeSet<&(String, String)>) -> String {
    let suites: BTreeSet<&str> = tests.iter().map(|(suite, _)| suite.as_str()).collect();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("{} in {}", plural(tests.len(), "test"), plural(suites.len(), "suite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_list_counts_each_test_once() {
        let report = "kafka\tshared\tlog/kafka\ta\tat 127.0.0.1:1\n\
                      kafka\tshared\tlog/kafka\ta\tat 127.0.0.1:1\n\
                      kafka\tshared\tcli/roles\ta\tat 127.0.0.1:1\n\
                      kafka\town\tcli/faults\tb\tKafka 4 (native)\n\
                      timescale\tmissing\tstore/postgres\th\tno image\n\
                      half a li";
        let uses = Uses::read(report);
        assert_eq!((uses.count("kafka"), uses.count("postgres"), uses.count("timescale")), (3, 0, 0));
        let kafka =
            ["Kafka 4 (docker): 2 tests in 2 suites", "Kafka 4 (native), dedicated to single tests: 1 test in 1 suite"];
        assert_eq!(uses.lines("kafka", "Kafka", Some("Kafka 4 (docker)")), kafka);
        assert_eq!(uses.lines("kafka", "Kafka", None)[0], "at 127.0.0.1:1: 2 tests in 2 suites");
        let missing = ["TimescaleDB: not available, 1 test in 1 suite did not run against it (no image)"];
        assert_eq!(uses.lines("timescale", "TimescaleDB", None), missing);
        let unwanted = ["kafka", "postgres", "timescale"].map(|service| uses.unwanted(service));
        assert_eq!(unwanted, [false, true, false], "a test that did without has said so");
    }
}
