//! `slipstream query ...`: queries the installation, also while a process owns the directory.

mod alert;
mod alerts;
mod contributors;
mod event;
mod events;
mod history;
mod kpis;
mod notifications;
mod outcome;
pub mod remote;
mod rules;
pub mod slos;
mod top;

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_api::Tabled;
use slipstream_query::History;
use slipstream_query::history::{ContributorQuestion, Dimension, HistoryQuestion, TopQuestion, TopSort};
use slipstream_schemas::records::{NotificationReason, Outcome};
use slipstream_schemas::{Cause, EventTime, LogTime};
use slipstream_store::alerts::{AlertFilter, AlertState};
use slipstream_store::kpis::{Field, KpiQuestion, Level};
use slipstream_store::notifications::{NotificationCursor, NotificationQuestion};
use slipstream_store::{Cursor, EventFilter, EventQuestion, Order};

use crate::args::{AskedOf, Buckets, By, Form, OutcomeName, Part, Place, Query, ReasonName, Sort, Source, State, What};
use crate::{logging, output, parts};
use remote::{Answer, Media, Params, Remote};

/// A day, seconds.
const DAY: i64 = 86_400;

/// Runs a subcommand.
///
/// # Errors
/// When log or store cannot be read, or the query is invalid.
pub async fn run(query: Query, log_level: Option<String>) -> Result<ExitCode> {
    heard(query.asked(), log_level)?;
    match query {
        Query::Kpis { by, step, source, what } => {
            let step = step.map(|step| i64::try_from(step.as_secs()).unwrap_or(i64::MAX));
            let question = KpiQuestion {
                filter: filter(&what),
                by: by.into_iter().map(field).collect(),
                step,
                source: source.map(level),
            };
            kpis::run(&question, &what).await
        }
        Query::Hourly(asked) => buckets(Level::Hourly, asked).await,
        Query::Daily(asked) => buckets(Level::Daily, asked).await,
        Query::Top { sort, slo, objective, limit, what } => {
            let slo = slo.map(|slo| (slo, objective));
            top::run(&TopQuestion { filter: filter(&what), sort: top_sort(sort), limit, slo }, &what).await
        }
        Query::Events { limit, newest, after, what } => {
            let after = after.as_deref().map(str::parse::<Cursor>).transpose()?;
            let order = if newest { Order::Newest } else { Order::Oldest };
            events::run(&EventQuestion { filter: filter(&what), order, limit, after }, &what).await
        }
        Query::Event { id, time, json, place } => event::run(&id, time.map(micros), json, &place).await,
        Query::Slos { as_of, form, from } => slos::run(as_of, form, &from).await,
        Query::History { slo, from, to, step, objective, group, form, place } => {
            let to = to.unwrap_or_else(Timestamp::now).as_second();
            let from = from.map_or(to - DAY, Timestamp::as_second);
            let step = step.map(|step| i64::try_from(step.as_secs()).unwrap_or(i64::MAX));
            let group = group.into_iter().collect();
            history::run(&HistoryQuestion { slo, from, to, step, objective, group }, form, &place).await
        }
        Query::Contributors { slo, by, objective, from, to, limit, form, place } => {
            let dimension = Dimension::named(&by)?;
            let (from, to) = (from.map(micros), to.map(micros));
            let question = ContributorQuestion { slo, objective, from, to, by: dimension, limit };
            contributors::run(&question, &by, form, &place).await
        }
        Query::Alerts { from, to, slo, severity, state, as_of, limit, form, place } => {
            let filter = AlertFilter {
                slo,
                severity,
                states: state.into_iter().map(alert_state).collect(),
                from: from.map(Timestamp::as_second),
                to: to.map(Timestamp::as_second),
                limit,
                ..AlertFilter::default()
            };
            alerts::run(&filter, as_of, form, &place).await
        }
        Query::Alert { id, json, place } => alert::run(&id, json, &place).await,
        Query::Notifications {
            from,
            to,
            alert,
            receiver,
            outcome,
            reason,
            slo,
            severity,
            kind,
            limit,
            after,
            form,
            place,
        } => {
            let question = NotificationQuestion {
                alert_id: alert,
                receiver,
                outcome: outcome.map(notification_outcome),
                reason: reason.map(notification_reason),
                slo,
                severity,
                kind: kind.map(|kind| kind.name().to_owned()),
                from: from.map(Timestamp::as_millisecond),
                to: to.map(Timestamp::as_millisecond),
                limit,
                after: after.as_deref().map(str::parse::<NotificationCursor>).transpose()?,
            };
            notifications::run(&question, form, &place).await
        }
    }
}

/// Sets logging up for who asks a server: that a token goes over the network as it is must be heard.
///
/// # Errors
/// When the level is none.
pub fn heard(asked: &AskedOf, log_level: Option<String>) -> Result<()> {
    if asked.server.is_some() { logging::init(log_level) } else { Ok(()) }
}

/// The answer of whoever is asked: of a server to the question with this path and these parameters, or from `here`. `None` if it
/// was to be printed for a program, which is done.
async fn answered<T: Tabled + Serialize + DeserializeOwned>(
    asked: &AskedOf,
    form: Form,
    there: (&str, Params),
    here: impl AsyncFnOnce(History) -> Result<T>,
) -> Result<Option<T>> {
    answered_as(asked, form, there, here, Answer::read).await
}

