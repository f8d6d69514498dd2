//! What a backtest found, as text.

use std::fmt::Write;

use slipstream_replay::backtest::run::Backtested;
use slipstream_replay::backtest::suggest::Suggestion;
use slipstream_replay::backtest::tables::{self, Table};

use crate::{figures, output};

/// False alarms that are listed; `--json` has all.
const SHOWN: usize = 30;

/// Why the suggested set, judged as a whole, has other figures.
const TRIED_ALONE: &str = "
Rules were tried one by one, each as if it were alone, under the target that is suggested. Together their alerts do other things:
one may be a repeat of another, and the budget is another one under another target. Backtest the definition to see them together.
";

/// Tables of incidents, rules and suggestions.
pub fn text(found: &Backtested) -> String {
    let score = &found.backtest.score;
    let parts = [
        (!score.incidents.is_empty()).then(|| tables::incidents(score)),
        Some(tables::false_alarms(score)).filter(|alarms| !alarms.rows.is_empty()).map(first),
        Some(tables::severities(score)),
        Some(tables::rule_sets(score)),
        Some(tables::rules(score)),
    ];
    let mut text = heading(found);
    for part in parts.into_iter().flatten() {
        text = text + "\n" + &table(&part);
    }
    let remarks = tables::remarks(score);
    let missing = found.missing.iter().map(|gap| format!("Missing: {} to {}: {}.", gap.from, gap.to, gap.reason));
    let lines: Vec<String> = remarks.into_iter().chain(found.notes.iter().cloned()).chain(missing).collect();
    if !lines.is_empty() {
        text = text + "\n" + &lines.join("\n") + "\n";
    }
    found.backtest.suggestions.iter().for_each(|suggestion| text.push_str(&suggested(suggestion)));
    if found.backtest.suggestions.iter().any(|suggestion| suggestion.rule.is_some()) {
        text += TRIED_ALONE;
    }
    text
}

/// The first rows of what may be long.
fn first(mut table: Table) -> Table {
    let more = table.rows.len().saturating_sub(SHOWN);
    if more > 0 {
        table.rows.truncate(SHOWN);
        let mut last = vec![String::new(); table.head.len()];
        last[0] = format!("and {more} more");
        table.rows.push(last);
    }
    table
}

fn heading(found: &Backtested) -> String {
    let shown = serde_json::to_value(found.backtest.score.range).unwrap_or_default();
    let time = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    let events = figures::events(i64::try_from(found.events).unwrap_or(i64::MAX));
    let early = if found.stopped { ", stopped early" } else { "" };
    format!("{} to {}: {events}{early}\n", time("from"), time("to"))
}

fn table(table: &Table) -> String {
    output::table(&table.head, &table.right, table.rows.iter().cloned())
}

fn suggested(suggestion: &Suggestion) -> String {
    let mut text = format!("\nSuggested for {} {}\n", suggestion.slo, suggestion.objective);
    for line in tables::suggestion(suggestion) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {line}");
    }
    if !suggestion.curve.is_empty() {
        text = text + "\n" + &table(&tables::curve(suggestion));
    }
    text
}

/// The suggested definitions as one text of YAML documents, one for each SLO; `None` if none is suggested.
pub fn definitions(suggestions: &[Suggestion]) -> Option<String> {
    // The objectives of an SLO have the same one.
    let of_slos = suggestions.chunk_by(|a, b| a.slo == b.slo).filter_map(<[Suggestion]>::first);
    let documents: Vec<&str> = of_slos.filter_map(|suggestion| suggestion.definition.as_deref()).collect();
    (!documents.is_empty()).then(|| documents.join("---\n"))
}
