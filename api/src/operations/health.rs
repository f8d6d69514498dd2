//! How the installation is.

use std::sync::Arc;

use slipstream_runtime::health::State;

use crate::api::Api;
use crate::ask::answers::health::{Health, HealthStatus, RoleState, StoreState};
use crate::operation::{Asked, Called, Operation};
use crate::refusal::Refusal;
use crate::reply::{Format, Reply, negotiate};

pub fn operations() -> Vec<Operation> {
    const HEALTH: Called =
        Called { path: "/health", id: "getHealth", tag: "Installation", summary: "How the installation is" };
    vec![
        Operation::raw(HEALTH, health)
            .answering::<Health>(&[Format::Json])
            .about("As far as this process can see: its roles, how far the store is, and what it knows of the SLOs.")
            .untagged(),
    ]
}

async fn health(api: Arc<Api>, (): (), asked: Asked) -> Result<Reply, Refusal> {
    negotiate(&asked.headers, None, &[Format::Json])?;
    let store = api.bound.ask(api.past.store_state()).await;
    let store = store.unwrap_or_else(|refusal| StoreState::silent(refusal.to_string()));
    let follower = api.live.now().ok().map(|(_, known)| known);
    let roles = api.health.snapshot();
    let works = roles.values().all(|state| *state == State::Ready);
    let knows = follower.as_ref().is_some_and(|known| known.complete);
    let status = if works && store.answers && knows { HealthStatus::Ok } else { HealthStatus::Degraded };
    let roles = roles.into_iter().map(|(name, state)| (name, told(state))).collect();
    let health = Health { status, roles, store, follower };
    Ok(Reply { tag: None, ..Reply::json(&health)? })
}

fn told(state: State) -> RoleState {
    let (state, detail) = match state {
        State::Starting(detail) => ("starting", Some(detail)),
        State::Ready => ("ready", None),
        State::Waiting(detail) => ("waiting", Some(detail)),
    };
    RoleState { state: state.to_owned(), detail }
}
