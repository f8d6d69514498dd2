//! An operation: what it is called, what it asks, what it answers, and who answers. The router and the OpenAPI document are made
//! of the same ones, so there is no route that is not documented, and nothing documented that is no route.

mod answering;

use std::sync::Arc;

use axum::http::Method;
use axum::routing::MethodRouter;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::api::Api;
use crate::ask::answers::Example;
use crate::problem;
use crate::question::Documented;
use crate::refusal::Refusal;
use crate::reply::Format;

pub use answering::{Asked, FORMAT};

/// What its caller has to be allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: it tells nothing of the installation.
    Open,
    /// To read.
    Read,
    /// To operate.
    Operate,
}

/// What a header tells of an answer: of a table there is no other place for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Up to when it is known.
    AsOf,
    /// For how long what it is made of has not moved on.
    StaleFor,
    /// How many Rules there are beside a table.
    Rules,
    /// Where the next page is.
    Link,
}

/// What an answer looks like in the document.
pub struct Content {
    /// Media type.
    pub media: &'static str,
    /// Its schema; `None` where a schema says nothing.
    pub schema: Option<RefOr<Schema>>,
    /// An example.
    pub example: Option<Value>,
}

/// The named schemas that others refer to.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// See the module.
pub struct Operation {
    /// GET (and so HEAD), or POST.
    pub method: Method,
    /// Below `/api/v1`.
    pub path: &'static str,
    /// Its id in the document.
    pub id: &'static str,
    /// What it belongs to.
    pub tag: &'static str,
    /// In a few words.
    pub summary: &'static str,
    /// In more words.
    pub about: &'static str,
    /// Who may.
    pub scope: Scope,
    /// What it can be asked.
    pub parameters: Vec<Documented>,
    /// Its body, if it takes one.
    pub body: Option<Content>,
    /// What it answers, by media type.
    pub answers: Vec<Content>,
    /// Schemas that these refer to.
    pub schemas: Schemas,
    /// Statuses of refusals beside those that every operation has.
    pub refuses: &'static [u16],
    /// What headers tell of its answers, beside the ETag.
    pub told: &'static [Told],
    /// Whether its answers have ETags.
    pub tagged: bool,
    /// Who answers.
    pub route: MethodRouter<Arc<Api>>,
}

/// What an operation is called.
#[derive(Debug, Clone, Copy)]
pub struct Called {
    /// Below `/api/v1`.
    pub path: &'static str,
    /// Its id in the document.
    pub id: &'static str,
    /// What it belongs to.
    pub tag: &'static str,
    /// In a few words.
    pub summary: &'static str,
}

impl Operation {
    fn new(
        called: Called,
        method: Method,
        parameters: Vec<Documented>,
        route: MethodRouter<Arc<Api>>,
        allowed: &'static str,
    ) -> Operation {
        let Called { path, id, tag, summary } = called;
        let not_allowed = async move || problem::response(&Refusal::Method { allowed });
        Operation {
            method,
            path,
            id,
            tag,
            summary,
            about: "",
            scope: Scope::Read,
            parameters,
            body: None,
            answers: Vec::new(),
            schemas: Vec::new(),
            refuses: &[],
            told: &[],
            tagged: true,
            route: route.fallback(not_allowed),
        }
    }

    /// What there is to say about it.
    #[must_use]
    pub fn about(self, about: &'static str) -> Operation {
        Operation { about, ..self }
    }

    /// Who may.
    #[must_use]
    pub fn for_scope(self, scope: Scope) -> Operation {
        Operation { scope, ..self }
    }

    /// Further statuses of refusals.
    #[must_use]
    pub fn refusing(self, refuses: &'static [u16]) -> Operation {
        Operation { refuses, ..self }
    }

    /// What headers tell of its answers.
    #[must_use]
    pub fn telling(self, told: &'static [Told]) -> Operation {
        Operation { told, ..self }
    }

    /// Its answers are not to be kept.
    #[must_use]
    pub fn untagged(self) -> Operation {
        Operation { tagged: false, ..self }
    }

    /// It answers a type in these formats.
    #[must_use]
    pub fn answering<A: ToSchema + Example + Serialize>(mut self, formats: &[Format]) -> Operation {
        for format in formats {
            let content = content::<A>(format.media(), *format == Format::Json, &mut self.schemas);
            self.answers.push(content);
        }
        self
    }

    /// The document describes this type, too: parts of what it answers are of it.
    #[must_use]
    pub fn knowing<A: ToSchema + Example + Serialize>(mut self) -> Operation {
        content::<A>(Format::Json.media(), true, &mut self.schemas);
        self
    }

    /// It answers what no schema describes.
    #[must_use]
    pub fn answering_text(mut self, media: &'static str) -> Operation {
        self.answers.push(Content { media, schema: None, example: None });
        self
    }
}

fn content<A: ToSchema + Example + Serialize>(media: &'static str, is_json: bool, schemas: &mut Schemas) -> Content {
    if !is_json {
        return Content { media, schema: None, example: None };
    }
    schemas.push((A::name().into_owned(), A::schema()));
    A::schemas(schemas);
    let schema = utoipa::openapi::Ref::from_schema_name(A::name());
    Content { media, schema: Some(schema.into()), example: serde_json::to_value(A::example()).ok() }
}
