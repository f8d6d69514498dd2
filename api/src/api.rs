//! What all requests share.

use std::sync::Arc;

use bytes::Bytes;
use slipstream_runtime::access::Access;
use slipstream_runtime::{Health, Shutdown};

use crate::ask::Past;
use crate::bound::Bound;
use crate::live::Live;

/// See the module.
pub struct Api {
    /// What the store and the log know.
    pub past: Past,
    /// What is known of the SLOs at the moment.
    pub live: Arc<Live>,
    /// The roles of this process.
    pub health: Health,
    /// Whom it answers.
    pub access: Access,
    /// How many questions the store is asked at a time.
    pub bound: Bound,
    /// What describes the API.
    pub documents: Documents,
    /// Ends streams.
    pub shutdown: Shutdown,
}

/// What describes the API, as bytes.
pub struct Documents {
    /// The OpenAPI document.
    pub openapi: Bytes,
    /// The Postman collection.
    pub postman: Bytes,
}
