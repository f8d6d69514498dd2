//! Requests as test files describe them: any of a request's fields, to make one, to change one, or to pick some.

use std::borrow::Cow;

use slipstream_schemas::event::EventView;
use slipstream_schemas::time::EventTime;

/// Methods that a sketch may name without the word `method`.
pub(crate) const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// Some fields of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pattern {
    pub service: Option<String>,
    pub environment: Option<String>,
    pub endpoint: Option<String>,
    pub method: Option<String>,
    pub status: Option<u16>,
    /// `Some(None)`: without a latency.
    pub latency_ms: Option<Option<f64>>,
    pub attributes: Vec<(String, String)>,
}

/// All fields of a request that matter to definitions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub service: String,
    environment: String,
    pub endpoint: String,
    /// Whether nothing has said which endpoint: `on /path` may then mean a part of these requests.
    open: bool,
    method: String,
    status: u16,
    latency_ms: Option<f64>,
    /// By key.
    attributes: Vec<(String, String)>,
}

impl Shape {
    /// A request of that service, like most.
    pub(crate) fn of(service: &str) -> Shape {
        Shape {
            service: service.to_owned(),
            environment: String::new(),
            endpoint: "/".to_owned(),
            open: true,
            method: "GET".to_owned(),
            status: 200,
            latency_ms: Some(50.0),
            attributes: Vec::new(),
        }
    }

    /// The request with what the pattern says.
    pub(crate) fn with(&self, pattern: &Pattern) -> Shape {
        let text = |new: &Option<String>, old: &String| new.clone().unwrap_or_else(|| old.clone());
        let mut attributes = self.attributes.clone();
        for (key, value) in &pattern.attributes {
            attributes.retain(|(known, _)| known != key);
            attributes.push((key.clone(), value.clone()));
        }
        attributes.sort();
        Shape {
            service: text(&pattern.service, &self.service),
            environment: text(&pattern.environment, &self.environment),
            endpoint: text(&pattern.endpoint, &self.endpoint),
            open: self.open && pattern.endpoint.is_none(),
            method: text(&pattern.method, &self.method),
            status: pattern.status.unwrap_or(self.status),
            latency_ms: pattern.latency_ms.unwrap_or(self.latency_ms),
            attributes,
        }
    }

    /// Whether it is what the pattern says.
    pub(crate) fn is(&self, pattern: &Pattern) -> bool {
        let same = |wanted: &Option<String>, mine: &String| wanted.as_ref().is_none_or(|wanted| wanted == mine);
        same(&pattern.service, &self.service)
            && same(&pattern.environment, &self.environment)
            && same(&pattern.endpoint, &self.endpoint)
            && same(&pattern.method, &self.method)
            && pattern.status.is_none_or(|status| status == self.status)
            && pattern.latency_ms.is_none_or(|latency| latency == self.latency_ms)
            && pattern.attributes.iter().all(|wanted| self.attributes.contains(wanted))
    }

    /// Whether it would be what the pattern says if its endpoint, which nothing has named, were the pattern's.
    pub(crate) fn may_be(&self, pattern: &Pattern) -> bool {
        let named = Pattern { endpoint: pattern.endpoint.clone(), ..Pattern::default() };
        self.open && pattern.endpoint.is_some() && self.with(&named).is(pattern)
    }

    /// An event of this shape. `second`: when it happened, Unix seconds.
    pub(crate) fn event<'a>(&'a self, id: &'a str, second: i64, weight: u32) -> EventView<'a> {
        let attributes = self.attributes.iter();
        EventView {
            event_id: Cow::Borrowed(id),
            time: EventTime(second.saturating_mul(1_000_000)),
            service: Cow::Borrowed(&self.service),
            environment: Cow::Borrowed(&self.environment),
            endpoint: Cow::Borrowed(&self.endpoint),
            method: Cow::Borrowed(&self.method),
            status_code: self.status,
            latency_ms: self.latency_ms,
            weight,
            trace_id: None,
            user_ref: None,
            attributes: attributes.map(|(k, v)| (Cow::Borrowed(k.as_str()), Cow::Borrowed(v.as_str()))).collect(),
        }
    }
}

/// Which texts a field takes, by the rules of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    least: usize,
    most: usize,
}

impl Limit {
    pub(crate) const NAME: Limit = Limit { least: 1, most: 256 };
    pub(crate) const ENVIRONMENT: Limit = Limit { least: 0, most: 256 };
    pub(crate) const ENDPOINT: Limit = Limit { least: 1, most: 1_024 };
    pub(crate) const ID: Limit = Limit { least: 1, most: 128 };
    pub(crate) const KEY: Limit = Limit { least: 1, most: 64 };
    pub(crate) const VALUE: Limit = Limit { least: 0, most: 256 };

    /// Checks a text.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        if text.chars().any(char::is_control) {
            return Err("expected no control characters".to_owned());
        }
        let Limit { least, most } = self;
        if (least..=most).contains(&text.len()) {
            return Ok(());
        }
        Err(format!("expected {least} to {most} bytes, found {}", text.len()))
    }
}

/// A status code, by the rules of events.
pub(crate) fn status(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|status| (100..600).contains(status))
}
