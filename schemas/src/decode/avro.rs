//! Events in Avro single-object encoding: the table of fingerprints, and a borrowed decode of the body.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::marker::PhantomData;
use std::sync::LazyLock;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_avro_fast::de::DeserializerState;

use super::error::{ErrorClass, EventError};
use super::rules::{self, Attributes, Draft, Keys, Pairs};
use super::swift;
use crate::codec::{HEADER_BYTES, MARKER, Wire};
use crate::event::{EventView, RequestEvent};

/// What libraries compute for version 1 besides the specification's fingerprint, which RequestEvent's schema gives: they
/// differ in what they leave of a logical type in the canonical form. `tests/foreign` has a message of each library.
const V1_ALIASES: [[u8; 8]; 2] = [
    // `{"type":"long"}` left: apache-avro (Rust) since 0.17, avro (Python), goavro.
    [0xff, 0xac, 0x5a, 0xb7, 0x8b, 0xd9, 0x15, 0x18],
    // `{"type":"long","logicalType":"timestamp-micros"}` left: hamba/avro, apache-avro (Rust) up to 0.16.
    [0xb8, 0x99, 0x8b, 0xc4, 0xcf, 0x73, 0x9c, 0xb5],
];

/// How a body of a known fingerprint is read.
enum Reading {
    /// Written under the current schema.
    Current,
    /// Written under another one: resolved by the rules of the specification, defaults filled in. The library keeps the last
    /// of two attributes with the same key; whoever publishes a second version has to look at that.
    Resolved(Box<apache_avro::Schema>),
}

/// The published versions of the event's schema by fingerprint.
pub(super) struct Versions {
    by_fingerprint: HashMap<[u8; 8], Reading>,
    reader: apache_avro::Schema,
}

static PUBLISHED: LazyLock<Versions> = LazyLock::new(|| Versions::new(&[]));

impl Versions {
    /// The current version with the fingerprints that libraries compute for it, and `others`, which are read by resolution.
    ///
    /// # Panics
    /// When a schema that is part of the program is none.
    pub(super) fn new(others: &[&str]) -> Self {
        let mut by_fingerprint = HashMap::new();
        for text in others {
            let schema = parse(text);
            let fingerprint = fast_fingerprint(text);
            by_fingerprint.insert(fingerprint, Reading::Resolved(Box::new(schema)));
        }
        by_fingerprint.insert(*RequestEvent::schema().rabin_fingerprint(), Reading::Current);
        for alias in V1_ALIASES {
            by_fingerprint.insert(alias, Reading::Current);
        }
        Versions { by_fingerprint, reader: parse(RequestEvent::SCHEMA) }
    }

    pub(super) fn decode<'a>(&self, value: &'a [u8], attributes: Attributes) -> Result<EventView<'a>, EventError> {
        let Some((header, body)) = value.split_at_checked(HEADER_BYTES) else {
            let rule = format!("{} bytes are too few for Avro single-object encoding", value.len());
            return Err(EventError::whole(ErrorClass::MalformedAvro, rule));
        };
        let fingerprint = &header[MARKER.len()..];
        match self.by_fingerprint.get(fingerprint) {
            Some(Reading::Current) => current(body, attributes),
            Some(Reading::Resolved(writer)) => self.resolved(body, writer, attributes),
            None => {
                let hex: String = fingerprint.iter().map(|b| format!("{b:02x}")).collect();
                let rule =
                    format!("unknown schema fingerprint {hex}: not a published version; re-drive after an upgrade");
                Err(EventError::whole(ErrorClass::UnknownFingerprint, rule))
            }
        }
    }

    fn resolved<'a>(
        &self,
        mut body: &[u8],
        writer: &apache_avro::Schema,
        attributes: Attributes,
    ) -> Result<EventView<'a>, EventError> {
        let reader =
            GenericDatumReader::builder(writer).reader_schema(&self.reader).build().map_err(|e| malformed(&e))?;
        let value = reader.read_value(&mut body).map_err(|e| malformed(&e))?;
        if !body.is_empty() {
            return Err(malformed(&"bytes are left behind it"));
        }
        // The event's time is a plain number to our records.
        let value = match value {
            Value::Record(fields) => Value::Record(fields.into_iter().map(plain_time).collect()),
            other => other,
        };
        let event: RequestEvent = apache_avro::from_value(&value).map_err(|e| malformed(&e))?;
        rules::check_owned(event, attributes)
    }
}

fn plain_time((name, value): (String, Value)) -> (String, Value) {
    match value {
        Value::TimestampMicros(micros) => (name, Value::Long(micros)),
        other => (name, other),
    }
}

