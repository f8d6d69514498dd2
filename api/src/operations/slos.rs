//! How the SLOs stand: from what is known here, without asking anybody.

use std::sync::Arc;

use bytes::Bytes;
use slipstream_store::alerts::AlertState;

use super::filter::{SERVICE, as_of};
use crate::api::Api;
use crate::ask::AskError;
use crate::ask::answers::slos::{Known, STANDING, SloDetail, Slos};
use crate::ask::detail::detail;
use crate::ask::questions::{AlertsQuestion, SloQuestion, SlosQuestion};
use crate::operation::{Asked, Called, Operation};
use crate::question::{Asking, Limit, Name, Param, Question};
use crate::refusal::Refusal;
use crate::reply::{Format, Reply, Tag, negotiate};

const BEGINNING: Param<Name> = Param::new("name", "Whose name begins so", "payment");
pub const NAME: Param<Name> = Param::new("name", "Name of the SLO", "payment-availability");
const FORMAT: Param<Format> = Param::new("format", "Overrides Accept", "json").or("what Accept asks for");

/// SLOs, in a format.
struct Listed {
    question: SlosQuestion,
    format: Option<Format>,
}

impl Question for Listed {
    fn read(asking: &mut Asking) -> Self {
        let question = SlosQuestion {
            service: asking.one(&SERVICE).map(|Name(name)| name),
            name: asking.one(&BEGINNING).map(|Name(name)| name),
            as_of: as_of(asking),
        };
        Listed { question, format: asking.one(&FORMAT) }
    }
}

impl Question for SloQuestion {
    fn read(asking: &mut Asking) -> Self {
        let Name(name) = asking.path(&NAME);
        SloQuestion { name, as_of: as_of(asking) }
    }
}

pub fn operations() -> Vec<Operation> {
    const SLOS: Called = Called {
        path: "/slos",
        id: "listSlos",
        tag: "SLOs",
        summary: "How every objective stands, worst budget first",
    };
    const SLO: Called = Called { path: "/slos/{name}", id: "getSlo", tag: "SLOs", summary: "One SLO in detail" };
    vec![
        Operation::raw(SLOS, slos)
            .answering::<Slos>(Format::BOTH)
            .about(
                "Exact up to the last second that is known, `as_of`. While nothing new is heard of, `complete` is false, \
                 and `stale_for_seconds` says for how long.",
            )
            .refusing(&[422]),
        Operation::json(SLO, slo)
            .about("Its definition in brief, how its objectives stand, what its rules find, bad requests, open alerts.")
            .refusing(&[404, 422]),
    ]
}

async fn slos(api: Arc<Api>, Listed { question, format }: Listed, asked: Asked) -> Result<Reply, Refusal> {
    let format = negotiate(&asked.headers, format, Format::BOTH)?;
    if question.as_of.is_some() {
        return Err(not_in_this_version());
    }
    let (snapshot, known) = api.live.now()?;
    let (body, tag) = snapshot.only(question.service.as_deref(), question.name.as_deref());
    let reply = match format {
        Format::Json => json(body, tag, &known),
        Format::Csv => csv(&body)?,
    };
    Ok(reply.as_of(known.as_of.as_deref()).stale_for(known.stale_for_seconds))
}

fn not_in_this_version() -> Refusal {
    AskError::Unanswerable("as_of: this version cannot answer that yet".to_owned()).into()
}

/// Standings and what is known, around bytes that are there already.
fn json(body: Bytes, tag: Tag, known: &Known) -> Reply {
    let known = serde_json::to_vec(known).unwrap_or_default();
    // What is known is an object, too: its fields follow the list.
    let end = [b"],", known.get(1..).unwrap_or_default()].concat();
    let tag = tag.around(&[&end]);
    let body = vec![Bytes::from_static(b"{\"slos\":["), body, Bytes::from(end)];
    Reply { body, media: Format::Json.media(), tag: Some(tag), headers: Vec::new() }
}

fn csv(body: &Bytes) -> Result<Reply, Refusal> {
    let list = [b"[", body.as_ref(), b"]"].concat();
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&list).map_err(|error| Refusal::Broken(format!("reading standings: {error}")))?;
    Reply::table(STANDING, &rows)
}

async fn slo(api: Arc<Api>, question: SloQuestion) -> Result<SloDetail, Refusal> {
    if question.as_of.is_some() {
        return Err(not_in_this_version());
    }
    let (snapshot, known) = api.live.now()?;
    let unknown = || Refusal::NoSuch { what: "SLO", name: question.name.clone() };
    let (slo, standings, states) = snapshot.one(&question.name).ok_or_else(unknown)?;
    let open = AlertsQuestion {
        slo: Some(question.name.clone()),
        states: vec![AlertState::Pending, AlertState::Firing],
        limit: Limit::MOST,
        ..AlertsQuestion::default()
    };
    let alerts = api.bound.ask(api.past.alerts(&open)).await?.alerts;
    Ok(detail(slo, standings, states, alerts, known))
}
