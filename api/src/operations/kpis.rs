//! What requests add up to.

use std::sync::Arc;

use slipstream_query::history::{TopQuestion, TopSort};
use slipstream_store::kpis::{Field, KpiQuestion, Level, MOST_FIELDS};

use super::events::{LIMIT, USUAL};
use super::filter::{dimensions, everything};
use crate::api::Api;
use crate::ask::answers::endpoints::Endpoints;
use crate::ask::answers::kpis::{KpiAnswer, KpiRows};
use crate::operation::{Called, FORMAT, Operation, Told};
use crate::question::{Asking, Choice, Length, Limit, Name, Param, Question};
use crate::refusal::Refusal;
use crate::reply::{Format, Reply, negotiate};

impl Choice for Field {
    const ALL: &'static [Self] = &Field::ALL;

    fn name(self) -> &'static str {
        Field::name(self)
    }
}

impl Choice for Level {
    const ALL: &'static [Self] = &Level::ALL;

    fn name(self) -> &'static str {
        Level::name(self)
    }
}

impl Choice for TopSort {
    const ALL: &'static [Self] = &TopSort::ALL;

    fn name(self) -> &'static str {
        TopSort::name(self)
    }
}

const BY: Param<Field> = Param::new("by", "A row for each value; of several fields for each combination", "endpoint");
const STEP: Param<Length> = Param::new("step", "A row for each step of time", "1h");
const SOURCE: Param<Level> =
    Param::new("source", "Read from this alone", "rollup").or("the fastest that has everything asked for");
const SORT: Param<TopSort> = Param::new("sort", "Which come first", "errors").or("hits");
const SLO: Param<Name> = Param::new("slo", "Whose budget the endpoints spend", "payment-availability");
const OBJECTIVE: Param<Name> = Param::new("objective", "Of which objective of it, if it has several", "0");

/// Fields to group by, each once.
fn fields(asking: &mut Asking) -> Vec<Field> {
    let fields: Vec<Field> = asking.all(&BY);
    if fields.len() > MOST_FIELDS {
        asking.complain(BY.name, format!("{} fields; give {MOST_FIELDS} at most", fields.len()));
    }
    if let Some(twice) = fields.iter().enumerate().find_map(|(i, field)| fields[..i].contains(field).then_some(field)) {
        asking.complain(BY.name, format!("{} twice; give it once", twice.name()));
    }
    fields
}

/// A question for totals or rows, of which CSV has rows in any case.
struct Figures {
    question: KpiQuestion,
    format: Option<Format>,
}

impl Question for Figures {
    fn read(asking: &mut Asking) -> Self {
        let question = KpiQuestion {
            filter: everything(asking),
            by: fields(asking),
            step: asking.one(&STEP).map(|Length(seconds)| seconds),
            source: asking.one(&SOURCE),
        };
        Figures { question, format: asking.one(&FORMAT) }
    }
}

/// Hours.
struct Hours(KpiQuestion);

/// Days.
struct Days(KpiQuestion);

impl Question for Hours {
    fn read(asking: &mut Asking) -> Self {
        Hours(buckets_of(Level::Hourly, asking))
    }
}

impl Question for Days {
    fn read(asking: &mut Asking) -> Self {
        Days(buckets_of(Level::Daily, asking))
    }
}

fn buckets_of(level: Level, asking: &mut Asking) -> KpiQuestion {
    KpiQuestion { filter: dimensions(asking), by: fields(asking), step: Some(level.seconds()), source: Some(level) }
}

impl Question for TopQuestion {
    fn read(asking: &mut Asking) -> Self {
        let filter = everything(asking);
        let (slo, objective) = (asking.one(&SLO), asking.one(&OBJECTIVE).map(|Name(name)| name));
        let question = TopQuestion {
            filter,
            sort: asking.one(&SORT).unwrap_or_default(),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
            slo: slo.map(|Name(name)| (name, objective)),
        };
        if question.sort == TopSort::BudgetSpent && question.slo.is_none() {
            asking.complain(SORT.name, "whose budget? give `slo`, too".to_owned());
        }
        question
    }
}

pub fn operations() -> Vec<Operation> {
    const KPIS: Called =
        Called { path: "/kpis", id: "getKpis", tag: "Requests", summary: "Hits, errors, latencies, throughput" };
    const HOURLY: Called =
        Called { path: "/hourly", id: "listHours", tag: "Requests", summary: "The same, hour by hour" };
    const DAILY: Called = Called { path: "/daily", id: "listDays", tag: "Requests", summary: "The same, day by day" };
    const TOP: Called = Called {
        path: "/endpoints/top",
        id: "listTopEndpoints",
        tag: "Requests",
        summary: "The endpoints with most traffic, errors, latency, or budget spent",
    };
    vec![
        Operation::raw(KPIS, async |api: Arc<Api>, Figures { question, format }: Figures, asked| {
            let format = negotiate(&asked.headers, format, Format::BOTH)?;
            let answer = api.bound.ask(api.past.kpis(&question)).await?;
            match format {
                Format::Json => Reply::known(&answer, answer.as_of()),
                Format::Csv => Reply::rows(&answer.into_rows(), format),
            }
        })
        .answering::<KpiAnswer>(Format::BOTH)
        .telling(&[Told::AsOf])
        .about(
            "One total; with `by` or `step`, `rows`. Counts are exact whatever answers; quantiles are within 2 %. Errors \
             are status 500 and above. `source` names what was read.",
        )
        .refusing(&[422]),
        Operation::rows(HOURLY, async |api: Arc<Api>, Hours(question)| buckets(api, question).await, None)
            .about("From hourly aggregates, the present hour included.")
            .refusing(&[422]),
        Operation::rows(DAILY, async |api: Arc<Api>, Days(question)| buckets(api, question).await, None)
            .about("From daily aggregates (days of UTC), the present day included.")
            .refusing(&[422]),
        Operation::rows(TOP, top, None)
            .about("With `slo`, what each endpoint spent of that SLO's budget; an open `from` is an hour before the end then.")
            .refusing(&[404, 422]),
    ]
}

async fn buckets(api: Arc<Api>, question: KpiQuestion) -> Result<KpiRows, Refusal> {
    Ok(api.bound.ask(api.past.kpis(&question)).await?.into_rows())
}

async fn top(api: Arc<Api>, question: TopQuestion) -> Result<Endpoints, Refusal> {
    api.bound.ask(api.past.top(&question)).await
}