fn parse(text: &str) -> apache_avro::Schema {
    apache_avro::Schema::parse_str(text).unwrap_or_else(|e| panic!("a schema of the program is none: {e}"))
}

fn fast_fingerprint(text: &str) -> [u8; 8] {
    let schema: serde_avro_fast::Schema =
        text.parse().unwrap_or_else(|e| panic!("a schema of the program is none: {e}"));
    *schema.rabin_fingerprint()
}

/// The headers of the current schema: of its fingerprint, and of those that libraries compute for it.
static CURRENT: LazyLock<[[u8; HEADER_BYTES]; 3]> = LazyLock::new(|| {
    let [first, second] = V1_ALIASES;
    [*RequestEvent::schema().rabin_fingerprint(), first, second].map(|fingerprint| {
        let mut header = [0; HEADER_BYTES];
        header[..MARKER.len()].copy_from_slice(&MARKER);
        header[MARKER.len()..].copy_from_slice(&fingerprint);
        header
    })
});

/// The body of an event that was written under the current schema.
pub(super) fn current_body(value: &[u8]) -> Option<&[u8]> {
    let (header, body) = value.split_first_chunk()?;
    CURRENT.contains(header).then_some(body)
}

/// Decodes by the published versions.
pub(super) fn decode(value: &[u8], attributes: Attributes) -> Result<EventView<'_>, EventError> {
    PUBLISHED.decode(value, attributes)
}

fn current(body: &[u8], attributes: Attributes) -> Result<EventView<'_>, EventError> {
    match swift::draft(body, attributes) {
        Some(draft) => draft.check(),
        None => general(body, attributes),
    }
}

/// Reads a body by its schema, and says what is wrong with it.
pub(super) fn general(body: &[u8], attributes: Attributes) -> Result<EventView<'_>, EventError> {
    let schema = RequestEvent::schema();
    match attributes {
        Attributes::Read => whole::<Raw<'_, Read<'_>>>(body, schema)?.split(),
        Attributes::Skip => whole::<Raw<'_, Skip<'_>>>(body, schema)?.split(),
    }
}

/// Decodes a datum that is all of `body`.
fn whole<'a, T: Deserialize<'a>>(body: &'a [u8], schema: &serde_avro_fast::Schema) -> Result<T, EventError> {
    let mut state = DeserializerState::from_slice(body, schema);
    let datum = T::deserialize(state.deserializer()).map_err(|e| malformed(&e))?;
    match state.into_reader().read(&mut [0]) {
        Ok(0) => Ok(datum),
        _ => Err(malformed(&"bytes are left behind it")),
    }
}

fn malformed(error: &impl fmt::Display) -> EventError {
    EventError::whole(ErrorClass::MalformedAvro, format!("the Avro body does not match its schema: {error}"))
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "A: Deserialize<'de>"))]
struct Raw<'a, A> {
    event_id: &'a str,
    time: i64,
    service: &'a str,
    environment: &'a str,
    endpoint: &'a str,
    method: &'a str,
    status_code: i32,
    latency_ms: Option<f64>,
    weight: i32,
    #[serde(borrow)]
    trace_id: Option<&'a str>,
    #[serde(borrow)]
    user_ref: Option<&'a str>,
    attributes: A,
}

impl<'a, A: Checked<'a>> Raw<'a, A> {
    fn split(self) -> Result<EventView<'a>, EventError> {
        let draft = Draft {
            event_id: Cow::Borrowed(self.event_id),
            time: self.time,
            service: Cow::Borrowed(self.service),
            environment: Cow::Borrowed(self.environment),
            endpoint: Cow::Borrowed(self.endpoint),
            method: Cow::Borrowed(self.method),
            status_code: i64::from(self.status_code),
            latency_ms: self.latency_ms,
            weight: i64::from(self.weight),
            trace_id: self.trace_id.map(Cow::Borrowed),
            user_ref: self.user_ref.map(Cow::Borrowed),
            attributes: self.attributes.checked()?,
        };
        draft.check()
    }
}

/// Attributes that were checked while they were walked over: whether they are kept makes no difference to what is valid.
trait Checked<'a> {
    fn checked(self) -> Result<Pairs<'a>, EventError>;
}

struct Read<'a>(Result<Pairs<'a>, EventError>);
struct Skip<'a>(Result<(), EventError>, PhantomData<&'a ()>);

impl<'a> Checked<'a> for Read<'a> {
    fn checked(self) -> Result<Pairs<'a>, EventError> {
        self.0
    }
}

