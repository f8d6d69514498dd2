//! Avro single-object encoding of our records: `C3 01`, the schema's 8-byte little-endian CRC-64-AVRO fingerprint, body.
//! Source: Avro specification 1.12, "Single-object encoding".

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_avro_fast::Schema;
use serde_avro_fast::ser::SerializerConfig;

use crate::cause::Cause;
use crate::event::RequestEvent;
use crate::records::{
    Acknowledgement, AlertTransition, BurnChunk, BurnRates, Definition, ImportPosition, Marker, Notification, Silence,
    TallyBatch, Token,
};

/// The two bytes every single-object encoding begins with.
pub const MARKER: [u8; 2] = [0xC3, 0x01];
/// Marker and fingerprint.
pub const HEADER_BYTES: usize = 10;

/// A record that travels under a schema of its own.
pub trait Wire: Serialize + DeserializeOwned {
    /// Name of the record in its schema.
    const NAME: &'static str;
    /// The schema's text, as in `avsc/`.
    const SCHEMA: &'static str;

    /// The schema, parsed.
    fn schema() -> &'static Schema;

    /// Schemas under which earlier versions wrote it, parsed: fields that came since have a default.
    fn former() -> &'static [Schema];
}

macro_rules! wire {
    ($($record:ident => $file:literal $(, formerly $($former:literal)+)?);+ $(;)?) => {$(
        impl Wire for $record {
            const NAME: &'static str = stringify!($record);
            const SCHEMA: &'static str = include_str!(concat!("../avsc/", $file));

            fn schema() -> &'static Schema {
                static PARSED: LazyLock<Schema> = LazyLock::new(|| parse($record::SCHEMA, $file));
                &PARSED
            }

            fn former() -> &'static [Schema] {
                static PARSED: LazyLock<Vec<Schema>> = LazyLock::new(|| {
                    vec![$($(parse(include_str!(concat!("../avsc/former/", $former)), $former)),+)?]
                });
                &PARSED
            }
        }
    )+};
}

wire! {
    RequestEvent => "request_event.avsc";
    TallyBatch => "tally_batch.avsc";
    BurnRates => "burn_rates.avsc", formerly "burn_rates_1.avsc";
    AlertTransition => "alert_transition.avsc", formerly "alert_transition_1.avsc";
    Notification => "notification.avsc", formerly "notification_1.avsc";
    ImportPosition => "import_position.avsc", formerly "import_position_1.avsc";
    Definition => "definition.avsc";
    BurnChunk => "burn_chunk.avsc", formerly "burn_chunk_1.avsc";
    Marker => "marker.avsc";
    Silence => "silence.avsc";
    Acknowledgement => "acknowledgement.avsc";
    Token => "token.avsc", formerly "token_1.avsc";
}

fn parse(text: &str, file: &str) -> Schema {
    text.parse().unwrap_or_else(|e| panic!("avsc/{file}, which is built in, is not a schema: {e}"))
}

/// Why bytes are not the record that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No single-object encoding at all.
    #[error("no {record}: the value does not begin with C3 01 and a fingerprint")]
    NotSingleObject {
        /// What was expected.
        record: &'static str,
    },
    /// Written under a schema that this version does not know.
    #[error(
        "{record} with unknown schema fingerprint {fingerprint}: written by a newer version; upgrade the readers first"
    )]
    UnknownFingerprint {
        /// What was expected.
        record: &'static str,
        /// The fingerprint's eight bytes in hex, as they lie on the wire.
        fingerprint: String,
    },
    /// The body is not what the schema says.
    #[error("{record} cannot be decoded: {cause}")]
    Malformed {
        /// What was expected.
        record: &'static str,
        /// What is wrong.
        #[source]
        cause: Cause,
    },
}

/// Encodes a record.
///
/// ```
/// use slipstream_schemas::codec::{MARKER, decode, encode};
/// use slipstream_schemas::{EventTime, RequestEvent};
///
/// let event = RequestEvent {
///     event_id: "e-1".to_owned(),
///     time: EventTime(1_769_851_800_000_000), // microseconds
///     service: "payment".to_owned(),
///     environment: String::new(),
///     endpoint: "/pay".to_owned(),
///     method: "POST".to_owned(),
///     status_code: 200,
///     latency_ms: Some(12.5),
///     weight: 1,
///     trace_id: None,
///     user_ref: None,
///     attributes: [("region".to_owned(), "eu".to_owned())].into(),
/// };
/// let value = encode(&event);
/// assert!(value.starts_with(&MARKER));
/// assert_eq!(decode::<RequestEvent>(&value)?, event);
/// # Ok::<(), slipstream_schemas::codec::CodecError>(())
/// ```
///
/// # Panics
/// When a type of this crate does not fit its own schema: a mistake in the program that every round-trip test finds.
pub fn encode<T: Wire>(record: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    encode_into(record, &mut out);
    out
}

/// Appends an encoded record to `out`.
///
/// # Panics
/// As [`encode`].
pub fn encode_into<T: Wire>(record: &T, out: &mut Vec<u8>) {
    let mut config = SerializerConfig::new(T::schema());
    if let Err(e) = serde_avro_fast::to_single_object(record, out, &mut config) {
        panic!("{} does not fit its own schema: {e}", T::NAME);
    }
}

/// Decodes a record that was written under the current schema or a former one. A field that the former one did not have
/// gets its default, which the type and the schema agree on.
///
/// # Errors
/// See [`CodecError`].
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, CodecError> {
    let record = T::NAME;
    let Some((header, body)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(CodecError::NotSingleObject { record });
    };
    let (marker, fingerprint) = header.split_at(MARKER.len());
    if marker != MARKER {
        return Err(CodecError::NotSingleObject { record });
    }
    let mut known = std::iter::once(T::schema()).chain(T::former());
    let Some(schema) = known.find(|schema| fingerprint == schema.rabin_fingerprint()) else {
        let fingerprint = fingerprint.iter().map(|b| format!("{b:02x}")).collect();
        return Err(CodecError::UnknownFingerprint { record, fingerprint });
    };
    serde_avro_fast::from_datum_slice(body, schema).map_err(|e| CodecError::Malformed { record, cause: Cause::of(e) })
}
