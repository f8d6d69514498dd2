//! Erasing people.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_schemas::LogTime;
use utoipa::ToSchema;

use crate::api::Api;
use crate::ask::answers::Example;
use crate::ask::answers::erasure::Erased;
use crate::operation::{Called, Operation, Scope};
use crate::question::{Name, Value};
use crate::refusal::{Mistake, Refusal};

/// Whom to erase.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// As events have it.
    #[schema(min_length = 1, max_length = 256, example = "u-17")]
    user_ref: String,
}

impl Example for Erasure {
    fn example() -> Self {
        Erasure { user_ref: "u-17".to_owned() }
    }
}

pub fn operations() -> Vec<Operation> {
    const ERASURES: Called = Called {
        path: "/erasures",
        id: "eraseUser",
        tag: "Installation",
        summary: "Overwrite a user's reference in the store",
    };
    vec![
        Operation::post(ERASURES, read, erase)
            .about("The rows stay, so no count changes. What the log still holds, and until when, is in the answer.")
            .for_scope(Scope::Operate)
            .refusing(&[413, 415, 422]),
    ]
}

fn read(Erasure { user_ref }: Erasure) -> Result<String, Refusal> {
    let wrong = |message| Refusal::Mistakes(vec![Mistake::new("user_ref", message)]);
    Name::read(&user_ref).map(|Name(name)| name).map_err(wrong)
}

async fn erase(api: Arc<Api>, user_ref: String) -> Result<Erased, Refusal> {
    api.bound.erase(api.past.erase(&user_ref, LogTime(Timestamp::now().as_millisecond()))).await
}
