//! Questions that a server answers: the same ones, put to its API.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use slipstream_producer::server::{Server, cause_of, refusal};
use slipstream_schemas::EventTime;
use slipstream_store::EventFilter;

use crate::args::{AskedOf, as_argument};
use crate::output;
use crate::wrong_use::WrongUse;

/// Where the API begins.
const BASE: &str = "/api/v1";
/// A server gives a question up before.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer that is no problem, which are shown.
const SHOWN: usize = 200;

/// Parameters of a question, in the API's words.
pub type Params = Vec<(String, String)>;

/// A server to ask.
pub struct Remote(Server);

/// What it knows beside an answer.
#[derive(Debug, Default, Deserialize)]
struct Known {
    as_of: Option<String>,
    stale_for_seconds: Option<u64>,
}

/// Why there is no answer, as RFC 9457 has it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    errors: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Mistake {
    parameter: String,
    message: String,
}

/// What answers may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// JSON
    Json,
    /// A table
    Csv,
}

/// An answer.
pub struct Answer {
    media: Media,
    text: String,
    /// Of a table, what JSON has inside: for how many seconds it has been old, up to when it is known, where the next page is,
    /// how many Rules there are.
    stale_for_seconds: Option<u64>,
    as_of: Option<String>,
    next: Option<String>,
    rules: Option<usize>,
}

impl Remote {
    /// The server that the flags name, if they do.
    ///
    /// # Errors
    /// When its address is none, or a file of the flags cannot be read.
    pub fn of(asked: &AskedOf) -> Result<Option<Remote>> {
        let Some(address) = &asked.server else { return Ok(None) };
        let server = Server::new(address, &asked.access.credentials()?, PATIENCE)
            .map_err(|error| WrongUse(format!("--server: {error}")))?;
        Ok(Some(Remote(server)))
    }

    /// Its answer to a question.
    ///
    /// # Errors
    /// When it does not answer, or says why it has no answer.
    pub async fn ask(&self, path: &str, params: &Params) -> Result<Answer> {
        self.ask_for(Media::Json, path, params).await
    }

    /// Its answer in a form.
    ///
    /// # Errors
    /// As of [`Remote::ask`].
    pub async fn ask_for(&self, media: Media, path: &str, params: &Params) -> Result<Answer> {
        let shown = self.0.shown();
        let request = self.0.get(&format!("{BASE}{path}"), params);
        let accepted = match media {
            Media::Json => "application/json",
            Media::Csv => "text/csv",
        };
        let response = request.header("accept", accepted).send().await;
        let response = response.map_err(|e| anyhow::anyhow!("{shown} does not answer: {}", cause_of(e)))?;
        let status = response.status();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (as_of, stale_for) = (header("slipstream-as-of"), header("slipstream-stale-for"));
        let rules = header("slipstream-rules").and_then(|text| text.parse().ok());
        let next = header("link").and_then(|link| next(&link));
        let is_table = header("content-type").is_some_and(|media| media.starts_with("text/csv"));
        let text = response.text().await;
        let text = text.map_err(|e| anyhow::anyhow!("{shown}: its answer broke off: {}", cause_of(e)))?;
        if !status.is_success() {
            let refused = format!("{shown}: {}", refusal(status, &said(&text)));
            // As of log and store: the question is wrong, not they.
            return Err(match status.as_u16() {
                400 | 422 => WrongUse(refused).into(),
                _ => anyhow::Error::msg(refused),
            });
        }
        if media == Media::Csv && !is_table {
            return Err(no_answer(&text));
        }
        let stale_for_seconds = stale_for.and_then(|text| text.parse().ok());
        Ok(Answer { media, text, stale_for_seconds, as_of, next, rules })
    }
}

/// The place behind which the next page begins, in a header Link.
fn next(link: &str) -> Option<String> {
    let (address, relation) = link.strip_prefix("<?")?.split_once('>')?;
    let after = address.split('&').find_map(|parameter| parameter.strip_prefix("after="))?;
    let after = percent_decode_str(after).decode_utf8().ok()?;
    relation.contains("rel=\"next\"").then(|| after.into_owned())
}

/// Says where the next page begins.
pub fn say_next(next: Option<&str>) {
    if let Some(next) = next {
        output::say(format_args!("next: repeat with --after {}", as_argument(next)));
    }
}

/// A part of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// What a problem says, and what is wrong with which parameter.
fn said(text: &str) -> String {
    match serde_json::from_str::<Problem>(text) {
        Ok(Problem { detail, errors }) => {
            // The detail has them, too, in one line.
            let mistakes = errors.iter().map(|mistake| format!("\n  {}: {}", mistake.parameter, mistake.message));
            if errors.len() < 2 { detail } else { mistakes.collect() }
        }
        Err(_) => no_answer(text).to_string(),
    }
}

/// The address is that of something else.
fn no_answer(text: &str) -> anyhow::Error {
    let beginning: String = text.chars().take(SHOWN).collect();
    anyhow::anyhow!("not an answer of Slipstream's API: {}", beginning.trim())
}

impl Answer {
    /// Prints it as it came. What it knows beside a table is said.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub fn print(&self) -> Result<()> {
        match self.media {
            Media::Json => output::print_json_text(&self.text).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => no_answer(&self.text),
                _ => error.into(),
            })?,
            Media::Csv => {
                output::print_csv(self.text.as_bytes())?;
                warn(self.stale_for_seconds, self.as_of.as_deref());
                say_next(self.next.as_deref());
                say_rules(self.rules.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// It as data. What it knows beside is said if it is old.
    ///
    /// # Errors
    /// When it has another form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let known: Known = serde_json::from_str(&self.text).unwrap_or_default();
        warn(known.stale_for_seconds, known.as_of.as_deref());
        if serde_json::from_str::<IgnoredAny>(&self.text).is_err() {
            return Err(no_answer(&self.text));
        }
        serde_json::from_str(&self.text).context("reading the answer; has the server another version?")
    }

    /// It as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn value(&self) -> Result<Value> {
        self.read()
    }
}

