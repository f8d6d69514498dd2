//! Who may ask this installation for what: one decision, before anything of a request's body is read, for every server.
//!
//! A token is a record of the log; its text, `slp_<id>_<secret>`, is known to its holder alone ([`NewToken`]). Once an
//! installation has ever had a token, every request needs one, on loopback too; revoked and expired ones count. As long as
//! it never had one, loopback may do everything, and nobody else anything. Web pages are somebody else: a browser takes
//! their requests to loopback, so what comes from another site, or by another name, is refused ([`site`]).
//!
//! [`Access`] is the table of tokens, which whoever follows the log keeps up to date. [`Access::layer`] guards a router:
//!
//! ```
//! use axum::http::HeaderMap;
//! use axum::response::{IntoResponse, Response};
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use slipstream_runtime::access::{Access, Denied, Principal, Scope};
//! use slipstream_runtime::config::RateLimits;
//!
//! /// The shape that a server's refusals have; the layer adds WWW-Authenticate, Retry-After and Connection.
//! fn refuse(denied: &Denied, _headers: &HeaderMap) -> Response {
//!     (denied.status(), denied.to_string()).into_response()
//! }
//!
//! let access = Access::new(RateLimits::default());
//! let routes = Router::new().route("/v1/slos", get(async |Extension(who): Extension<Principal>| format!("hello {who}")));
//! let guarded: Router = routes.layer(access.layer(Scope::Read, refuse));
//! # drop(guarded);
//! ```

mod decide;
mod denied;
mod events;
mod guard;
mod limits;
mod principal;
mod refusals;
mod site;
mod table;
mod text;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use axum::http::HeaderMap;
use axum::response::Response;
use slipstream_schemas::EventTime;
pub use slipstream_schemas::records::Scope;
use slipstream_schemas::records::{Token, TokenState};

pub use decide::Asked;
pub use denied::{Denied, Refused, Stranger};
pub use guard::{Guard, Guarded};
pub use principal::Principal;
pub(crate) use site::is_to_loopback;
pub use text::NewToken;

use crate::config::RateLimits;
use crate::event::Event;
use limits::Limiter;
use table::Table;
use text::Presented;

/// Who may ask for what, in this process: the tokens that it knows, and how often each was used lately. Clones share both.
#[derive(Clone)]
pub struct Access(Arc<Shared>);

struct Shared {
    table: RwLock<Arc<Table>>,
    limiter: Limiter,
}

impl Access {
    /// An installation that never had a token, as far as is known.
    pub fn new(limits: RateLimits) -> Self {
        Access(Arc::new(Shared { table: RwLock::default(), limiter: Limiter::new(limits) }))
    }

    /// Takes records of the topic `tokens` into account, in their order: a token by its id, or that its record was withdrawn.
    /// Requests see all of them, or none yet.
    pub fn learn(&self, records: impl IntoIterator<Item = (String, Option<Token>)>) {
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(records.into_iter().fold(Table::clone(&table), |table, (id, token)| table.with(id, token)));
    }

    /// The same for records of which this process has not been told before: the audit tells each change, who made it among
    /// that, and what this process knows already is told no more.
    pub fn learn_news(&self, records: impl IntoIterator<Item = (String, Option<Token>)>) {
        let mut changes = Vec::new();
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(records.into_iter().fold(Table::clone(&table), |table, (id, token)| {
            changes.extend(table.change(&id, token.as_ref()));
            table.with(id, token)
        }));
        drop(table);
        changes.into_iter().for_each(Event::emit);
    }

    /// Whether every request needs a token: the installation has had one.
    pub fn needs_token(&self) -> bool {
        self.table().ever_had_one()
    }

    /// The tokens there are, oldest first.
    pub fn tokens(&self) -> Vec<Token> {
        self.table().all()
    }

    /// The token of an id.
    pub fn token(&self, id: &str) -> Option<Token> {
        self.table().token(id).cloned()
    }

    /// Whether a token's text is that of a valid one with a scope.
    pub fn recognises(&self, text: &str, scope: Scope) -> bool {
        let asked = Presented::parse(text).map(Asked::with);
        asked.is_some_and(|asked| decide::decide(&self.table(), &asked, scope, now()).is_ok())
    }

    /// Decides about a request.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&self, asked: &Asked<'_>, scope: Scope) -> Result<Principal, Refused> {
        let who = decide::decide(&self.table(), asked, scope, now())?;
        match self.0.limiter.check(&who, scope) {
            Ok(()) => Ok(who),
            Err(retry_after) => Err(Refused { who: Some(who), why: Denied::TooMany { retry_after } }),
        }
    }

    /// Whether someone who was admitted still would be: for an answer that goes on for long.
    pub fn still(&self, who: &Principal, scope: Scope) -> bool {
        match (who, self.table()) {
            (Principal::Loopback(_), table) => !table.ever_had_one(),
            (Principal::Token { id, .. }, table) => table
                .token(id)
                .is_some_and(|token| token.state(now()) == TokenState::Valid && token.scopes.contains(&scope)),
        }
    }

    /// The guard of a router's routes. It decides before anything of a body is read, puts the [`Principal`] into the request's
    /// extensions, and writes the audit. `refuse` gives a refusal the shape of the server's answers; it gets the headers of
    /// the request.
    pub fn layer<R>(&self, scope: Scope, refuse: R) -> Guard<R>
    where
        R: Fn(&Denied, &HeaderMap) -> Response + Clone + Send + Sync + 'static,
    {
        Guard::new(self.clone(), scope, refuse)
    }

    fn table(&self) -> Arc<Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tokens", &self.table().all().len()).finish_non_exhaustive()
    }
}

/// Expiry is a matter of this process's clock.
fn now() -> EventTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EventTime(since.as_micros().try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
