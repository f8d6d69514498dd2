//! What values of parameters look like: how each is read, what was expected, and its schema.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use slipstream_runtime::config;
use slipstream_store::Cursor;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};

/// Characters of an endpoint's name.
const ENDPOINT: usize = 1_024;
/// Of any other.
const TEXT: usize = 256;

/// A kind of values.
pub trait Value: Sized {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected.
    fn read(text: &str) -> Result<Self, String>;

    /// Exactly the texts that are read, as far as a schema can say it.
    fn schema() -> Schema;
}

/// One of several words.
pub trait Choice: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its word.
    fn name(self) -> &'static str;
}

impl<C: Choice> Value for C {
    fn read(text: &str) -> Result<Self, String> {
        let found = C::ALL.iter().copied().find(|choice| choice.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = C::ALL.iter().map(|choice| choice.name()).collect();
            match config::nearest(text, names.iter().copied()) {
                Some(near) => format!("expected one of {} (did you mean `{near}`?)", names.join(", ")),
                None => format!("expected one of {}", names.join(", ")),
            }
        })
    }

    fn schema() -> Schema {
        let names: Vec<&str> = C::ALL.iter().map(|choice| choice.name()).collect();
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
    }
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn integer(least: i64, most: i64) -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most)).build()
}

/// A time: RFC 3339, or a date for its midnight in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Value for Time {
    fn read(text: &str) -> Result<Self, String> {
        // jiff takes more than RFC 3339 has, such as names of time zones in brackets.
        let plain = |text: &&str| !text.contains(['[', ' ', ',']);
        let of_date = || Some(Date::strptime("%Y-%m-%d", text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
        let time = Some(text).filter(plain).and_then(|text| text.parse().ok()).or_else(of_date);
        time.map(Time).ok_or_else(|| "expected a time like 2026-11-29T00:00:00Z, or a date".to_owned())
    }

    fn schema() -> Schema {
        let of = |format| string().format(Some(SchemaFormat::KnownFormat(format))).build();
        AnyOfBuilder::new().item(of(KnownFormat::DateTime)).item(of(KnownFormat::Date)).build().into()
    }
}

/// A length of time in whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(pub i64);

/// The longest: a leap year.
const LONGEST: u64 = 366 * 86_400;

impl Value for Length {
    fn read(text: &str) -> Result<Self, String> {
        let whole = |d: &Duration| d.subsec_nanos() == 0 && (1..=LONGEST).contains(&d.as_secs());
        let read = config::duration(text).filter(whole);
        read.map(|d| Length(d.as_secs() as i64))
            .ok_or_else(|| "expected a duration from 1s to 366d, like 5m or 1d".into())
    }

    fn schema() -> Schema {
        string().pattern(Some("^[1-9][0-9]{0,6}(s|m|h|d)$")).build().into()
    }
}

/// The name of something that a filter is equal to: 1 to 256 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name(pub String);

impl Value for Name {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Name(bounded(text, 1, TEXT)?))
    }

    fn schema() -> Schema {
        bounded_schema(1, TEXT)
    }
}

/// The name of an endpoint: 1 to 1,024 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointName(pub String);

impl Value for EndpointName {
    fn read(text: &str) -> Result<Self, String> {
        Ok(EndpointName(bounded(text, 1, ENDPOINT)?))
    }

    fn schema() -> Schema {
        bounded_schema(1, ENDPOINT)
    }
}

/// A text that may be empty, as environments and attributes may: at most 256 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub String);

impl Value for Text {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Text(bounded(text, 0, TEXT)?))
    }

    fn schema() -> Schema {
        bounded_schema(0, TEXT)
    }
}

/// No event has control characters, and no store takes a NUL. Characters are counted, as schemas count them: what has more bytes
/// than an event may have finds nothing.
fn bounded(text: &str, least: usize, most: usize) -> Result<String, String> {
    let fits = (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let expected = || format!("expected {least} to {most} characters without control characters");
    if fits { Ok(text.to_owned()) } else { Err(expected()) }
}

fn bounded_schema(least: usize, most: usize) -> Schema {
    let visible = r"^[^\x00-\x1f\x7f-\x9f]*$";
    string().min_length(Some(least)).max_length(Some(most)).pattern(Some(visible)).build().into()
}

/// How many rows at most: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub usize);

impl Limit {
    /// The most rows of an answer.
    pub const MOST: usize = 10_000;
}

impl Value for Limit {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Limit(whole(text, 1, Limit::MOST as i64)? as usize))
    }

    fn schema() -> Schema {
        integer(1, Limit::MOST as i64).into()
    }
}

/// An HTTP status: 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode(pub u16);

impl Value for StatusCode {
    fn read(text: &str) -> Result<Self, String> {
        Ok(StatusCode(whole(text, 100, 599)? as u16))
    }

    fn schema() -> Schema {
        integer(100, 599).into()
    }
}

/// The first digit of a status: `5`, or `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusClass(pub u8);

impl Value for StatusClass {
    fn read(text: &str) -> Result<Self, String> {
        let digit = text.strip_suffix("xx").unwrap_or(text);
        let class = whole(digit, 1, 5).map_err(|_| "expected a class of statuses from 1xx to 5xx".to_owned())?;
        Ok(StatusClass(class as u8))
    }

    fn schema() -> Schema {
        string().pattern(Some("^[1-5](xx)?$")).build().into()
    }
}

/// Milliseconds, with parts: 0 to a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Millis(pub f64);

/// The longest latency that an event may have.
const DAY_MS: f64 = 86_400_000.0;

impl Value for Millis {
    fn read(text: &str) -> Result<Self, String> {
        // Rust also reads `inf`, `nan` and `+1`.
        let plain = text.starts_with(|c: char| c.is_ascii_digit());
        let millis = text.parse().ok().filter(|ms| plain && (0.0..=DAY_MS).contains(ms));
        millis.map(Millis).ok_or_else(|| "expected milliseconds from 0 to 86400000".to_owned())
    }

    fn schema() -> Schema {
        let number = ObjectBuilder::new().schema_type(Type::Number);
        number.minimum(Some(0)).maximum(Some(DAY_MS as i64)).build().into()
    }
}

/// A trace id: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(pub String);

impl Value for TraceId {
    fn read(text: &str) -> Result<Self, String> {
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let fits = text.len() == 32 && text.chars().all(hex);
        if fits { Ok(TraceId(text.to_owned())) } else { Err("expected 32 lower-case hex digits".to_owned()) }
    }

    fn schema() -> Schema {
        string().pattern(Some("^[0-9a-f]{32}$")).build().into()
    }
}

/// `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yes(pub bool);

impl Value for Yes {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map(Yes).map_err(|_| "expected true or false".to_owned())
    }

    fn schema() -> Schema {
        ObjectBuilder::new().schema_type(Type::Boolean).build().into()
    }
}

/// Digits alone: no sign, no space.
fn whole(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (least..=most).contains(n));
    number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

impl Value for Cursor {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected the `next` of the previous page, unchanged".to_owned())
    }

    fn schema() -> Schema {
        string().pattern(Some("^-?[0-9]{1,19}-[0-9]{1,19}-[0-9]{1,19}$")).build().into()
    }
}
