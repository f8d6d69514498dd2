//! Values as people write them, and the errors for others.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::{Error, ErrorKind};
use clap::{Arg, Command};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use slipstream_runtime::config::{self, found, is_web_address};
use slipstream_schemas::decode::{ENVIRONMENT_BYTES, SERVICE_BYTES};
use slipstream_schemas::visible::visible;

/// More than one process can generate, so certainly a mistake.
const MOST_PER_SECOND: f64 = 1_000_000.0;

const SHORTEST: Duration = Duration::from_millis(1);
/// 87,840 hours, ten years: no event is older than that.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);
const EXPECTED: &str = "expected a duration from 1ms to 87840h, like 90s, 5m, 2h or 1d";

/// Requests per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_PER_SECOND);
    rate.ok_or_else(|| "expected a number above 0 and at most 1000000".to_owned())
}

/// The name of a service, as events may have it.
pub(super) fn service_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected a name".to_owned()),
        name => short(name, SERVICE_BYTES),
    }
}

/// The name of an environment, as events may have it: it may be empty.
pub(super) fn environment_name(text: &str) -> Result<String, String> {
    short(text, ENVIRONMENT_BYTES)
}

fn short(text: &str, most: usize) -> Result<String, String> {
    match text {
        long if long.len() > most => Err(format!("expected at most {most} bytes, found {}", long.len())),
        odd if odd.chars().any(char::is_control) => Err("expected a name without control characters".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn whole<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let number = text.parse::<u64>().ok().filter(|n| (least..=most).contains(n)).and_then(|n| T::try_from(n).ok());
    number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

/// How many threads.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    whole(text, 1, 256)
}

/// How many rows there may be at most.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    whole(text, 1, 1_000_000_000)
}

/// A seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0, u64::MAX)
}

/// A status code, as events may have it.
pub(super) fn status_code(text: &str) -> Result<u16, String> {
    whole(text, 100, 599)
}

/// The class of a status code: `5` or `5xx`.
pub(super) fn status_class(text: &str) -> Result<u8, String> {
    let class = text.strip_suffix("xx").unwrap_or(text);
    whole(class, 1, 5).map_err(|_| "expected a class from 1xx to 5xx".to_owned())
}

/// A latency in milliseconds.
pub(super) fn latency(text: &str) -> Result<f64, String> {
    let latency = text.parse::<f64>().ok().filter(|ms| (0.0..=86_400_000.0).contains(ms));
    latency.ok_or_else(|| "expected milliseconds from 0 to 86400000".to_owned())
}

/// A name and its value.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A duration as the configuration takes them: `90s`, `5m`, `2h`, `1h30m`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let sensible = |d: &Duration| (SHORTEST..=LONGEST).contains(d);
    config::duration(text).filter(sensible).ok_or_else(|| EXPECTED.to_owned())
}

/// The length of a step: whole seconds.
pub(super) fn step(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        step if step.subsec_nanos() == 0 => Ok(step),
        _ => Err("expected whole seconds, like 1s, 5m or 1d".to_owned()),
    }
}

/// A duration that may be nothing.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

/// A number a week, which may be 0.
pub(super) fn rate_or_none(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=MOST_PER_SECOND).contains(rate));
    rate.ok_or_else(|| "expected a number from 0 to 1000000".to_owned())
}

/// A time (RFC 3339), or a date for its midnight in UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let of_date = || {
        let date = Date::strptime("%Y-%m-%d", text).ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<Timestamp>().ok().or_else(of_date);
    time.ok_or_else(|| format!("expected a time like 2026-11-29T00:00:00Z, found `{text}`"))
}

/// A time that is over: what was known then.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    let at = time(text)?;
    if at > Timestamp::now() { Err(format!("{at} lies ahead: nothing is known of it yet")) } else { Ok(at) }
}

/// The address of a server, and what one looks like. It may hold a password, which clap would print with its own error.
#[derive(Debug, Clone)]
pub(super) struct WebAddress(&'static str);

/// The address of a gateway.
pub(super) const GATEWAY: WebAddress = WebAddress("http://host:8480");
/// The address of an API.
pub(super) const API: WebAddress = WebAddress("http://host:8470");

impl TypedValueParser for WebAddress {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        if let Some(address) = value.to_str().filter(|text| is_web_address(text)) {
            return Ok(address.to_owned());
        }
        let flag = arg.and_then(Arg::get_long).unwrap_or("to");
        let given = found(&value.to_string_lossy());
        let message = format!("--{flag}: expected an address like {}, found {}\n", self.0, visible(&given));
        Err(Error::raw(ErrorKind::ValueValidation, message).with_cmd(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_their_bounds_are_told_the_bounds() {
        for text in ["-1", "18446744073709551616", "99999999999999999999", "1e3", ""] {
            assert_eq!(seed(text).unwrap_err(), "expected a whole number from 0 to 18446744073709551615", "{text}");
        }
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(status_code("99999999999999999999").unwrap_err(), "expected a whole number from 100 to 599");
        assert_eq!((status_code("503"), limit("1")), (Ok(503), Ok(1)));
        assert!(status_code("600").is_err() && limit("0").is_err());
    }

    #[test]
    fn a_duration_has_some_length() {
        for text in ["0s", "0ms", "1us", "87841h", "-5s", "99999999999999999999s", "soon", "1month", "1.5h", ""] {
            assert_eq!(
                duration(text).unwrap_err(),
                "expected a duration from 1ms to 87840h, like 90s, 5m, 2h or 1d",
                "{text}"
            );
        }
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("1w"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("87840h"), Ok(LONGEST));
    }

    #[test]
    fn a_time_is_rfc_3339_or_a_date() {
        let midnight: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
        for text in ["2026-11-29T00:00:00Z", "2026-11-29T01:00:00+01:00", "2026-11-29"] {
            assert_eq!(time(text), Ok(midnight), "{text}");
        }
        for text in ["yesterday", "", "2026-11-31", "2026-11-29T00:00", "11/29/2026"] {
            let said = format!("expected a time like 2026-11-29T00:00:00Z, found `{text}`");
            assert_eq!(time(text), Err(said));
        }
    }

    #[test]
    fn an_environment_is_one_that_events_may_have() {
        let event = |environment: &str| {
            let event = serde_json::json!({
                "event_id": "1", "time": 1_000_000, "service": "s", "environment": environment, "endpoint": "/",
                "method": "GET", "status_code": 200
            });
            slipstream_schemas::decode::from_json(event.to_string().as_bytes(), String::new).is_ok()
        };
        for (text, is_right) in
            [("", true), ("prod", true), (&"x".repeat(256), true), (&"x".repeat(257), false), ("\u{1}", false)]
        {
            assert_eq!((environment_name(text).is_ok(), event(text)), (is_right, is_right), "{text:?}");
        }
    }
}