impl<'a> Checked<'a> for Skip<'a> {
    fn checked(self) -> Result<Pairs<'a>, EventError> {
        self.0.map(|()| Vec::new())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Read<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut pairs = Vec::new();
        let walked = walk(deserializer, |key: &'de str, value: &'de str| {
            pairs.push((Cow::Borrowed(key), Cow::Borrowed(value)));
        })?;
        Ok(Read(walked.map(|()| pairs)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Skip<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Skip(walk(deserializer, |_, _| {})?, PhantomData))
    }
}

/// Walks over a map of strings to its end; the first broken rule is kept.
fn walk<'de, D: Deserializer<'de>>(
    deserializer: D,
    keep: impl FnMut(&'de str, &'de str),
) -> Result<Result<(), EventError>, D::Error> {
    struct Walk<K>(K);

    impl<'de, K: FnMut(&'de str, &'de str)> Visitor<'de> for Walk<K> {
        type Value = Result<(), EventError>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of strings")
        }

        fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut walked = Ok(());
            let mut keys = Keys::default();
            while let Some((key, value)) = map.next_entry::<&'de str, &'de str>()? {
                if walked.is_ok() {
                    walked = keys.check(key, value, ErrorClass::MalformedAvro);
                    (self.0)(key, value);
                }
            }
            Ok(walked)
        }
    }

    deserializer.deserialize_map(Walk(keep))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn the_fingerprint_of_the_apache_avro_in_this_build_is_known() {
        let computed = parse(RequestEvent::SCHEMA).fingerprint::<apache_avro::rabin::Rabin>().bytes;
        assert_eq!(computed[..], V1_ALIASES[0]);
    }

    fn event() -> RequestEvent {
        let json = br#"{"event_id":"e","time":1700000000000000,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
        super::super::from_json(json, String::new).unwrap().event
    }

    /// The schema with one field taken away or added.
    fn edited(edit: impl FnOnce(&mut Vec<serde_json::Value>)) -> String {
        let mut schema: serde_json::Value = serde_json::from_str(RequestEvent::SCHEMA).unwrap();
        edit(schema["fields"].as_array_mut().unwrap());
        schema.to_string()
    }

    fn written_under(schema: &str, without: &str) -> Vec<u8> {
        let parsed = parse(schema);
        let mut value = serde_json::to_value(event()).unwrap();
        value.as_object_mut().unwrap().remove(without);
        if schema.contains("\"region\"") {
            value["region"] = "eu".into();
        }
        let value = Value::try_from(value).unwrap().resolve(&parsed).unwrap();
        let body = apache_avro::writer::datum::GenericDatumWriter::builder(&parsed)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap();
        [MARKER.as_slice(), &fast_fingerprint(schema), &body].concat()
    }

    #[test]
    fn an_older_and_a_newer_compatible_writer_are_understood() {
        let older = edited(|fields| fields.retain(|f| f["name"] != "weight"));
        let newer =
            edited(|fields| fields.push(serde_json::json!({"name": "region", "type": "string", "default": ""})));
        let versions = Versions::new(&[&older, &newer]);
        for (schema, without) in [(older.as_str(), "weight"), (newer.as_str(), "")] {
            let value = written_under(schema, without);
            let view = versions.decode(&value, Attributes::Read).unwrap();
            assert_eq!(view.to_owned_event(), event());
            let longer = [value.as_slice(), b"x"].concat();
            assert_eq!(versions.decode(&longer, Attributes::Skip).unwrap_err().class, ErrorClass::MalformedAvro);
        }
    }

    #[test]
    fn what_nobody_published_is_told_by_its_fingerprint() {
        let mut value = encode(&event());
        value[2..10].copy_from_slice(&[0xAB; 8]);
        let error = decode(&value, Attributes::Read).unwrap_err();
        assert_eq!(error.class, ErrorClass::UnknownFingerprint);
        assert!(error.to_string().contains("abababababababab"), "{error}");
    }

    #[test]
    fn a_body_that_is_cut_or_too_long_is_an_error_not_a_panic() {
        let value = encode(&event());
        assert!(decode(&[value.as_slice(), &[0]].concat(), Attributes::Skip).is_err(), "a byte too many");
        for end in 0..value.len() {
            assert!(decode(&value[..end], Attributes::Skip).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_attribute_that_comes_twice_is_refused_whether_it_is_read_or_not() {
        let mut value = encode(&event());
        assert_eq!(value.pop(), Some(0), "the end of a map without entries");
        for block in [[2, 2, b'k', 2, b'1'], [2, 2, b'k', 2, b'2']] {
            value.extend(block);
        }
        value.push(0);
        for attributes in [Attributes::Read, Attributes::Skip] {
            let error = decode(&value, attributes).unwrap_err();
            assert_eq!(error.class, ErrorClass::MalformedAvro);
            assert_eq!(error.to_string(), "attributes.k `2`: must not appear twice");
        }
    }
}
