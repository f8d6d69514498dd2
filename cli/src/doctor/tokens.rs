//! Tokens that are about to expire: whoever uses one is refused from then on.

use slipstream_log::kafka::admin::Finding;
use slipstream_role::tokens::Tokens;
use slipstream_runtime::config::{Config, RateLimits};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Token, TokenState};
use slipstream_schemas::visible::visible;

use crate::{figures, parts};

const CHECK: &str = "tokens";
/// Two weeks, microseconds.
const SOON: i64 = 14 * 86_400 * 1_000_000;
/// Tokens that are named.
const NAMED: usize = 5;

/// Checks the tokens; `None` if all is well, or the log cannot be read, which other findings report.
pub async fn examine(config: &Config) -> Option<Finding> {
    let log = parts::log_of(config).await.ok()?;
    let tokens = Tokens::read(log.as_ref(), RateLimits::default()).await.ok()?;
    judge(&tokens.access().tokens(), EventTime(jiff::Timestamp::now().as_microsecond()))
}

fn judge(tokens: &[Token], now: EventTime) -> Option<Finding> {
    let valid: Vec<&Token> = tokens.iter().filter(|token| token.state(now) == TokenState::Valid).collect();
    if valid.is_empty() && !tokens.is_empty() {
        let message = "none is valid any more, and every request needs one";
        return Some(Finding::warn(CHECK, message, "slipstream token create"));
    }
    let soon = |token: &&Token| token.expires_at.is_some_and(|expires| expires.0 - now.0 < SOON);
    let expiring: Vec<&Token> = valid.into_iter().filter(soon).collect();
    let named = expiring.iter().take(NAMED).filter_map(|token| {
        let expires = figures::moment(token.expires_at?);
        Some(format!("{} ({}) at {expires}", visible(&token.name), token.id))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if expiring.len() > NAMED { format!(", and {} more", expiring.len() - NAMED) } else { String::new() };
    (!expiring.is_empty()).then(|| {
        Finding::warn(
            CHECK,
            format!("about to expire: {named}{more}"),
            "make others (slipstream token create), and hand them out",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EventTime = EventTime(1_769_851_800_000_000);

    fn token(expires_in: Option<i64>, revoked_at: Option<EventTime>) -> Token {
        Token {
            id: "9f86d081884c7d65".to_owned(),
            name: "shop".to_owned(),
            hash: String::new(),
            scopes: Vec::new(),
            created_at: EventTime(1),
            created_by: String::new(),
            expires_at: expires_in.map(|micros| EventTime(NOW.0 + micros)),
            revoked_at,
            revoked_by: None,
        }
    }

    #[test]
    fn what_expires_soon_and_what_nobody_can_use_is_told() {
        let (long, short) = (token(Some(SOON), None), token(Some(SOON - 1), None));
        let (expired, revoked) = (token(Some(-1), None), token(Some(1), Some(NOW)));
        for (tokens, said) in [
            (vec![], None),
            (vec![token(None, None)], None),
            (vec![long.clone(), expired.clone(), revoked.clone()], None),
            (vec![expired.clone(), revoked], Some("none is valid any more")),
            (
                vec![long, short.clone(), expired],
                Some("about to expire: shop (9f86d081884c7d65) at 2026-02-14T09:29:59Z"),
            ),
            (vec![short; 7], Some(", and 2 more")),
        ] {
            let found = judge(&tokens, NOW).map(|finding| finding.message);
            assert_eq!(found.is_some(), said.is_some(), "{found:?}");
            assert!(said.is_none_or(|said| found.as_ref().is_some_and(|found| found.contains(said))), "{found:?}");
        }
    }
}
