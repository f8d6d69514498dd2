//! Silences: alerts of which nobody is told for a time.

use std::sync::Arc;

use jiff::Timestamp;
use slipstream_schemas::LogTime;
use slipstream_slo::alerts::SilenceState;

use super::events::{LIMIT, USUAL};
use crate::api::Api;
use crate::ask::SilenceQuestion;
use crate::ask::answers::silences::Silences;
use crate::operation::{Called, Operation};
use crate::question::{Asking, Choice, Limit, Param, Question};
use crate::refusal::Refusal;

impl Choice for SilenceState {
    const ALL: &'static [Self] = &[SilenceState::Pending, SilenceState::Active, SilenceState::Expired];

    fn name(self) -> &'static str {
        self.name()
    }
}

const STATE: Param<SilenceState> = Param::new("state", "In this state; several for any of them", "active");

impl Question for SilenceQuestion {
    fn read(asking: &mut Asking) -> Self {
        SilenceQuestion { states: asking.all(&STATE), limit: asking.one(&LIMIT).map_or(USUAL, |Limit(limit)| limit) }
    }
}

pub fn operations() -> Vec<Operation> {
    const SILENCES: Called = Called {
        path: "/silences",
        id: "listSilences",
        tag: "Alerts",
        summary: "Alerts of which nobody is told for a time",
    };
    vec![Operation::json(SILENCES, silences).about(
        "Newest first, with where each stands now: one that recurs is active only while one of its times lasts, and pending between \
         them. What a silence held back is in `/notifications?reason=silenced`. They are \
         recorded at the gateway.",
    )]
}

async fn silences(api: Arc<Api>, question: SilenceQuestion) -> Result<Silences, Refusal> {
    api.bound.ask(api.past.silences(&question, LogTime(Timestamp::now().as_millisecond()))).await
}
