//! What requests add up to.

use std::sync::Arc;

use slipstream_store::kpis::Field;

use super::events::{LIMIT, USUAL};
use super::filter::{as_of, dimensions, everything};
use crate::api::Api;
use crate::ask::answers::kpis::{Endpoints, KpiAnswer, KpiRows};
use crate::ask::questions::{BucketsQuestion, Grain, KpisQuestion, Sort, Source, TopQuestion};
use crate::operation::{Called, Operation};
use crate::question::{Asking, Choice, Length, Limit, Name, Param, Question};
use crate::refusal::Refusal;
use crate::reply::{Format, Reply, negotiate};

impl Choice for Field {
    const ALL: &'static [Self] = &Field::ALL;

    fn name(self) -> &'static str {
        Field::name(self)
    }
}

impl Choice for Source {
    const ALL: &'static [Self] = &[Source::Daily, Source::Hourly, Source::Rollup, Source::Raw];

    fn name(self) -> &'static str {
        match self {
            Source::Daily => "daily",
            Source::Hourly => "hourly",
            Source::Rollup => "rollup",
            Source::Raw => "raw",
        }
    }
}

impl Choice for Sort {
    const ALL: &'static [Self] = &[Sort::Hits, Sort::Errors, Sort::ErrorRate, Sort::P95, Sort::BudgetSpent];

    fn name(self) -> &'static str {
        match self {
            Sort::Hits => "hits",
            Sort::Errors => "errors",
            Sort::ErrorRate => "error_rate",
            Sort::P95 => "p95",
            Sort::BudgetSpent => "budget_spent",
        }
    }
}

const BY: Param<Field> = Param::new("by", "A row for each value; two fields for each pair of values", "endpoint");
const STEP: Param<Length> = Param::new("step", "A row for each step of time", "1h");
const SOURCE: Param<Source> =
    Param::new("source", "Read from this alone", "rollup").or("the fastest that has everything asked for");
const SORT: Param<Sort> = Param::new("sort", "Which come first", "errors").or("hits");
const SLO: Param<Name> = Param::new("slo", "Whose budget the endpoints spend", "payment-availability");
const FORMAT: Param<Format> = Param::new("format", "Overrides Accept", "json").or("what Accept asks for");

/// Fields to group by: two at most, each once.
fn fields(asking: &mut Asking) -> Vec<Field> {
    let fields: Vec<Field> = asking.all(&BY);
    if fields.len() > 2 {
        asking.complain(BY.name, format!("{} fields; give two at most", fields.len()));
    }
    if let [one, other] = fields[..]
        && one == other
    {
        asking.complain(BY.name, format!("{} twice; give it once", one.name()));
    }
    fields
}

/// A question for totals or rows, of which CSV has rows in any case.
struct Figures {
    question: KpisQuestion,
    format: Option<Format>,
}

impl Question for Figures {
    fn read(asking: &mut Asking) -> Self {
        let question = KpisQuestion {
            filter: everything(asking),
            by: fields(asking),
            step: asking.one(&STEP).map(|Length(seconds)| seconds),
            source: asking.one(&SOURCE),
            as_of: as_of(asking),
        };
        Figures { question, format: asking.one(&FORMAT) }
    }
}

/// Hours.
struct Hours(BucketsQuestion);

/// Days.
struct Days(BucketsQuestion);

impl Question for Hours {
    fn read(asking: &mut Asking) -> Self {
        Hours(BucketsQuestion { grain: Grain::Hour, filter: dimensions(asking), by: fields(asking) })
    }
}

impl Question for Days {
    fn read(asking: &mut Asking) -> Self {
        Days(BucketsQuestion { grain: Grain::Day, filter: dimensions(asking), by: fields(asking) })
    }
}

impl Question for TopQuestion {
    fn read(asking: &mut Asking) -> Self {
        let question = TopQuestion {
            filter: dimensions(asking),
            sort: asking.one(&SORT).unwrap_or_default(),
            slo: asking.one(&SLO).map(|Name(name)| name),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
        };
        if question.sort == Sort::BudgetSpent && question.slo.is_none() {
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
                Format::Json => Reply::json(&answer),
                Format::Csv => Reply::rows(&answer.into_rows(), format),
            }
        })
        .answering::<KpiAnswer>(Format::BOTH)
        .about(
            "One total; with `by` or `step`, `rows`. Counts are exact whatever answers; quantiles are within 2 %. Errors \
             are status 500 and above. `source` names what was read.",
        )
        .refusing(&[422]),
        Operation::rows(HOURLY, async |api: Arc<Api>, Hours(question)| buckets(api, question).await, none)
            .about("From hourly aggregates, the present hour included.")
            .refusing(&[422]),
        Operation::rows(DAILY, async |api: Arc<Api>, Days(question)| buckets(api, question).await, none)
            .about("From daily aggregates (days of UTC), the present day included.")
            .refusing(&[422]),
        Operation::rows(TOP, top, |_| None)
            .about("With `slo`, what each endpoint spent of that SLO's budget.")
            .refusing(&[404, 422]),
    ]
}

fn none(_: &KpiRows) -> Option<&str> {
    None
}

async fn buckets(api: Arc<Api>, question: BucketsQuestion) -> Result<KpiRows, Refusal> {
    api.bound.ask(api.past.buckets(&question)).await
}

async fn top(api: Arc<Api>, question: TopQuestion) -> Result<Endpoints, Refusal> {
    api.bound.ask(api.past.top(&question)).await
}
