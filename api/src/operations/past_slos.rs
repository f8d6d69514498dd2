//! How SLOs stood, and who spent their budgets.

use std::sync::Arc;

use jiff::Timestamp;
use slipstream_query::history::{ContributorQuestion, Dimension, HistoryQuestion};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::events::LIMIT;
use super::filter::{FROM, event_time, range, unix};
use super::slos::NAME;
use crate::api::Api;
use crate::ask::answers::contributors::Contributors;
use crate::ask::answers::history::History;
use crate::operation::{Called, Operation};
use crate::question::{Asking, Length, Limit, Name, Param, Question, Text, Value};
use crate::refusal::Refusal;

const STEP: Param<Length> =
    Param::new("step", "One point for each step of time: the last that was published", "5m").or("some 500 points");
const OBJECTIVE: Param<Name> = Param::new("objective", "Only this objective", "0");
const GROUP: Param<Text> =
    Param::new("group.NAME", "Only groups with exactly this value of the label NAME; up to 32 of them", "/pay");
const BY: Param<Dimension> = Param::new("by", "A field of events, or attribute.NAME", "endpoint").or("endpoint");
/// Where neither end of a history is given: the last day.
const DAY: i64 = 86_400;
/// How many contributors, where the request does not say.
const USUAL: usize = 20;

impl Value for Dimension {
    fn read(text: &str) -> Result<Self, String> {
        Dimension::named(text).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        let pattern = r"^(service|environment|endpoint|method|status_code|user_ref|attribute\..+)$";
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build().into()
    }
}

impl Question for HistoryQuestion {
    fn read(asking: &mut Asking) -> Self {
        let Name(slo) = asking.path(&NAME);
        let (from, to) = range(asking);
        let (from, to) = (from.map(unix), to.map(unix));
        if from.is_some() && from == to {
            asking.complain(FROM.name, "it is `to`: nothing lies between them".to_owned());
        }
        let to = to.unwrap_or_else(|| Timestamp::now().as_second().max(from.unwrap_or(0)) + 1);
        HistoryQuestion {
            slo,
            from: from.unwrap_or(to - DAY),
            to,
            step: asking.one(&STEP).map(|Length(seconds)| seconds),
            objective: asking.one(&OBJECTIVE).map(|Name(name)| name),
            group: asking.named("group.", &GROUP),
        }
    }
}

impl Question for ContributorQuestion {
    fn read(asking: &mut Asking) -> Self {
        let Name(slo) = asking.path(&NAME);
        let (from, to) = range(asking);
        ContributorQuestion {
            slo,
            objective: asking.one(&OBJECTIVE).map(|Name(name)| name),
            from: from.map(event_time),
            to: to.map(event_time),
            by: asking.one(&BY).unwrap_or(Dimension::Field("endpoint")),
            limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit),
        }
    }
}

pub fn operations() -> Vec<Operation> {
    const HISTORY: Called =
        Called { path: "/slos/{name}/history", id: "getSloHistory", tag: "SLOs", summary: "How an SLO stood" };
    const CONTRIBUTORS: Called = Called {
        path: "/slos/{name}/contributors",
        id: "listContributors",
        tag: "SLOs",
        summary: "Who spent an SLO's budget",
    };
    vec![
        Operation::rows(HISTORY, history, None)
            .about(
                "Points as they were published: every ten seconds with traffic, every minute without. Without `to` up to \
                 now, without `from` the day before.",
            )
            .refusing(&[404, 422]),
        Operation::rows(CONTRIBUTORS, contributors, None)
            .about(
                "Bad requests of an hour, or of `from` to `to`, by the values of a field: the shares, with that of `other`, \
                 add up to exactly 1.",
            )
            .refusing(&[404, 422]),
    ]
}

async fn history(api: Arc<Api>, question: HistoryQuestion) -> Result<History, Refusal> {
    api.bound.ask(api.past.points(&question)).await
}

async fn contributors(api: Arc<Api>, question: ContributorQuestion) -> Result<Contributors, Refusal> {
    api.bound.ask(api.past.contributors(&question)).await
}
