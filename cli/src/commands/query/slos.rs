//! `slipstream query slos` and `slipstream slo status`.

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_log::{Log, SharedLog};
use slipstream_query::rules::RuleStatus;
use slipstream_query::slos::{SloAnswer, SloStatus};
use slipstream_query::{Follower, History};
use slipstream_role::markers::markers;
use slipstream_schemas::marker::MarkerJson;
use slipstream_schemas::records::Marker;
use slipstream_schemas::visible::visible;
use slipstream_schemas::{EventTime, LogTime};

use super::remote::{self, Media, Params, Remote, given};
use super::rules;
use crate::args::{AskedOf, Form};
use crate::{figures, output, parts};

/// How far back markers are shown, microseconds: 24 h.
const BACK: i64 = 86_400_000_000;
/// The most that people are shown.
const MARKERS: usize = 5;

/// Machine output.
#[derive(Serialize)]
struct Status<'a> {
    slos: &'a [SloStatus],
    rules: &'a [RuleStatus],
    markers: Vec<MarkerJson<'a>>,
}

/// Prints the status of the SLOs, worst budget first: from the log, so exact up to the last second that was tallied.
///
/// # Errors
/// When the log cannot be read.
pub async fn run(as_of: Option<Timestamp>, form: Form, asked: &AskedOf) -> Result<ExitCode> {
    if let Some(remote) = Remote::of(asked)? {
        return there(&remote, as_of, form).await;
    }
    let from = &asked.place;
    let config = from.load()?;
    let log = parts::log_of(&config).await?;
    let answer = match as_of {
        Some(at) => {
            let history = History::of(parts::store_of(&config).await?).with_log(log.clone());
            history.slos_as_of(LogTime(at.as_millisecond())).await?
        }
        None => present(log.clone()).await?,
    };
    if form.csv {
        let rules = answer.rules.len();
        super::print_csv(answer)?;
        remote::say_rules(rules);
        return Ok(ExitCode::SUCCESS);
    }
    // Those recorded since would change what was known then.
    let markers = if as_of.is_some() { Vec::new() } else { recent(log.as_ref(), &answer.slos).await };
    if form.json {
        let markers = markers.iter().map(MarkerJson::from).collect();
        output::print_json(&Status { slos: &answer.slos, rules: &answer.rules, markers })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&answer.slos))?;
    output::print(&rules::table(&answer.rules))?;
    let shown: Vec<Marked> = markers.iter().take(MARKERS).map(Marked::from).collect();
    output::print(&lines(&shown))?;
    if let Some(more) = markers.len().checked_sub(MARKERS + 1) {
        let flags = from.flags();
        output::say(format_args!(
            "{} more in the last day: slipstream mark list{flags}",
            figures::count(more as i64 + 1)
        ));
    }
    remarks((&answer.slos, &answer.rules), as_of);
    Ok(ExitCode::SUCCESS)
}

/// As the log has it. Where the alerts in it cannot be read, a Rule that is kept firing is shown as inactive.
async fn present(log: SharedLog) -> Result<SloAnswer> {
    let follower = Follower::open(log, parts::PROCESS).await?;
    let mut answer = follower.slos()?;
    if let Err(error) = follower.find_kept(&mut answer).await {
        output::say(format_args!("warning: which Rules are kept firing is not known: {error}"));
    }
    Ok(answer)
}

/// A server's answer.
#[derive(Deserialize)]
struct Standings {
    slos: Vec<SloStatus>,
    /// One of an earlier version tells of none.
    #[serde(default)]
    rules: Vec<RuleStatus>,
}

/// A server's markers.
#[derive(Deserialize)]
struct Markers {
    markers: Vec<Marked>,
    markers_total: usize,
}

/// What is shown of a marker.
#[derive(Deserialize)]
struct Marked {
    time: String,
    kind: String,
    service: String,
    environment: String,
    version: Option<String>,
    text: String,
}

impl From<&Marker> for Marked {
    fn from(marker: &Marker) -> Self {
        let MarkerJson { time, kind, service, environment, version, text, .. } = MarkerJson::from(marker);
        Marked {
            time,
            kind: kind.name().to_owned(),
            service: service.to_owned(),
            environment: environment.to_owned(),
            version: version.map(str::to_owned),
            text: text.to_owned(),
        }
    }
}

