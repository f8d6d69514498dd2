//! When a certificate is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slipstream_schemas::EventTime;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Time before its end in which a certificate should have been renewed.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// From when to when a certificate is valid, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    not_before: Duration,
    not_after: Duration,
}

/// How a certificate stands at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is valid.
    Valid,
    /// It is, for a few days more.
    EndsSoon,
    /// It is not any more.
    Expired,
    /// Not yet.
    NotYet,
}

impl Dates {
    /// Those of a certificate that does not tell: what checks it will.
    pub(super) const ANY: Dates = Dates { not_before: Duration::ZERO, not_after: Duration::MAX };

    /// Those of a certificate (DER); `None` where it does not tell.
    pub(super) fn of(certificate: &[u8]) -> Option<Dates> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        Some(Dates {
            not_before: validity.not_before.to_unix_duration(),
            not_after: validity.not_after.to_unix_duration(),
        })
    }

    /// Its last moment, seconds since 1970; `None` where it does not tell.
    pub fn not_after_seconds(self) -> Option<u64> {
        (self.not_after != Duration::MAX).then_some(self.not_after.as_secs())
    }

    /// How it stands at a time.
    pub fn at(self, now: SystemTime) -> Standing {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        match () {
            () if now < self.not_before => Standing::NotYet,
            () if now > self.not_after => Standing::Expired,
            () if self.not_after - now < SOON => Standing::EndsSoon,
            () => Standing::Valid,
        }
    }
}

impl Standing {
    /// What is wrong with a certificate that stands like this, as the rest of a sentence; `None` if it can be used.
    pub fn mistake(self, dates: Dates) -> Option<String> {
        match self {
            Standing::Valid | Standing::EndsSoon => None,
            Standing::Expired => Some(format!("expired at {}", moment(dates.not_after))),
            Standing::NotYet => Some(format!("is not valid before {}", moment(dates.not_before))),
        }
    }

    /// What is to be said of it; `None` if it is as it should be.
    pub fn complaint(self, dates: Dates) -> Option<String> {
        match self {
            Standing::EndsSoon => Some(format!("expires at {}", moment(dates.not_after))),
            standing => standing.mistake(dates),
        }
    }
}

/// RFC 3339, whole seconds.
fn moment(since: Duration) -> String {
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let text = EventTime(micros).rfc3339();
    text.split('.').next().map_or(text.clone(), |seconds| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_valid_between_its_dates_both_included() {
        const DAY: u64 = 86_400;
        let seconds = Duration::from_secs;
        let dates = Dates { not_before: seconds(100 * DAY), not_after: seconds(200 * DAY) };
        for (now, expected, said) in [
            (0, Standing::NotYet, Some("is not valid before 1970-04-11T00:00:00Z")),
            (100 * DAY - 1, Standing::NotYet, Some("is not valid before 1970-04-11T00:00:00Z")),
            (100 * DAY, Standing::Valid, None),
            (193 * DAY, Standing::Valid, None),
            (193 * DAY + 1, Standing::EndsSoon, Some("expires at 1970-07-20T00:00:00Z")),
            (200 * DAY, Standing::EndsSoon, Some("expires at 1970-07-20T00:00:00Z")),
            (200 * DAY + 1, Standing::Expired, Some("expired at 1970-07-20T00:00:00Z")),
        ] {
            let found = dates.at(UNIX_EPOCH + seconds(now));
            assert_eq!((found, found.complaint(dates).as_deref()), (expected, said), "{now}");
        }
        assert_eq!((Dates::ANY.at(UNIX_EPOCH), Dates::ANY.not_after_seconds()), (Standing::Valid, None));
        assert_eq!(Dates::of(b"none"), None);
    }
}
