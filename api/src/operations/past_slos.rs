//! How SLOs stood, and who spent their budgets.

use std::sync::Arc;

use super::events::{LIMIT, USUAL};
use super::filter::{event_time, range, unix};
use super::slos::NAME;
use crate::api::Api;
use crate::ask::answers::past_slos::{Contributors, History};
use crate::ask::questions::{ContributorsQuestion, HistoryQuestion};
use crate::operation::{Called, Operation};
use crate::question::{Asking, Length, Limit, Name, Param, Question, Text};
use crate::refusal::Refusal;

const STEP: Param<Length> = Param::new("step", "One point for each step of time: the last one that is stored", "5m");
const OBJECTIVE: Param<Name> = Param::new("objective", "Only this objective", "0");
const GROUP: Param<Text> =
    Param::new("group.NAME", "Only groups with exactly this value of the label NAME; any number of them", "/pay");
const BY: Param<Name> = Param::new("by", "A field of events, or attribute.NAME", "endpoint").or("endpoint");

impl Question for HistoryQuestion {
    fn read(asking: &mut Asking) -> Self {
        let Name(slo) = asking.path(&NAME);
        let (from, to) = range(asking);
        HistoryQuestion {
            slo,
            from: from.map(unix),
            to: to.map(unix),
            step: asking.one(&STEP).map(|Length(seconds)| seconds),
            objective: asking.one(&OBJECTIVE).map(|Name(name)| name),
            group: asking.named("group.", &GROUP),
        }
    }
}

impl Question for ContributorsQuestion {
    fn read(asking: &mut Asking) -> Self {
        let Name(slo) = asking.path(&NAME);
        let (from, to) = range(asking);
        ContributorsQuestion {
            slo,
            from: from.map(event_time),
            to: to.map(event_time),
            objective: asking.one(&OBJECTIVE).map(|Name(name)| name),
            by: asking.one(&BY).map_or_else(|| "endpoint".to_owned(), |Name(name)| name),
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
        Operation::rows(HISTORY, history, |_| None)
            .about("Points as they were published: every ten seconds with traffic, every minute without.")
            .refusing(&[404, 422]),
        Operation::rows(CONTRIBUTORS, contributors, |_| None)
            .about("All that was bad, by the values of a field: the shares, with that of `other`, add up to 1.")
            .refusing(&[404, 422]),
    ]
}

async fn history(api: Arc<Api>, question: HistoryQuestion) -> Result<History, Refusal> {
    api.bound.ask(api.past.slo_history(&question)).await
}

async fn contributors(api: Arc<Api>, question: ContributorsQuestion) -> Result<Contributors, Refusal> {
    api.bound.ask(api.past.contributors(&question)).await
}
