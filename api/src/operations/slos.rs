//! How the SLOs stand: from what is known here, without asking anybody; and how they stood, from what is stored.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipstream_schemas::LogTime;
use slipstream_store::alerts::{AlertFilter, AlertState};
use tokio::time::timeout;

use super::filter::{SERVICE, as_of};
use crate::api::Api;
use crate::ask::answers::alerts::Alerts;
use crate::ask::answers::slo::SloDetail;
use crate::ask::answers::slos::{Known, Slos};
use crate::ask::detail::detail;
use crate::operation::{Asked, Called, FORMAT, Operation, Told};
use crate::question::{Asking, Limit, Name, Param, Question};
use crate::refusal::Refusal;
use crate::reply::{Format, Reply, Tag, negotiate};

const BEGINNING: Param<Name> = Param::new("name", "Whose name begins so", "payment");
pub const NAME: Param<Name> = Param::new("name", "Name of the SLO", "payment-availability");

/// How long one SLO's answer waits for its alerts.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// SLOs, in a format.
struct Listed {
    service: Option<String>,
    beginning: Option<String>,
    as_of: Option<LogTime>,
    format: Option<Format>,
}

impl Question for Listed {
    fn read(asking: &mut Asking) -> Self {
        Listed {
            service: asking.one(&SERVICE).map(|Name(name)| name),
            beginning: asking.one(&BEGINNING).map(|Name(name)| name),
            as_of: as_of(asking),
            format: asking.one(&FORMAT),
        }
    }
}

/// One SLO.
struct Named {
    name: String,
    as_of: Option<LogTime>,
}

impl Question for Named {
    fn read(asking: &mut Asking) -> Self {
        let Name(name) = asking.path(&NAME);
        Named { name, as_of: as_of(asking) }
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
            .telling(&[Told::AsOf, Told::StaleFor, Told::Rules])
            .about(
                "And where the Rules stand: one on an SLO is asked for by that one's name. Exact up to the last second that is known, \
                 `as_of`. While nothing new is heard of, `complete` is false, and `stale_for_seconds` says for how long. The table \
                 is of the objectives alone.",
            )
            .refusing(&[422]),
        Operation::json(SLO, slo)
            .about("Its definition in brief, how its objectives stand, what its rules find, bad requests, open alerts.")
            .refusing(&[404, 422]),
    ]
}

async fn slos(api: Arc<Api>, listed: Listed, asked: Asked) -> Result<Reply, Refusal> {
    let Listed { service, beginning, as_of, format } = listed;
    let format = negotiate(&asked.headers, format, Format::BOTH)?;
    if let Some(at) = as_of {
        let is = |wanted: &Option<String>, fits: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(fits);
        let then = api.past.slos(at, |of, name| {
            is(&service, &|service| of == service) && is(&beginning, &|beginning| name.starts_with(beginning))
        });
        let then = api.bound.ask(then).await?;
        return Ok(Reply::rows(&then, format)?.beside_rules(then.rules.len()));
    }
    let (snapshot, known) = api.live.now()?;
    let (rules, rules_tag, count) = snapshot.rules(service.as_deref(), beginning.as_deref());
    let reply = match format {
        Format::Json => {
            let slos = snapshot.only(service.as_deref(), beginning.as_deref());
            json(slos, (rules, rules_tag), &known)
        }
        Format::Csv => Reply::of(snapshot.table(service.as_deref(), beginning.as_deref()).await?, Format::Csv.media()),
    };
    Ok(reply.beside_rules(count).known_at(known.as_of.as_deref()).stale_for(known.stale_for_seconds))
}

/// Standings, Rules and what is known, around bytes that are there already.
fn json((slos, tag): (Bytes, Tag), (rules, tag_of_rules): (Bytes, Tag), known: &Known) -> Reply {
    let known = serde_json::to_vec(known).unwrap_or_default();
    // What is known is an object, too: its fields follow the lists.
    let end = [b"],", known.get(1..).unwrap_or_default()].concat();
    let tag = tag.around(&[tag_of_rules.header().as_bytes(), &end]);
    let (begin, between) = (Bytes::from_static(b"{\"slos\":["), Bytes::from_static(b"],\"rules\":["));
    let body = vec![begin, slos, between, rules, Bytes::from(end)];
    Reply { body, media: Format::Json.media(), tag: Some(tag), headers: Vec::new() }
}

async fn slo(api: Arc<Api>, Named { name, as_of }: Named) -> Result<SloDetail, Refusal> {
    if let Some(at) = as_of {
        let then = api.bound.ask(api.past.slo(&name, at)).await?;
        let alerts = open_alerts(&api, &name, as_of).await?;
        return Ok(detail(then.slo.as_ref(), then.standings, &then.states, Some(alerts), then.known));
    }
    let (snapshot, known) = api.live.now()?;
    let unknown = || Refusal::NoSuch { what: "SLO", name: name.clone() };
    let (slo, standings, states) = snapshot.one(&name).ok_or_else(unknown)?;
    // All else is known here: that is answered while the store is away.
    let alerts = match timeout(STORE_PATIENCE, open_alerts(&api, &name, None)).await {
        Ok(Err(Refusal::Later(_) | Refusal::Busy)) | Err(_) => None,
        Ok(alerts) => Some(alerts?),
    };
    Ok(detail(slo, standings, states, alerts, known))
}

async fn open_alerts(api: &Api, slo: &str, as_of: Option<LogTime>) -> Result<Alerts, Refusal> {
    let open = AlertFilter {
        slo: Some(slo.to_owned()),
        states: vec![AlertState::Pending, AlertState::Firing],
        limit: Some(Limit::MOST),
        ..AlertFilter::default()
    };
    api.bound.ask(api.past.alerts(&open, as_of)).await
}
