//! `slipstream silence check`: what a silence would have hidden, by a replay.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_producer::silencing::{MatcherJson, SilenceJson};
use slipstream_replay::engine::Progress;
use slipstream_replay::outcome::{AlertHistory, Clock, Outcome};
use slipstream_replay::{Asked, Sources, Told, replay};
use slipstream_role::silences::silences;
use slipstream_schemas::LogTime;
use slipstream_schemas::records;
use slipstream_slo::alerts::{Hidden, Silence, hidden};
use slipstream_store::text;

use super::{moment, recurrence};
use crate::args::SilenceCheck;
use crate::commands::replay::{progress, stopping, store};
use crate::session::Interrupted;
use crate::wrong_use::WrongUse;
use crate::{output, parts};

/// What would have been hidden.
#[derive(Serialize)]
struct Checked {
    from: String,
    to: String,
    matchers: Vec<String>,
    /// Episodes of alerts that fired in the range.
    alerts: usize,
    /// Of them, those of which something is hidden.
    hidden_alerts: usize,
    /// Those that nobody would have heard of in the range.
    never_told: usize,
    hidden: Vec<HiddenJson>,
}

/// A transition of which nobody would have been told at its time.
#[derive(Serialize)]
struct HiddenJson {
    id: String,
    episode: i64,
    slo: String,
    objective: String,
    group: std::collections::BTreeMap<String, String>,
    severity: String,
    /// When it fired, or changed its severity.
    at: String,
    /// When it would have been told; null: not at all.
    told_at: Option<String>,
    /// When it was over; null: it was not.
    resolved_at: Option<String>,
}

/// Replays, and says what would have been hidden.
///
/// # Errors
/// When there is no such silence, nothing is there, it cannot be read, or a signal ended it.
pub async fn run(wanted: SilenceCheck) -> Result<ExitCode> {
    let (config, loaded) = wanted.place.load_with(&wanted.slos)?;
    let slos = (!wanted.slos.is_empty()).then_some(loaded.slos);
    let log = parts::log_of(&config).await?;
    let known = match &wanted.id {
        Some(id) => silences(log.as_ref()).await?.into_iter().find(|silence| silence.id == *id),
        None => None,
    };
    if let (Some(id), None) = (&wanted.id, &known) {
        bail!("there is no silence {id}: slipstream silence list --all");
    }
    // Checked before a replay that may be long.
    let silence = silence(&wanted, known, 0, None)?;
    let (store, no_store) = store::open(&config).await;
    let sources = Sources { log, store };
    let log_time = |at: Timestamp| LogTime(at.as_millisecond());
    let asked = Asked {
        clock: Clock::Log,
        from: wanted.from.map(log_time),
        to: wanted.to.map(log_time),
        step: None,
        budgets: false,
        slos,
        threads: wanted.threads,
    };
    let progress = Arc::new(Progress::default());
    let shown = progress::show(Arc::clone(&progress));
    let done = stopping::on_signal(&progress, replay(&sources, &asked, &progress)).await;
    shown.end().await;
    no_store.say_if_missed(&done, |found| &found.told.outcome().missing);
    let found = done.map_err(stopping::interrupted)?;
    let told = match &found.told {
        Told::One(outcome) => outcome.as_ref(),
        Told::Both(what_if) => &what_if.after,
    };
    let (from, to) = (millis(&told.from)?, millis(&told.to)?);
    let silence = self::silence(&wanted, Some(silence.written().clone()), from, Some(to))?;
    let checked = checked(&silence, told);
    if wanted.json {
        output::print_json(&checked)?
    } else {
        output::print(&shown_as_text(&checked))?
    }
    if told.stopped {
        return Err(Interrupted::new(format!("stopped: what is told ends at {}", told.to)).into());
    }
    Ok(ExitCode::SUCCESS)
}

fn millis(text: &str) -> Result<i64> {
    let time: Timestamp = text.parse().with_context(|| format!("the replay says {text}"))?;
    Ok(time.as_millisecond())
}

/// The silence to check: the one that is there, or one of the range.
fn silence(wanted: &SilenceCheck, known: Option<records::Silence>, from: i64, to: Option<i64>) -> Result<Silence> {
    if let (Some(known), Some(_)) = (&known, &wanted.id) {
        return Ok(Silence::new(known.clone())?);
    }
    let json = SilenceJson {
        matchers: wanted.matchers.iter().cloned().map(MatcherJson::Text).collect(),
        recurrence: recurrence(wanted.every.clone(), &wanted.zone, wanted.length),
        ..SilenceJson::default()
    };
    let silence = json.read(from, "").map_err(|error| WrongUse(error.to_string()))?;
    let of_range = records::Silence { from, to, ..silence.written().clone() };
    Ok(Silence::new(of_range)?)
}

fn checked(silence: &Silence, told: &Outcome) -> Checked {
    let fired: Vec<&AlertHistory> = told.alerts.iter().filter(|alert| alert.episode.fired_at.is_some()).collect();
    let mut checked = Checked {
        from: told.from.clone(),
        to: told.to.clone(),
        matchers: silence.matchers().iter().map(ToString::to_string).collect(),
        alerts: fired.len(),
        hidden_alerts: 0,
        never_told: 0,
        hidden: Vec::new(),
    };
    for alert in fired {
        let found = hidden(silence, &alert.records);
        let steps = alert.rises().len();
        checked.hidden_alerts += usize::from(!found.is_empty());
        let silent = !found.is_empty() && found.len() >= steps && found.iter().all(|h| h.told_at.is_none());
        checked.never_told += usize::from(silent && !alert.open_before);
        checked.hidden.extend(found.iter().map(|h| json(alert, h)));
    }
    checked
}

fn json(alert: &AlertHistory, hidden: &Hidden<'_>) -> HiddenJson {
    let t = hidden.transition;
    HiddenJson {
        id: t.alert_id.clone(),
        episode: t.episode,
        slo: t.slo.clone(),
        objective: t.objective.clone(),
        group: alert.episode.group.clone(),
        severity: t.severity.clone(),
        at: text::seconds(t.tick),
        told_at: hidden.told_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|at| at.to_string()),
        resolved_at: alert.episode.resolved_at.clone(),
    }
}

fn shown_as_text(checked: &Checked) -> String {
    let Checked { from, to, matchers, alerts, hidden_alerts, never_told, hidden } = checked;
    let fired = if *alerts == 1 { "1 alert fired".to_owned() } else { format!("{alerts} alerts fired") };
    let mut text =
        format!("from {from} to {to}: {fired}; {{{}}} would have hidden {hidden_alerts}", matchers.join(", "));
    if *never_told > 0 {
        text.push_str(&format!(", {never_told} of them altogether"));
    }
    text.push('\n');
    if hidden.is_empty() {
        return text;
    }
    let head = ["AT", "SLO", "SEVERITY", "TOLD", "OVER", "ALERT"];
    let rows = hidden.iter().map(|h| {
        let group: Vec<String> = h.group.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let of = if group.is_empty() { h.slo.clone() } else { format!("{} ({})", h.slo, group.join(", ")) };
        let told = h.told_at.as_deref().and_then(|at| millis(at).ok()).map_or("never".to_owned(), moment);
        let over = h.resolved_at.as_deref().and_then(|at| millis(at).ok()).map_or("-".to_owned(), moment);
        let at = millis(&h.at).map_or_else(|_| h.at.clone(), moment);
        vec![at, of, h.severity.clone(), told, over, format!("{}/{}", h.id, h.episode)]
    });
    text + &output::table(&head, &[], rows)
}
