//! The endpoints that stand out: by requests, by errors, by latency, by what they have spent of an error budget.

use serde::{Deserialize, Serialize};
use slipstream_definitions::definition::Document;
use slipstream_schemas::records::BudgetUnit;
use slipstream_store::EventFilter;
use slipstream_store::kpis::{Field, FieldValue, KpiAnswer, KpiQuestion, KpiRow};

use super::History;
use super::contributors::Judged;
use crate::QueryError;

/// What endpoints are sorted by, greatest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopSort {
    /// Requests.
    #[default]
    Hits,
    /// Requests with status 500 and above.
    Errors,
    /// Their share.
    ErrorRate,
    /// 95th percentile of the latency.
    P95,
    /// Share of the SLO's budget that their bad requests have spent.
    BudgetSpent,
}

impl TopSort {
    /// Every way, for listing them.
    pub const ALL: [TopSort; 5] =
        [TopSort::Hits, TopSort::Errors, TopSort::ErrorRate, TopSort::P95, TopSort::BudgetSpent];

    /// Its name in questions.
    pub fn name(self) -> &'static str {
        match self {
            TopSort::Hits => "hits",
            TopSort::Errors => "errors",
            TopSort::ErrorRate => "error_rate",
            TopSort::P95 => "p95",
            TopSort::BudgetSpent => "budget_spent",
        }
    }
}