/// Prints what a server says of the SLOs.
async fn there(remote: &Remote, as_of: Option<Timestamp>, form: Form) -> Result<ExitCode> {
    let mut params = Params::new();
    given(&mut params, "as_of", as_of.map(remote::moment));
    let answer = remote.ask_for(if form.csv { Media::Csv } else { Media::Json }, "/slos", &params).await?;
    if form.json || form.csv {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let Standings { slos, rules } = answer.read()?;
    output::print(&table(&slos))?;
    output::print(&rules::table(&rules))?;
    if as_of.is_none() {
        let now = Timestamp::now().as_microsecond();
        let mut params = Params::new();
        given(&mut params, "from", Some(remote::time(EventTime(now - BACK))));
        given(&mut params, "to", Some(remote::time(EventTime(now + 1))));
        match remote.ask("/markers", &params).await.and_then(|answer| answer.read::<Markers>()) {
            Ok(Markers { mut markers, markers_total }) => {
                markers.reverse();
                output::print(&lines(&markers))?;
                if let Some(more) = markers_total.checked_sub(MARKERS + 1) {
                    output::say(format_args!("{} more in the last day", figures::count(more as i64 + 1)));
                }
            }
            // The log is away: the status is known all the same.
            Err(error) => output::say(format_args!("warning: the markers could not be read: {error}")),
        }
    }
    remarks((&slos, &rules), as_of);
    Ok(ExitCode::SUCCESS)
}

/// What is to be said below the table.
fn remarks((slos, rules): (&[SloStatus], &[RuleStatus]), as_of: Option<Timestamp>) {
    for slo in slos.iter().filter(|slo| slo.too_late > 0) {
        output::say(too_late(slo));
    }
    match as_of {
        _ if !slos.is_empty() || !rules.is_empty() => {}
        Some(_) => output::say("no SLOs then"),
        None => output::say("no SLOs yet; next: slipstream run --slos PATH"),
    }
}

/// The markers, newest first: those from 24 h before the last tick that was evaluated, and incidents that go on. Where they
/// cannot be read that is said, and the status is shown all the same.
async fn recent(log: &dyn Log, slos: &[SloStatus]) -> Vec<Marker> {
    let now = Timestamp::now();
    let evaluated = slos.iter().filter_map(|slo| slo.as_of.as_deref()?.parse::<Timestamp>().ok()).max();
    let as_of = evaluated.unwrap_or(now).as_microsecond();
    // What was recorded since then is the news.
    let to = EventTime(as_of.max(now.as_microsecond()) + 1);
    match markers(log, EventTime(as_of - BACK), to).await {
        Ok(found) => found.into_iter().rev().collect(),
        Err(error) => {
            output::say(format_args!("warning: the markers could not be read: {error}"));
            Vec::new()
        }
    }
}

/// The newest markers below the table, a line each; nothing if there are none.
fn lines(markers: &[Marked]) -> String {
    if markers.is_empty() {
        return String::new();
    }
    let rows = markers.iter().take(MARKERS).map(|marker| {
        vec![
            marker
                .time
                .parse()
                .map_or(marker.time.clone(), |time: Timestamp| figures::moment(EventTime(time.as_microsecond()))),
            marker.kind.clone(),
            figures::or_dash(&marker.service),
            figures::or_dash(&marker.environment),
            marker.version.clone().unwrap_or("-".to_owned()),
            figures::beginning(&marker.text),
        ]
    });
    format!("\n{}", output::table(&["MARKED", "KIND", "SERVICE", "ENVIRONMENT", "VERSION", "TEXT"], &[], rows))
}

/// What would else be seen nowhere but in the store.
fn too_late(slo: &SloStatus) -> String {
    let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
    let name = [&[slo.name.as_str(), slo.objective.as_str()], &group[..]].concat().join(" ");
    let were = if slo.too_late == 1 { "was" } else { "were" };
    format!(
        "{}: {} {were} too old for any window and {were} not counted. Check their `time`: numbers are microseconds.",
        visible(&name),
        figures::events(slo.too_late)
    )
}

fn table(slos: &[SloStatus]) -> String {
    let head = [
        "SLO",
        "OBJECTIVE",
        "GROUP",
        "TARGET",
        "WINDOW",
        "SLI",
        "BUDGET LEFT",
        "OF BUDGET",
        "GOOD",
        "TOTAL",
        "AS OF",
        "COVERED",
        "COMPLETE",
    ];
    let right = ["TARGET", "WINDOW", "SLI", "BUDGET LEFT", "OF BUDGET", "GOOD", "TOTAL"];
    let rows = slos.iter().map(|slo| {
        let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
        let evaluated = |text: String| if slo.total == 0 { "-".to_owned() } else { text };
        vec![
            slo.name.clone(),
            slo.objective.clone(),
            group.join(", "),
            slo.target.map_or("?".to_owned(), figures::target),
            slo.window.clone().unwrap_or_default(),
            slo.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, slo.target.as_slice())),
            evaluated(figures::rough_percent(slo.budget_remaining, &[])),
            evaluated(figures::left_of_budget(slo.unit, slo.budget_remaining, slo.budget_total)),
            figures::amount(slo.unit, slo.good),
            figures::amount(slo.unit, slo.total),
            slo.as_of.clone().unwrap_or("not yet".to_owned()),
            match &slo.covered_from {
                Some(from) if !slo.covers_period => format!("from {from}"),
                Some(_) => "whole".to_owned(),
                None => "-".to_owned(),
            },
            if slo.complete { "yes" } else { "no" }.to_owned(),
        ]
    });
    output::table(&head, &right, rows)
}
