//! The certificate of the servers for clients: one that has expired is refused by all of them.

use std::time::SystemTime;

use slipstream_log::kafka::admin::Finding;
use slipstream_runtime::config::Config;
use slipstream_runtime::http::{Dates, Standing, Tls};

const CHECK: &str = "certificate";

/// Checks the certificate that the configuration names; `None` if all is well, or there is none.
pub fn examine(config: &Config) -> Option<Finding> {
    match Tls::dates_in(&config.tls.as_ref()?.certificate) {
        Ok(dates) => judge(dates, SystemTime::now()),
        Err(error) => Some(Finding::warn(CHECK, error.to_string(), "is it the right file, and may you read it?")),
    }
}

fn judge(dates: Dates, now: SystemTime) -> Option<Finding> {
    let standing = dates.at(now);
    let message = format!("the one in tls.certificate {}", standing.complaint(dates)?);
    Some(match standing {
        Standing::EndsSoon | Standing::Valid => Finding::warn(CHECK, message, "renew it"),
        Standing::Expired | Standing::NotYet => Finding::error(CHECK, message, "renew it: clients refuse it"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::time::{Duration, UNIX_EPOCH};

    use slipstream_log::kafka::admin::Severity;

    use super::*;

    #[test]
    fn a_certificate_that_ends_is_told_before_and_after() {
        const DAY: u64 = 86_400;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("tls.crt");
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) =
            (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 4, 1));
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&file, parameters.self_signed(&key).unwrap().pem()).unwrap();
        let dates = Tls::dates_in(&file).unwrap();
        let end = dates.not_after_seconds().unwrap();
        for (now, expected, said) in [
            (end - 91 * DAY, Some(Severity::Error), "is not valid before 2026-01-01T00:00:00Z"),
            (end - 30 * DAY, None, ""),
            (end - DAY, Some(Severity::Warn), "expires at 2026-04-01T00:00:00Z"),
            (end + 1, Some(Severity::Error), "expired at 2026-04-01T00:00:00Z"),
        ] {
            let found = judge(dates, UNIX_EPOCH + Duration::from_secs(now));
            assert_eq!(found.as_ref().map(|finding| finding.severity), expected, "{found:?}");
            assert!(found.is_none_or(|finding| finding.message.ends_with(said)), "{said}");
        }
        std::fs::write(&file, "hello").unwrap();
        assert!(Tls::dates_in(&file).is_err());
    }
}