/// The question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopQuestion {
    /// Which requests.
    pub filter: EventFilter,
    /// What comes first.
    pub sort: TopSort,
    /// At most so many.
    pub limit: usize,
    /// Whose budget; its name, and its objective if it has several. Its requests are judged one by one: an open begin is an hour
    /// before the end.
    pub slo: Option<(String, Option<String>)>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopAnswer {
    /// Start of the range, RFC 3339.
    pub from: Option<String>,
    /// Its end.
    pub to: Option<String>,
    /// The endpoints, greatest first.
    pub endpoints: Vec<TopRow>,
    /// How many there are in all.
    pub endpoints_total: usize,
    /// Which rows were read.
    pub source: String,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopRow {
    /// The service.
    pub service: String,
    /// The environment; empty where events named none.
    pub environment: String,
    /// The endpoint.
    pub endpoint: String,
    /// The method.
    pub method: String,
    /// Requests.
    pub hits: u64,
    /// Those with status 500 and above.
    pub errors: u64,
    /// errors / hits.
    pub error_rate: f64,
    /// Requests per second.
    pub throughput: Option<f64>,
    /// Average latency.
    pub avg_latency_ms: Option<f64>,
    /// Median latency.
    pub p50_latency_ms: Option<f64>,
    /// 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// 99th percentile.
    pub p99_latency_ms: Option<f64>,
    /// Greatest latency.
    pub max_latency_ms: Option<f64>,
    /// Of these requests, those that were bad by the SLO; null without one.
    pub bad: Option<i64>,
    /// Share of the SLO's budget, as it is now, that these have spent; null without one, while it allows nothing, and of a Rule, which
    /// has none.
    pub budget_spent: Option<f64>,
}

/// What endpoints are told apart by.
const FIELDS: [Field; 4] = [Field::Service, Field::Environment, Field::Endpoint, Field::Method];

impl History {
    /// The endpoints that stand out.
    ///
    /// # Errors
    /// When log or store cannot be read, the store lacks what was logged by the time that is asked for, or the question makes no
    /// sense.
    pub async fn top(&self, question: &TopQuestion) -> Result<TopAnswer, QueryError> {
        if question.sort == TopSort::BudgetSpent && question.slo.is_none() {
            return Err(QueryError::Refused("sorted by budget_spent: say of which SLO".to_owned()));
        }
        if let (Some((slo, _)), TopSort::BudgetSpent) = (&question.slo, question.sort)
            && !self.has_budget(slo).await?
        {
            let why = format!("{slo} is a Rule, which has no budget: sort by errors, or by error_rate");
            return Err(QueryError::Refused(why));
        }
        if question.slo.is_some() && question.filter.logged_by.is_some() {
            let why = "what endpoints spent of a budget is known of now alone: leave out as_of, or the SLO";
            return Err(QueryError::Refused(why.to_owned()));
        }
        if let Some(at) = question.filter.logged_by {
            self.require_stored(at).await?;
        }
        let mut filter = question.filter.clone();
        if question.slo.is_some() {
            let (from, to) = self.last_hour(filter.from, filter.to).await?;
            (filter.from, filter.to) = (Some(from), Some(to));
        }
        let kpis = KpiQuestion { filter: filter.clone(), by: FIELDS.to_vec(), ..KpiQuestion::default() };
        let KpiAnswer::Rows { rows } = self.store.kpis(&kpis).await? else { return Ok(TopAnswer::nothing()) };
        let Some(first) = rows.first() else { return Ok(TopAnswer::nothing()) };
        let (from, to, source) = (first.kpis.from.clone(), first.kpis.to.clone(), first.kpis.source.clone());
        let mut endpoints: Vec<TopRow> = rows.iter().map(TopRow::new).collect();
        if let Some((slo, objective)) = &question.slo {
            self.add_spent(&mut endpoints, &filter, (slo, objective.as_deref())).await?;
        }
        endpoints.sort_by(|a, b| b.key(question.sort).total_cmp(&a.key(question.sort)));
        let endpoints_total = endpoints.len();
        endpoints.truncate(question.limit);
        Ok(TopAnswer { from, to, endpoints, endpoints_total, source })
    }

    async fn add_spent(
        &self,
        endpoints: &mut [TopRow],
        filter: &EventFilter,
        (slo, objective): (&str, Option<&str>),
    ) -> Result<(), QueryError> {
        // The requests of the rows, and no others.
        let Judged { objective, by, .. } = self
            .judged((slo, objective), filter, |event| {
                [&*event.service, &*event.environment, &*event.endpoint, &*event.method].map(str::to_owned)
            })
            .await?;
        let allowed = if self.has_budget(slo).await? { self.allowed(slo, &objective).await? } else { 0.0 };
        for row in endpoints {
            let tuple = [&row.service, &row.environment, &row.endpoint, &row.method].map(Clone::clone);
            let bad = by.get(&tuple).map_or(0, |counts| counts.bad);
            row.bad = Some(bad);
            row.budget_spent = (allowed > 0.0).then(|| bad as f64 / allowed);
        }
        Ok(())
    }
}

impl History {
    /// A Rule promises nothing.
    async fn has_budget(&self, slo: &str) -> Result<bool, QueryError> {
        Ok(self.slo_in_force(slo).await?.document == Document::Slo)
    }

    /// What may be bad over the period, of all groups; 0 where requests are not what is counted.
    async fn allowed(&self, slo: &str, objective: &str) -> Result<f64, QueryError> {
        let states = self.store.slo_states(None).await?;
        let mine = states.iter().filter(|state| state.slo == slo && state.objective == objective);
        Ok(mine.filter(|state| state.unit == BudgetUnit::Events).map(|state| state.budget_total).sum())
    }
}

impl TopAnswer {
    fn nothing() -> TopAnswer {
        TopAnswer { from: None, to: None, endpoints: Vec::new(), endpoints_total: 0, source: "rollup".to_owned() }
    }
}

impl TopRow {
    fn new(row: &KpiRow) -> TopRow {
        let text = |field: Field| match row.key.get(field.name()) {
            Some(FieldValue::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let kpis = &row.kpis;
        TopRow {
            service: text(Field::Service),
            environment: text(Field::Environment),
            endpoint: text(Field::Endpoint),
            method: text(Field::Method),
            hits: kpis.hits,
            errors: kpis.errors,
            error_rate: kpis.error_rate,
            throughput: kpis.throughput,
            avg_latency_ms: kpis.avg_latency_ms,
            p50_latency_ms: kpis.p50_latency_ms,
            p95_latency_ms: kpis.p95_latency_ms,
            p99_latency_ms: kpis.p99_latency_ms,
            max_latency_ms: kpis.max_latency_ms,
            bad: None,
            budget_spent: None,
        }
    }

    fn key(&self, sort: TopSort) -> f64 {
        match sort {
            TopSort::Hits => self.hits as f64,
            TopSort::Errors => self.errors as f64,
            TopSort::ErrorRate => self.error_rate,
            TopSort::P95 => self.p95_latency_ms.unwrap_or(-1.0),
            TopSort::BudgetSpent => self.budget_spent.or(self.bad.map(|bad| bad as f64)).unwrap_or(-1.0),
        }
    }
}