/// That a table of SLOs is not all.
pub fn say_rules(count: usize) {
    if count > 0 {
        let rules = if count == 1 { "1 Rule is".to_owned() } else { format!("{count} Rules are") };
        output::say(format_args!("{rules} not in this table, which is of SLOs: use --json"));
    }
}

/// That an answer is old.
fn warn(stale_for_seconds: Option<u64>, as_of: Option<&str>) {
    if let Some(seconds) = stale_for_seconds {
        let as_of = as_of.unwrap_or("unknown");
        output::say(format_args!("warning: the server has heard nothing new for {seconds} s: as of {as_of}"));
    }
}

/// Adds a parameter that is given.
pub fn given(params: &mut Params, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        params.push((name.to_owned(), value.to_string()));
    }
}

/// An event time as parameters have it.
pub fn time(micros: EventTime) -> String {
    micros.rfc3339()
}

/// A whole second as parameters have it.
pub fn second(unix: i64) -> String {
    time(EventTime(unix.saturating_mul(1_000_000)))
}

/// A filter as parameters.
pub fn of_filter(filter: &EventFilter) -> Params {
    let EventFilter {
        service,
        environment,
        endpoint,
        method,
        status_code,
        status_class,
        errors_only,
        min_latency_ms,
        max_latency_ms,
        event_id,
        trace_id,
        user_ref,
        attributes,
        from,
        to,
        logged_by,
    } = filter;
    let mut params = Params::new();
    let texts = [
        ("service", service),
        ("environment", environment),
        ("endpoint", endpoint),
        ("method", method),
        ("event_id", event_id),
        ("trace_id", trace_id),
        ("user_ref", user_ref),
    ];
    for (name, text) in texts {
        given(&mut params, name, text.as_ref());
    }
    given(&mut params, "status_code", *status_code);
    given(&mut params, "status_class", *status_class);
    given(&mut params, "errors", errors_only.then_some("true"));
    given(&mut params, "min_latency_ms", *min_latency_ms);
    given(&mut params, "max_latency_ms", *max_latency_ms);
    for (name, value) in attributes {
        given(&mut params, &format!("attribute.{name}"), Some(value));
    }
    given(&mut params, "from", from.map(time));
    given(&mut params, "to", to.map(time));
    given(&mut params, "as_of", logged_by.map(|at| time(EventTime(at.0.saturating_mul(1_000)))));
    params
}

/// A time of the command line as parameters have it.
pub fn moment(time: Timestamp) -> String {
    time.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_all_its_mistakes() {
        let problem = r#"{"type":"urn:x","title":"t","status":400,"detail":"by: no field; to: no time",
            "errors":[{"parameter":"by","message":"no field"},{"parameter":"to","message":"no time"}]}"#;
        assert_eq!(said(problem), "\n  by: no field\n  to: no time");
        assert_eq!(said(r#"{"detail":"gone"}"#), "gone");
        assert_eq!(said("<html>"), "not an answer of Slipstream's API: <html>");
    }

    #[test]
    fn the_next_page_is_found_in_a_link() {
        for (link, expected) in [
            (r#"<?service=a&after=%5B17%2C%22x%22%5D>; rel="next""#, Some(r#"[17,"x"]"#)),
            (r#"<?after=1-0-41>; rel="next""#, Some("1-0-41")),
            (r#"<?after=1-0-41>; rel="prev""#, None),
            (r#"<?service=a>; rel="next""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(next(link).as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(segment("a/b?c d"), "a%2Fb%3Fc%20d");
    }

    #[test]
    fn every_condition_is_a_parameter() {
        let filter = EventFilter {
            service: Some("pay & co".to_owned()),
            environment: Some(String::new()),
            endpoint: Some("/pay".to_owned()),
            method: Some("POST".to_owned()),
            status_code: Some(503),
            status_class: Some(5),
            errors_only: true,
            min_latency_ms: Some(0.5),
            max_latency_ms: Some(5_000.0),
            event_id: Some("e".to_owned()),
            trace_id: Some("t".to_owned()),
            user_ref: Some("u".to_owned()),
            attributes: [("region".to_owned(), "eu".to_owned())].into(),
            from: Some(EventTime(1_769_851_800_000_001)),
            to: Some(EventTime(1_769_851_900_000_000)),
            logged_by: Some(slipstream_schemas::LogTime(1_769_851_900_500)),
        };
        let params = of_filter(&filter);
        let expected = [
            ("service", "pay & co"),
            ("environment", ""),
            ("endpoint", "/pay"),
            ("method", "POST"),
            ("event_id", "e"),
            ("trace_id", "t"),
            ("user_ref", "u"),
            ("status_code", "503"),
            ("status_class", "5"),
            ("errors", "true"),
            ("min_latency_ms", "0.5"),
            ("max_latency_ms", "5000"),
            ("attribute.region", "eu"),
            ("from", "2026-01-31T09:30:00.000001Z"),
            ("to", "2026-01-31T09:31:40.000000Z"),
            ("as_of", "2026-01-31T09:31:40.500000Z"),
        ];
        assert_eq!(params, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(of_filter(&EventFilter::default()), []);
    }
}
