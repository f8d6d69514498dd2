//! `slipstream slo test`: runs the unit tests of definitions, and reads like a test runner.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use slipstream_definitions::diagnostic::{Diagnostic, render};
use slipstream_definitions::document::SourceFile;
use slipstream_schemas::visible::visible;
use slipstream_slotest::{Failure, Wanted};

use crate::args::as_argument;
use crate::{definitions, figures, output};

/// How many failures of a test are printed.
const SHOWN: usize = 20;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[32m";

/// The results of all tests, as printed by `--json`.
#[derive(Debug, Default, Serialize)]
struct Run {
    passed: usize,
    failed: usize,
    /// Files that could not be read as tests.
    diagnostics: Vec<Diagnostic>,
    tests: Vec<Ran>,
}

/// The result of a test.
#[derive(Debug, Serialize)]
struct Ran {
    file: String,
    line: usize,
    name: String,
    passed: bool,
    /// Log time that was played, seconds.
    seconds: i64,
    events: u64,
    /// How long it took.
    elapsed_seconds: f64,
    failures: Vec<Failure>,
}

/// Runs the tests in files and below directories.
///
/// # Errors
/// When a path cannot be read, or standard output cannot be written.
pub fn run(paths: &[PathBuf], filter: Option<&str>, json: bool) -> Result<ExitCode> {
    let files = definitions::tests(paths)?;
    if files.is_empty() {
        output::say("no tests found: test files are named NAME.test.yaml, next to the definitions");
        return Ok(ExitCode::from(2));
    }
    let began = Instant::now();
    let look = Look { colour: output::colour_on_stdout() };
    let mut run = Run::default();
    for file in &files {
        let print = |text: String| if json { Ok(()) } else { output::enough(output::print_as_is(&text)) };
        run_file(file, filter, &mut run, print, look)?;
    }
    if run.tests.is_empty() && run.diagnostics.is_empty() {
        let wanted = filter.unwrap_or_default();
        let files = figures::counted(files.len() as i64, "file");
        output::say(format_args!("no tests found: no test name in {files} contains `{wanted}`"));
        return Ok(ExitCode::from(2));
    }
    let well = run.failed == 0 && run.diagnostics.is_empty();
    if json {
        output::enough(output::print_json(&run))?;
    } else {
        output::enough(output::print_as_is(&look.end(&run, began.elapsed())))?;
        match run.tests.iter().find(|test| !test.passed) {
            Some(test) => {
                let (file, name) = (as_argument(&test.file), as_argument(&test.name));
                output::say(format_args!("next: slipstream slo test {file} --filter {name}"));
            }
            None if well => output::say("next: slipstream run --slos PATH"),
            None => {}
        }
    }
    Ok(ExitCode::from(u8::from(!well)))
}

fn run_file(
    file: &Path,
    filter: Option<&str>,
    run: &mut Run,
    print: impl Fn(String) -> std::io::Result<()>,
    look: Look,
) -> Result<()> {
    let source = definitions::read_file(file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let suite = match slipstream_slotest::read(&source, &mut |wanted| find(folder, wanted)) {
        Ok(suite) => suite,
        Err(found) => {
            print(render(&found, look.colour))?;
            run.diagnostics.extend(found);
            return Ok(());
        }
    };
    let chosen = suite.tests.iter().filter(|test| filter.is_none_or(|filter| test.name().contains(filter)));
    for (i, test) in chosen.enumerate() {
        if i == 0 {
            print(format!("{}\n", visible(&source.path)))?;
        }
        let began = Instant::now();
        let outcome = test.run();
        let ran = Ran {
            file: source.path.clone(),
            line: test.line(),
            name: test.name().to_owned(),
            passed: outcome.failures.is_empty(),
            seconds: outcome.seconds,
            events: outcome.events,
            elapsed_seconds: began.elapsed().as_secs_f64(),
            failures: outcome.failures,
        };
        print(look.line(&ran))?;
        *(if ran.passed { &mut run.passed } else { &mut run.failed }) += 1;
        run.tests.push(ran);
    }
    Ok(())
}

/// The definitions that a test file names.
fn find(folder: &Path, wanted: Wanted<'_>) -> Result<Vec<SourceFile>, String> {
    let found = match wanted {
        Wanted::Beside => definitions::beside(folder),
        Wanted::Path(path) => definitions::read(&[folder.join(path)]),
    };
    found.map_err(|error| output::causes(&error))
}

/// Output formats.
#[derive(Clone, Copy)]
struct Look {
    colour: bool,
}

impl Look {
    fn paint(self, style: &str, text: &str) -> String {
        let text = visible(text);
        if self.colour { format!("{style}{text}{RESET}") } else { text.into_owned() }
    }

    /// A test in a line.
    fn line(self, test: &Ran) -> String {
        let verdict = if test.passed { self.paint(GREEN, "ok    ") } else { self.paint(RED, "FAILED") };
        format!("  {verdict} {:>6.2} s  {}\n", test.elapsed_seconds, visible(&test.name))
    }

    /// Every failure, and the sum.
    fn end(self, run: &Run, took: Duration) -> String {
        let mut text = String::new();
        for test in run.tests.iter().filter(|test| !test.passed) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{}: {}", self.paint(RED, "FAILED"), self.paint(BOLD, &test.name));
            for failure in test.failures.iter().take(SHOWN) {
                text.push_str(&self.failure(&test.file, failure));
            }
            if let Some(more) = test.failures.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let _ = writeln!(text, "\n  and {more} more; --json shows all");
            }
        }
        let broken = match run.diagnostics.iter().filter(|d| d.is_error()).count() {
            0 => String::new(),
            1 => ", 1 error in test files".to_owned(),
            n => format!(", {n} errors in test files"),
        };
        let style = if run.failed == 0 && broken.is_empty() { GREEN } else { RED };
        let sum = format!("{} passed, {} failed{broken}", run.passed, run.failed);
        let _ = writeln!(text, "\n{} in {:.1} s", self.paint(style, &sum), took.as_secs_f64());
        text
    }

    fn failure(self, file: &str, failure: &Failure) -> String {
        let Failure { line, column, series, what, at, expected, got, around } = failure;
        let of = if series.is_empty() { String::new() } else { format!(" of {series}") };
        let (what, file) = (visible(&format!("{what}{of} at {at}")).into_owned(), visible(file));
        let mut text = format!("\n  {what}\n  --> {file}:{line}:{column}\n");
        let _ = writeln!(text, "    expected  {}", self.paint(BOLD, expected));
        let _ = writeln!(text, "    got       {}", self.paint(RED, got));
        let Some(around) = around else { return text };
        text.push('\n');
        let head: Vec<&str> = std::iter::once("").chain(around.head.iter().map(String::as_str)).collect();
        let words = ["", "conditions", "alert"];
        let numbers: Vec<&str> = head.iter().copied().filter(|name| !words.contains(name)).collect();
        let rows = around.rows.iter().enumerate().map(|(i, row)| {
            let mark = if i == around.row { ">" } else { "" };
            std::iter::once(mark.to_owned()).chain(row.iter().cloned()).collect()
        });
        let table = output::table(&head, &numbers, rows);
        for (i, row) in table.lines().enumerate() {
            let row = if i == around.row + 1 { self.paint(BOLD, row) } else { row.to_owned() };
            let _ = writeln!(text, "    {row}");
        }
        text
    }
}