/// As [`answered`]; `read` reads the server's answer.
async fn answered_as<T: Tabled + Serialize>(
    asked: &AskedOf,
    form: Form,
    there: (&str, Params),
    here: impl AsyncFnOnce(History) -> Result<T>,
    read: impl FnOnce(&Answer) -> Result<T>,
) -> Result<Option<T>> {
    if !form.csv {
        return told(asked, form.json, there, here, read).await;
    }
    match Remote::of(asked)? {
        Some(remote) => remote.ask_for(Media::Csv, there.0, &there.1).await?.print()?,
        None => print_csv(here(history(&asked.place).await?).await?)?,
    }
    Ok(None)
}

/// As [`answered_as`], of what is no table.
async fn told<T: Serialize>(
    asked: &AskedOf,
    json: bool,
    (path, params): (&str, Params),
    here: impl AsyncFnOnce(History) -> Result<T>,
    read: impl FnOnce(&Answer) -> Result<T>,
) -> Result<Option<T>> {
    let Some(remote) = Remote::of(asked)? else {
        let answer = here(history(&asked.place).await?).await?;
        if json {
            output::print_json(&answer)?;
            return Ok(None);
        }
        return Ok(Some(answer));
    };
    let answer = remote.ask(path, &params).await?;
    if json {
        answer.print()?;
        return Ok(None);
    }
    Ok(Some(read(&answer)?))
}

/// Prints an answer as the API would, and where its next page is.
fn print_csv<T: Tabled>(answer: T) -> Result<()> {
    let next = answer.next().map(str::to_owned);
    output::print_csv(&slipstream_api::csv(answer)?)?;
    remote::say_next(next.as_deref());
    Ok(())
}

/// The store; with the log where that can be read.
async fn history(place: &Place) -> Result<History> {
    let config = place.load()?;
    let history = History::of(parts::store_of(&config).await?);
    Ok(match parts::log_of(&config).await {
        Ok(log) => history.with_log(log),
        Err(error) => history.without_log(Cause::from(format!("{error:#}"))),
    })
}

fn micros(time: Timestamp) -> EventTime {
    EventTime(time.as_microsecond())
}

fn filter(what: &What) -> EventFilter {
    EventFilter {
        status_code: what.status_code,
        min_latency_ms: what.min_latency,
        max_latency_ms: what.max_latency,
        event_id: what.event_id.clone(),
        trace_id: what.trace_id.clone(),
        user_ref: what.user_ref.clone(),
        attributes: what.attribute.iter().cloned().collect(),
        logged_by: what.as_of.map(|at| LogTime(at.as_millisecond())),
        ..part_of(&what.part)
    }
}

fn part_of(part: &Part) -> EventFilter {
    EventFilter {
        service: part.service.clone(),
        environment: part.environment.clone(),
        endpoint: part.endpoint.clone(),
        method: part.method.clone(),
        status_class: part.status_class,
        errors_only: part.errors,
        from: part.from.map(micros),
        to: part.to.map(micros),
        ..EventFilter::default()
    }
}

async fn buckets(level: Level, asked: Buckets) -> Result<ExitCode> {
    let Buckets { by, part, form, place } = asked;
    let by = by.into_iter().map(field).collect();
    let question = KpiQuestion { filter: part_of(&part), by, ..KpiQuestion::default() };
    kpis::buckets(level, question, form, &place).await
}

fn field(by: By) -> Field {
    match by {
        By::Service => Field::Service,
        By::Environment => Field::Environment,
        By::Endpoint => Field::Endpoint,
        By::Method => Field::Method,
        By::StatusCode => Field::StatusCode,
        By::StatusClass => Field::StatusClass,
    }
}

fn level(source: Source) -> Level {
    match source {
        Source::Raw => Level::Raw,
        Source::Rollup => Level::Rollup,
        Source::Hourly => Level::Hourly,
        Source::Daily => Level::Daily,
    }
}

fn top_sort(sort: Sort) -> TopSort {
    match sort {
        Sort::Hits => TopSort::Hits,
        Sort::Errors => TopSort::Errors,
        Sort::ErrorRate => TopSort::ErrorRate,
        Sort::P95 => TopSort::P95,
        Sort::BudgetSpent => TopSort::BudgetSpent,
    }
}

fn alert_state(state: State) -> AlertState {
    match state {
        State::Pending => AlertState::Pending,
        State::Inactive => AlertState::Inactive,
        State::Firing => AlertState::Firing,
        State::Resolved => AlertState::Resolved,
    }
}

fn notification_outcome(outcome: OutcomeName) -> Outcome {
    match outcome {
        OutcomeName::Delivered => Outcome::Delivered,
        OutcomeName::Refused => Outcome::Refused,
        OutcomeName::NotDue => Outcome::NotDue,
        OutcomeName::HeldBack => Outcome::HeldBack,
        OutcomeName::Failed => Outcome::Failed,
    }
}

fn notification_reason(reason: ReasonName) -> NotificationReason {
    match reason {
        ReasonName::Silenced => NotificationReason::Silenced,
        ReasonName::Inhibited => NotificationReason::Inhibited,
        ReasonName::Muted => NotificationReason::Muted,
        ReasonName::NoRoute => NotificationReason::NoRoute,
        ReasonName::Untold => NotificationReason::Untold,
        ReasonName::Unwanted => NotificationReason::Unwanted,
        ReasonName::Superseded => NotificationReason::Superseded,
        ReasonName::Missed => NotificationReason::Missed,
        ReasonName::Acknowledged => NotificationReason::Acknowledged,
        ReasonName::DryRun => NotificationReason::DryRun,
        ReasonName::RateLimited => NotificationReason::RateLimited,
        ReasonName::InDoubt => NotificationReason::InDoubt,
    }
}
