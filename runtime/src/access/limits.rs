//! How often somebody may ask: so many requests a second of each token, or of each address without one, and twice as many at
//! once after a while of silence. The memory for that is bounded.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{Principal, Scope};
use crate::config::RateLimits;

/// So many are told apart at a time; who comes beyond that shares what one may have.
const KEYS: usize = 10_000;

/// Who is counted by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Token(Arc<str>),
    Peer(IpAddr),
    Others,
}

/// The limit of each scope, where there is one.
pub(super) struct Limiter<C: Clock = DefaultClock> {
    ingest: Option<Keyed<C>>,
    read: Option<Keyed<C>>,
    operate: Option<Keyed<C>>,
}

struct Keyed<C: Clock> {
    limiter: RateLimiter<Key, HashMapStateStore<Key>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    keys: usize,
}

impl Limiter {
    pub(super) fn new(limits: RateLimits) -> Self {
        Limiter::with_clock(limits, DefaultClock::default(), KEYS)
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(limits: RateLimits, clock: C, keys: usize) -> Self {
        let keyed = |limit: Option<NonZeroU32>| {
            let limit = limit?;
            let quota = Quota::per_second(limit).allow_burst(limit.saturating_add(limit.get()));
            Some(Keyed { limiter: RateLimiter::hashmap_with_clock(quota, clock.clone()), clock: clock.clone(), keys })
        };
        Limiter { ingest: keyed(limits.ingest), read: keyed(limits.read), operate: keyed(limits.operate) }
    }

    /// One more request.
    ///
    /// # Errors
    /// Where it is one too many: whole seconds after which there may be another.
    pub(super) fn check(&self, who: &Principal, scope: Scope) -> Result<(), u32> {
        let keyed = match scope {
            Scope::Ingest => &self.ingest,
            Scope::Read => &self.read,
            Scope::Operate => &self.operate,
        };
        keyed.as_ref().map_or(Ok(()), |keyed| keyed.check(key(who)))
    }
}

pub(super) fn key(who: &Principal) -> Key {
    match who {
        Principal::Token { id, .. } => Key::Token(id.clone()),
        Principal::Loopback(address) => Key::Peer(*address),
    }
}

impl<C: Clock + Clone> Keyed<C> {
    fn check(&self, key: Key) -> Result<(), u32> {
        if self.limiter.len() >= self.keys {
            // Those who have not asked for a while are as good as new.
            self.limiter.retain_recent();
        }
        let key = if self.limiter.len() >= self.keys { Key::Others } else { key };
        let until = self.limiter.check_key(&key);
        until.map_err(|until| whole_seconds(until.wait_time_from(self.clock.now())))
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn token(id: &str) -> Principal {
        Principal::Token { id: id.into(), name: "n".into() }
    }

    fn peer(n: u32) -> Principal {
        Principal::Loopback(Ipv4Addr::from(0x7F00_0001 + n).into())
    }

    fn limits(read: u32) -> RateLimits {
        RateLimits { ingest: None, read: NonZeroU32::new(read), operate: NonZeroU32::new(1) }
    }

    #[test]
    fn each_has_so_many_a_second_and_twice_as_many_at_once() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(limits(5), clock.clone(), KEYS);
        let passed = |who: &Principal, scope| (0..100).take_while(|_| limiter.check(who, scope).is_ok()).count();
        let (a, b, here) = (token("a"), token("b"), peer(0));
        for who in [&a, &b, &here] {
            assert_eq!(passed(who, Scope::Read), 10, "{who}");
        }
        assert_eq!(limiter.check(&a, Scope::Read), Err(1));
        assert_eq!(passed(&a, Scope::Operate), 2, "each scope by itself");
        assert_eq!(passed(&a, Scope::Ingest), 100, "no limit");
        clock.advance(Duration::from_secs(1));
        assert_eq!(passed(&a, Scope::Read), 5);
        clock.advance(Duration::from_secs(60));
        assert_eq!(passed(&a, Scope::Read), 10);
    }

    #[test]
    fn who_comes_beyond_the_bound_shares_and_the_silent_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(limits(5), clock.clone(), 100);
        for n in 0..1_000 {
            let _ = limiter.check(&peer(n), Scope::Read);
        }
        let keyed = limiter.read.as_ref().unwrap();
        assert!(keyed.limiter.len() <= 101, "{}", keyed.limiter.len());
        assert!(limiter.check(&peer(2_000), Scope::Read).is_err(), "they have used up what they share");
        clock.advance(Duration::from_secs(10));
        assert_eq!(limiter.check(&peer(2_000), Scope::Read), Ok(()));
        assert!(keyed.limiter.len() <= 2, "{}", keyed.limiter.len());
    }

    #[test]
    fn whoever_is_refused_is_told_whole_seconds() {
        for (wait, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (3_500, 4)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds);
        }
    }
}
