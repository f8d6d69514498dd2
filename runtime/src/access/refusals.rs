//! How often refusals that are alike are told: those of one reason and of one token, so that whoever is refused all day hides
//! nobody else. Of those who have shown no token nobody is known, and they may be without end: they are told by reason alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limits::{Key, key};
use super::{Denied, Refused};
use crate::event::Seldom;

/// Refusals that are alike are told once in this time.
const EVERY: Duration = Duration::from_secs(10);
/// So many kinds of refusals of somebody are told apart at a time; those beyond share what one may have.
const KINDS: usize = 1_000;
/// Reasons there are.
const REASONS: usize = 8;

/// Which refusals wait to be told.
pub(super) struct Refusals {
    nobodys: [Seldom; REASONS],
    known: Mutex<HashMap<(usize, Key), Seldom>>,
    every: Duration,
    kinds: usize,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Refusals::of(EVERY, KINDS)
    }

    fn of(every: Duration, kinds: usize) -> Self {
        Refusals { nobodys: [const { Seldom::every(EVERY) }; REASONS], known: Mutex::default(), every, kinds }
    }

    /// One more; if it is to be told, how many it stands for.
    pub(super) fn count(&self, Refused { who, why }: &Refused) -> Option<u64> {
        let Some(who) = who else { return self.nobodys[number(why)].count(1) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = (number(why), key(who));
        if !known.contains_key(&kind) && known.len() >= self.kinds {
            // Those of a while ago; how many of them were not told, the metric knows.
            known.retain(|_, seldom| !seldom.is_due());
            if known.len() >= self.kinds {
                kind.1 = Key::Others;
            }
        }
        known.entry(kind).or_insert_with(|| Seldom::every(self.every)).count(1)
    }
}

fn number(why: &Denied) -> usize {
    match why {
        Denied::Missing => 0,
        Denied::Malformed => 1,
        Denied::Unknown => 2,
        Denied::Expired => 3,
        Denied::Revoked => 4,
        Denied::Scope(_) => 5,
        Denied::Stranger(_) => 6,
        Denied::TooMany { .. } => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Principal, Scope};
    use super::*;

    fn of(id: &str, why: Denied) -> Refused {
        Refused { who: Some(Principal::Token { id: id.into(), name: "n".into() }), why }
    }

    #[test]
    fn each_token_is_told_for_each_reason_and_nobody_hides_another() {
        let refusals = Refusals::new();
        let (dashboard, other) = (of("a", Denied::Scope(Scope::Ingest)), of("b", Denied::Scope(Scope::Operate)));
        assert_eq!([&dashboard, &other].map(|refused| refusals.count(refused)), [Some(1), Some(1)]);
        assert_eq!([&dashboard, &other].map(|refused| refusals.count(refused)), [None, None], "within ten seconds");
        assert_eq!(refusals.count(&of("a", Denied::Revoked)), Some(1), "another reason");
        let nobody = Refused { who: None, why: Denied::Missing };
        assert_eq!((refusals.count(&nobody), refusals.count(&nobody)), (Some(1), None));
    }

    #[test]
    fn there_may_be_any_number_of_them() {
        let refusals = Refusals::of(Duration::from_secs(3_600), 10);
        let told = (0..100).filter(|n| refusals.count(&of(&n.to_string(), Denied::Revoked)).is_some()).count();
        assert_eq!(told, 11, "the rest as one");
        let refusals = Refusals::of(Duration::ZERO, 10);
        let told = (0..100).filter(|n| refusals.count(&of(&n.to_string(), Denied::Revoked)).is_some()).count();
        assert!(
            told == 100 && refusals.known.lock().is_ok_and(|known| known.len() <= 10),
            "those of before are forgotten"
        );
    }
}
