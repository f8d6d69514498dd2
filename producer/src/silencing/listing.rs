//! All silences and where each stands, as the command line and the gateway show them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_schemas::records::Silence as Written;
use slipstream_slo::alerts::{Silence, SilenceState, Standing};

use super::SilenceJson;

/// What a silence does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateJson {
    /// It applies.
    Active,
    /// It does not, and will.
    Pending,
    /// It never will again.
    Expired,
}

/// A silence, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedJson {
    /// As it was made.
    #[serde(flatten)]
    pub silence: SilenceJson,
    /// What it does now.
    pub state: StateJson,
    /// When it applies next; null of one that applies now, or never will again.
    pub next: Option<String>,
    /// Until when it applies now; null of one that does not, or has no end.
    pub until: Option<String>,
}

/// A record that makes no silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableJson {
    /// Its id.
    pub id: String,
    /// Why it holds nothing back.
    pub why: String,
}

/// All silences, by when they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingJson {
    /// The silences.
    pub silences: Vec<ListedJson>,
    /// Records that hold nothing back, of another version or another program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<UnusableJson>,
}

impl ListingJson {
    /// Those that were recorded, expired ones too, as they stand at `now` in milliseconds since the epoch.
    pub fn of<'a>(recorded: impl IntoIterator<Item = &'a Written>, now: i64) -> ListingJson {
        let mut recorded: Vec<&Written> = recorded.into_iter().collect();
        recorded.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
        let mut listing = ListingJson::default();
        for written in recorded {
            match Silence::new(written.clone()) {
                Ok(silence) => listing.silences.push(ListedJson::of(&silence, now)),
                Err(why) => listing.unusable.push(UnusableJson { id: written.id.clone(), why: why.to_string() }),
            }
        }
        listing
    }
}

impl ListedJson {
    /// A silence as it stands at `now` in milliseconds since the epoch.
    pub fn of(silence: &Silence, now: i64) -> ListedJson {
        let Standing { state, next, until } = silence.standing(now);
        let shown = |ms: i64| Timestamp::from_millisecond(ms).ok().map(|at| at.to_string());
        ListedJson {
            silence: SilenceJson::of(silence),
            state: match state {
                SilenceState::Active => StateJson::Active,
                SilenceState::Pending => StateJson::Pending,
                SilenceState::Expired => StateJson::Expired,
            },
            next: next.and_then(shown),
            until: until.and_then(shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::matchers::Matchers;
    use slipstream_schemas::records::Recurrence;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn written(id: &str, from: i64, to: Option<i64>) -> Written {
        let matchers = Matchers::parse("service=payment").unwrap().written();
        let (id, author, reason) = (id.to_owned(), String::new(), String::new());
        Written { id, matchers, from, to, recurrence: None, author, reason, created_at: 0 }
    }

    #[test]
    fn a_listing_says_where_each_silence_stands_and_is_read_as_it_is_written() {
        let nightly = Recurrence { cron: "0 2 * * *".to_owned(), zone: "UTC".to_owned(), seconds: 3_600 };
        let nightly = Written { recurrence: Some(nightly), ..written("nightly", HOUR, None) };
        let recorded = [nightly, written("broken", 3, Some(2)), written("b", 0, Some(HOUR)), written("a", 0, None)];
        let listing = ListingJson::of(&recorded, 3 * HOUR);
        let said = |one: &ListedJson| (one.silence.id.clone().unwrap(), one.state, one.next.clone());
        let said: Vec<_> = listing.silences.iter().map(said).collect();
        let next = Some("1970-01-02T02:00:00Z".to_owned());
        assert_eq!(
            said,
            [
                ("a".to_owned(), StateJson::Active, None),
                ("b".to_owned(), StateJson::Expired, None),
                ("nightly".to_owned(), StateJson::Pending, next),
            ]
        );
        assert_eq!(listing.unusable[0].why, "it ends before it begins");
        let text = serde_json::to_string(&listing).unwrap();
        assert_eq!(serde_json::from_str::<ListingJson>(&text).unwrap(), listing);
    }
}
