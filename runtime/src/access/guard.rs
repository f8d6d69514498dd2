//! The guard in front of a router's routes.

use std::future::{Future, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tower_layer::Layer;
use tower_service::Service;

use super::events::{Ended, Turned, What};
use super::{Access, Asked, Denied, Principal, Refused, Scope};
use crate::event::Event;
use crate::http::Peer;

/// See [`Access::layer`].
#[derive(Debug, Clone)]
pub struct Guard<R> {
    access: Access,
    scope: Scope,
    /// Whether what is asked for changes something, so that the audit tells it from `info` on.
    changes: bool,
    refuse: R,
}

impl<R> Guard<R> {
    pub(super) fn new(access: Access, scope: Scope, refuse: R) -> Self {
        Guard { access, scope, changes: scope == Scope::Operate, refuse }
    }

    /// The same for requests that change something: the audit tells who made them at `info`, as it does of all with the scope
    /// [`Scope::Operate`], and not at `debug`.
    #[must_use]
    pub fn changing(self) -> Self {
        Guard { changes: true, ..self }
    }
}

impl<R: Clone, S> Layer<S> for Guard<R> {
    type Service = Guarded<R, S>;

    fn layer(&self, inner: S) -> Guarded<R, S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<R, S> {
    guard: Guard<R>,
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<R, S> Service<Request> for Guarded<R, S>
where
    R: Fn(&Denied, &HeaderMap) -> Response,
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let Guard { access, scope, changes, refuse } = &self.guard;
        let what = what(&request, *scope);
        match access.admit(&Asked::of(what.peer, request.uri(), request.headers()), *scope) {
            Ok(who) => {
                request.extensions_mut().insert(who.clone());
                let open = Open { who, what, status: None, changes: *changes };
                Box::pin(answered(self.inner.call(request), open))
            }
            Err(refused) => {
                let response = turned(&refused, &what, refuse(&refused.why, request.headers()));
                // The request goes, and with it the body: nothing has asked for any of it.
                Box::pin(ready(Ok(response)))
            }
        }
    }
}

fn what(request: &Request, scope: Scope) -> What {
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    What { method: request.method().clone(), route, scope, peer: peer.map(|ip: IpAddr| ip.to_canonical()) }
}

async fn answered<E>(answer: impl Future<Output = Result<Response, E>>, mut open: Open) -> Result<Response, E> {
    let response = answer.await?;
    open.status = Some(response.status());
    Ok(response)
}

/// A request that was let in. Whatever becomes of it, the audit tells: a client that leaves ends what was done for it.
struct Open {
    who: Principal,
    what: What,
    status: Option<StatusCode>,
    changes: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        Ended { who: &self.who, what: &self.what, status: self.status, changes: self.changes }.emit();
    }
}

fn turned(refused: &Refused, what: &What, mut response: Response) -> Response {
    refused.why.mark(response.headers_mut());
    Turned { refused, what }.emit();
    response
}
