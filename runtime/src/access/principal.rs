//! Who asks.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use slipstream_schemas::visible::visible;

/// Who a request is from. It is in the extensions of every request that a [`Guard`](super::Guard) let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever has a token.
    Token {
        /// Its id.
        id: Arc<str>,
        /// What people call it.
        name: Arc<str>,
    },
    /// A process of this machine, as long as the installation never had a token: it may do everything.
    Loopback(IpAddr),
}

impl Principal {
    /// The token's id; `None` without one.
    pub fn token(&self) -> Option<&str> {
        match self {
            Principal::Token { id, .. } => Some(id),
            Principal::Loopback(_) => None,
        }
    }
}

/// For people: `ci (9f86d081884c7d65)`, or `127.0.0.1`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Token { id, name } => write!(f, "{} ({id})", visible(name)),
            Principal::Loopback(address) => write!(f, "{address}"),
        }
    }
}
