//! The API under load: how long answers take while others ask, too, and what the state of many series costs a tick.
//!
//! `slipstream-bench api [--program PATH] [--slos 1000] [--grouped] [--for 20]` starts a `slipstream run` with all roles and so many SLOs, feeds
//! it through its gateway, and asks: 20 times a second for all SLOs, 480 times for single ones, KPIs, pages of events and health.
//! Requests are sent when they are due, whether or not the ones before were answered, and are timed from then on: a stall is
//! seen by all requests that it delays.

pub mod asking;
mod shop;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::table::{Row, shown};
use asking::{Answers, Habit};
use shop::Shop;

/// The name of this part.
pub const COMMAND: &str = "api";

/// Of the habit that has a goal.
pub const ALL: &str = "all SLOs";

#[derive(Debug, Parser)]
#[command(name = COMMAND)]
struct Options {
    /// The program [default: slipstream next to this one]
    #[arg(long)]
    program: Option<PathBuf>,
    /// SLOs, each with two objectives
    #[arg(long, default_value_t = 1_000)]
    slos: usize,
    /// Split some of them by endpoint, method or status: some 14 series each
    #[arg(long)]
    grouped: bool,
    /// Seconds of load
    #[arg(long = "for", default_value_t = 20)]
    seconds: u64,
}

/// Asks, and prints a row for each kind of question.
///
/// # Errors
/// When the program cannot be started, ends, or does not answer.
pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse_from([COMMAND.to_owned()].iter().chain(arguments));
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("finding this program")?.with_file_name("slipstream"),
    };
    ensure!(program.is_file(), "no {}: build it, or name it with --program", program.display());
    let mut shop = Shop::open(&program, options.slos, options.grouped)?;
    let series = shop.feed()?;
    let during = Duration::from_secs(options.seconds);
    let before = shop.snapshots()?;
    let answers = asking::all(shop.api(), &habits(), during)?;
    let after = shop.snapshots()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", crate::table::HEAD)?;
    for row in rows(&answers, &format!("{series} series")) {
        writeln!(out, "{row}")?;
    }
    let (ticks, took) = (after.0 - before.0, after.1 - before.1);
    let each = Duration::from_secs_f64(took / ticks.max(1.0));
    writeln!(
        out,
        "{}",
        Row::new(format!("{series} series: what is answered about SLOs made anew, a tick"), shown(each), "")
    )?;
    shop.close()
}

/// 500 requests a second.
fn habits() -> Vec<Habit> {
    vec![
        Habit { name: ALL, path: |_| "/slos".to_owned(), per_second: 20, clients: 4 },
        Habit { name: "one SLO", path: |n| format!("/slos/slo-{}", n % 100), per_second: 60, clients: 6 },
        Habit {
            name: "SLOs of a service",
            path: |n| format!("/slos?service=service-{}", n % 100),
            per_second: 200,
            clients: 6,
        },
        Habit {
            name: "KPIs of a service",
            path: |n| format!("/kpis?service=service-{}", n % 100),
            per_second: 60,
            clients: 6,
        },
        Habit {
            name: "a page of events",
            path: |_| "/events?limit=20&order=desc".to_owned(),
            per_second: 60,
            clients: 6,
        },
        Habit { name: "the OpenAPI document", path: |_| "/openapi.json".to_owned(), per_second: 100, clients: 4 },
    ]
}

/// A row for each kind of question.
pub fn rows(answers: &[Answers], of: &str) -> Vec<Row> {
    let row = |answers: &Answers| {
        let goal = if answers.name == ALL { "p99 20 ms" } else { "" };
        let figures = format!(
            "p50 {}, p99 {}, max {}",
            shown(answers.quantile(0.5)),
            shown(answers.quantile(0.99)),
            shown(answers.quantile(1.0))
        );
        let failed = if answers.failed == 0 { String::new() } else { format!(", {} not 200", answers.failed) };
        let what = format!("{of}, {}: {} a second, {} KiB", answers.name, answers.per_second, answers.bytes >> 10);
        Row::new(what, format!("{figures}{failed}"), goal)
    };
    answers.iter().map(row).collect()
}
