//! An operation: what it is called, what it asks, what it answers, and who answers. The router and the OpenAPI document are made
//! of the same ones, so there is no route that is not documented, and nothing documented that is no route.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, schema::Schema};

use crate::api::Api;
use crate::ask::answers::{Example, Rows};
use crate::body;
use crate::problem;
use crate::question::{Asking, Documented, Param, Question, documented, read};
use crate::refusal::{Mistake, Refusal};
use crate::reply::{Format, Reply, negotiate};

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

/// `format=csv`
pub const FORMAT: Param<Format> = Param::new("format", "Overrides Accept", "json").or("what Accept asks for");

/// A question, and in which format its answer is wanted.
struct InFormat<Q> {
    question: Q,
    format: Option<Format>,
}

impl<Q: Question> Question for InFormat<Q> {
    fn read(asking: &mut Asking) -> Self {
        InFormat { question: Q::read(asking), format: asking.one(&FORMAT) }
    }
}

/// A request, apart from its question.
pub struct Asked {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query string.
    pub query: String,
}

impl Operation {
    /// One that answers JSON.
    pub fn json<Q, A, F>(called: Called, ask: impl Fn(Arc<Api>, Q) -> F + Clone + Send + Sync + 'static) -> Operation
    where
        Q: Question,
        A: Serialize + ToSchema + Example + Send + 'static,
        F: Future<Output = Result<A, Refusal>> + Send,
    {
        let operation = Operation::raw(called, move |api, question: Q, asked: Asked| {
            let answer = ask(api, question);
            async move {
                negotiate(&asked.headers, None, &[Format::Json])?;
                Reply::json(&answer.await?)
            }
        });
        operation.answering::<A>(&[Format::Json])
    }

    /// One that answers rows, as JSON or CSV. `next` is where the next page begins, where there are pages.
    pub fn rows<Q, A, F>(
        called: Called,
        ask: impl Fn(Arc<Api>, Q) -> F + Clone + Send + Sync + 'static,
        next: fn(&A) -> Option<&str>,
    ) -> Operation
    where
        Q: Question,
        A: Rows + Serialize + ToSchema + Example + Send + 'static,
        F: Future<Output = Result<A, Refusal>> + Send,
    {
        let operation = Operation::raw(called, move |api, InFormat { question, format }: InFormat<Q>, asked: Asked| {
            let answer = ask(api, question);
            async move {
                let format = negotiate(&asked.headers, format, Format::BOTH)?;
                let answer = answer.await?;
                Ok(Reply::rows(&answer, format)?.with_next(&asked.query, next(&answer)))
            }
        });
        operation.answering::<A>(Format::BOTH)
    }

    /// One that makes its reply itself.
    pub fn raw<Q, F>(called: Called, ask: impl Fn(Arc<Api>, Q, Asked) -> F + Clone + Send + Sync + 'static) -> Operation
    where
        Q: Question,
        F: Future<Output = Result<Reply, Refusal>> + Send,
    {
        Operation::responding(called, move |api, question, asked: Asked| {
            let headers = asked.headers.clone();
            let reply = ask(api, question, asked);
            async move { Ok(reply.await?.response(&headers)) }
        })
    }

    /// One that makes its response itself.
    pub fn responding<Q, F>(
        called: Called,
        ask: impl Fn(Arc<Api>, Q, Asked) -> F + Clone + Send + Sync + 'static,
    ) -> Operation
    where
        Q: Question,
        F: Future<Output = Result<Response<Body>, Refusal>> + Send,
    {
        let handler = move |State(api): State<Arc<Api>>, path: PathParts, request: Request| {
            let ask = ask.clone();
            async move {
                let (head, _) = request.into_parts();
                let answered = match question_of(path, head) {
                    Ok((question, asked)) => ask(api, question, asked).await,
                    Err(refusal) => Err(refusal),
                };
                answered.unwrap_or_else(|refusal| problem::response(&refusal))
            }
        };
        Operation::new(called, Method::GET, documented::<Q>(), on(MethodFilter::GET, handler), "GET, HEAD")
    }

    /// One that is sent a body of JSON.
    pub fn post<B, T, A, F>(
        called: Called,
        read_body: fn(B) -> Result<T, Refusal>,
        ask: impl Fn(Arc<Api>, T) -> F + Clone + Send + Sync + 'static,
    ) -> Operation
    where
        B: ToSchema + Example + Serialize + DeserializeOwned + 'static,
        T: Send + 'static,
        A: Serialize + ToSchema + Example + Send + 'static,
        F: Future<Output = Result<A, Refusal>> + Send,
    {
        let handler = move |State(api): State<Arc<Api>>, path: PathParts, request: Request| {
            let ask = ask.clone();
            async move {
                let answered = async move {
                    let (head, sent) = request.into_parts();
                    let ((), asked) = question_of(path, head)?;
                    negotiate(&asked.headers, None, &[Format::Json])?;
                    let read = read_body(body::json(&body::received(&asked.headers, sent).await?)?)?;
                    let reply = Reply::json(&ask(api, read).await?)?;
                    Ok(Reply { tag: None, ..reply }.response(&asked.headers))
                };
                answered.await.unwrap_or_else(|refusal: Refusal| problem::response(&refusal))
            }
        };
        let route = on(MethodFilter::POST, handler);
        let mut operation = Operation::new(called, Method::POST, documented::<()>(), route, "POST");
        operation.body = Some(content::<B>(Format::Json.media(), true, &mut operation.schemas));
        operation.untagged().refusing(&[413, 415]).answering::<A>(&[Format::Json])
    }

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

type PathParts = Result<RawPathParams, RawPathParamsRejection>;

/// The question of a request, and the rest of it.
fn question_of<Q: Question>(path: PathParts, head: Parts) -> Result<(Q, Asked), Refusal> {
    let not_utf8 = |_| Refusal::Mistakes(vec![Mistake::new("path", "its bytes are not UTF-8".to_owned())]);
    let path = path.map_err(not_utf8)?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let question = read(path, &query).map_err(Refusal::Mistakes)?;
    Ok((question, Asked { headers: head.headers, query }))
}
