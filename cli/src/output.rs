//! How answers look: a table for people, JSON for machines. Answers go to standard output, all else to standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use slipstream_schemas::cause::chain;
use slipstream_schemas::records::BudgetUnit;

/// A table with a head row; columns named in `right` are aligned right.
pub fn table(head: &[&str], right: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(head.to_vec());
    for (i, name) in head.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_padding((0, 2));
            if right.contains(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Writes text to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")
}

/// A line of progress or advice on standard error.
pub fn say(text: impl std::fmt::Display) {
    // Standard error that is closed harms nothing.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes, none said twice.
pub fn causes(error: &anyhow::Error) -> String {
    chain(error.as_ref())
}

/// Whether standard error is a terminal that wants colours (<https://no-color.org>).
pub fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && no_wish_against_colour()
}

/// Whether standard output is a terminal that wants colours.
pub fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && no_wish_against_colour()
}

fn no_wish_against_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A share as a percentage with as many digits as it needs to be told from its neighbours.
pub fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

/// A span of seconds in the largest unit that divides it: 5m, 6h, 30d.
pub fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    match units.iter().find(|(size, _)| seconds != 0 && seconds % size == 0) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// A count with thin groups: 56,070.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
    format!("{}{}", if n < 0 { "-" } else { "" }, groups.join(","))
}

/// A count of events: 1 event, 1,200 events.
pub fn events(n: i64) -> String {
    format!("{} event{}", count(n), if n == 1 { "" } else { "s" })
}

/// An amount of what a budget counts: events as a count, time in minutes; shares of a composite are told by its SLI.
pub fn amount(unit: BudgetUnit, amount: i64) -> String {
    match unit {
        BudgetUnit::Events => count(amount),
        BudgetUnit::Seconds => minutes(amount as f64),
        BudgetUnit::Share => "-".to_owned(),
    }
}

/// What is left of a budget, in whole events or in minutes: `64 of 103`, `40.2 of 43.2 min`.
pub fn left_of_budget(unit: BudgetUnit, remaining: f64, budget: f64) -> String {
    let left = remaining * budget;
    match unit {
        // Of a small budget the parts matter: a hundred events at 99.9 % allow a tenth of one.
        BudgetUnit::Events if budget < 10.0 => format!("{left:.2} of {budget:.2}"),
        BudgetUnit::Events => format!("{} of {}", count(left.floor() as i64), count(budget.floor() as i64)),
        BudgetUnit::Seconds => format!("{:.1} of {}", left / 60.0, minutes(budget)),
        BudgetUnit::Share => "-".to_owned(),
    }
}

fn minutes(seconds: f64) -> String {
    format!("{:.1} min", seconds / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "-1,234,567")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn budgets_are_in_events_or_in_minutes() {
        let table = [
            (BudgetUnit::Events, 0.625, 104.9, "65 of 104"),
            (BudgetUnit::Events, -1.5, 10.0, "-15 of 10"),
            (BudgetUnit::Events, -99.0, 0.01, "-0.99 of 0.01"),
            (BudgetUnit::Seconds, 0.5, 2_592.0, "21.6 of 43.2 min"),
            (BudgetUnit::Seconds, -1.0, 302.4, "-5.0 of 5.0 min"),
            (BudgetUnit::Share, 0.5, 1e6, "-"),
        ];
        for (unit, remaining, budget, text) in table {
            assert_eq!(left_of_budget(unit, remaining, budget), text);
        }
        assert_eq!(amount(BudgetUnit::Seconds, 2_592_030), "43200.5 min");
    }

    #[test]
    fn spans_take_the_largest_unit() {
        for (seconds, text) in [(0, "0s"), (30, "30s"), (300, "5m"), (3_600, "1h"), (5_400, "90m"), (2_592_000, "30d")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_cause_that_is_quoted_is_not_said_twice() {
        let error = anyhow::Error::msg("disk full").context("writing f: disk full").context("importing f");
        assert_eq!(causes(&error), "importing f: writing f: disk full");
    }

    #[test]
    fn a_table_has_a_head_and_aligned_columns() {
        let text = table(&["service", "hits"], &["hits"], [vec!["web".to_owned(), "7".to_owned()]]);
        assert_eq!(text, "service  hits\nweb         7\n");
    }
}
