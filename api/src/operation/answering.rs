//! How an operation answers: from a request to a question, and from an answer to a response.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response};
use axum::routing::{MethodFilter, on};
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_runtime::access::Principal;
use utoipa::ToSchema;

use super::{Called, Operation, Told, content};
use crate::api::Api;
use crate::ask::answers::{Example, Rows};
use crate::body;
use crate::problem;
use crate::question::{Asking, Param, Question, documented, read};
use crate::refusal::{Mistake, Refusal};
use crate::reply::{Format, Reply, negotiate};

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
    /// Who asks; `None` where nobody has to be anybody.
    pub who: Option<Principal>,
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

    /// One that answers rows, as JSON or CSV. `next` is where the next page begins; `None` if there are no
    /// pages.
    pub fn rows<Q, A, F>(
        called: Called,
        ask: impl Fn(Arc<Api>, Q) -> F + Clone + Send + Sync + 'static,
        next: Option<fn(&A) -> Option<&str>>,
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
                Ok(Reply::rows(&answer, format)?.with_next(&asked.query, next.and_then(|next| next(&answer))))
            }
        });
        let told: &[Told] = if next.is_some() { &[Told::AsOf, Told::Link] } else { &[Told::AsOf] };
        operation.answering::<A>(Format::BOTH).telling(told)
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
}

type PathParts = Result<RawPathParams, RawPathParamsRejection>;

/// The question of a request, and the rest of it.
fn question_of<Q: Question>(path: PathParts, head: Parts) -> Result<(Q, Asked), Refusal> {
    let not_utf8 = |_| Refusal::Mistakes(vec![Mistake::new("path", "its bytes are not UTF-8".to_owned())]);
    let path = path.map_err(not_utf8)?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let question = read(path, &query).map_err(Refusal::Mistakes)?;
    let who = head.extensions.get::<Principal>().cloned();
    Ok((question, Asked { headers: head.headers, query, who }))
}
