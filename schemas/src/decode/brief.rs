//! The few fields of an event that sums are made of, for whoever reads millions of them. Nothing is allocated, and service,
//! environment, endpoint, method and status code, of which few combinations come again and again, are left as the bytes
//! they are: they are looked up instead of checked.

use super::avro;
use super::rules::{self, ATTRIBUTES};
use super::swift::Body;
use crate::time::EventTime;

/// An event that keeps every rule if its dimensions do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brief<'a> {
    /// See [`crate::EventView::event_id`]; its text as bytes.
    pub event_id: &'a [u8],
    /// See [`crate::EventView::time`].
    pub time: EventTime,
    /// Service, environment, endpoint, method and status code as they are encoded, not checked. An event with the same bytes
    /// here that [`super::decode`] accepts says that they keep the rules, and what they are.
    pub dimensions: &'a [u8],
    /// See [`crate::EventView::latency_ms`].
    pub latency_ms: Option<f64>,
    /// See [`crate::EventView::weight`].
    pub weight: u32,
}

/// Reads an event under the current schema. `None` if [`super::decode`] has to look at it: it says what is wrong with it, or
/// reads what is merely unusual.
///
/// ```
/// use slipstream_schemas::codec::encode;
/// use slipstream_schemas::decode::{Attributes, Provenance, brief, decode};
/// # use slipstream_schemas::{EventTime, RequestEvent};
/// # let event = RequestEvent {
/// #     event_id: "e-1".to_owned(), time: EventTime(1_769_851_800_000_000), service: "payment".to_owned(),
/// #     environment: "prod".to_owned(), endpoint: "/pay".to_owned(), method: "POST".to_owned(), status_code: 503,
/// #     latency_ms: Some(7.5), weight: 1, trace_id: None, user_ref: None, attributes: Default::default(),
/// # };
/// let value = encode(&event);
/// let brief = brief(&value).expect("our own codec wrote it");
/// let from = Provenance { topic: "request-events", partition: 0, offset: 41 };
/// assert_eq!(brief.event_id, decode(&value, &from, Attributes::Skip)?.event_id.as_bytes());
/// # Ok::<(), slipstream_schemas::decode::EventError>(())
/// ```
pub fn brief(value: &[u8]) -> Option<Brief<'_>> {
    rules::size(value.len()).ok()?;
    let mut body = Body(avro::current_body(value)?);
    let (event_id, time) = (body.bytes()?, body.long()?);
    let from_dimensions = body.0;
    (0..4).try_for_each(|_| body.bytes().map(drop))?;
    body.int()?;
    let dimensions = &from_dimensions[..from_dimensions.len() - body.0.len()];
    let (latency_ms, weight) = (body.optional(Body::double)?, body.int()?);
    let (trace_id, user_ref) = (body.optional(Body::str)?, body.optional(Body::str)?);
    attributes(&mut body)?;
    let id_is_right = is_printable(event_id) && rules::EVENT_ID_BYTES.contains(&event_id.len())
        || std::str::from_utf8(event_id).is_ok_and(|id| rules::event_id(id).is_ok());
    rules::time("time", time).ok()?;
    rules::latency(latency_ms).ok()?;
    let weight = rules::weight(weight).ok()?;
    rules::trace_id(trace_id).ok()?;
    rules::user_ref(user_ref).ok()?;
    let brief = Brief { event_id, time: EventTime(time), dimensions, latency_ms, weight };
    (body.0.is_empty() && id_is_right).then_some(brief)
}

/// Whether a text is of ASCII characters of which none acts. Looked at all at once, as in [`rules::text`].
fn is_printable(text: &[u8]) -> bool {
    text.iter().fold(true, |all, byte| all & (0x20..0x7F).contains(byte))
}

/// Whether bytes are of ASCII characters and none is NUL.
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |all, byte| all & (1..0x80).contains(byte))
}

/// Checks attributes as [`rules::Keys`] does.
fn attributes(body: &mut Body<'_>) -> Option<()> {
    let whole = body.0;
    // Where keys are: events are at most 64 KiB.
    let mut keys = [(0_u16, 0_u8); ATTRIBUTES];
    let mut count = 0;
    each(body, |at, key, value| {
        rules::attribute_sizes(count, key.len(), value.len()).then_some(())?;
        let same = |(at, len): &(u16, u8)| whole[usize::from(*at)..][..usize::from(*len)] == *key;
        if keys[..count].iter().any(same) {
            return None;
        }
        keys[count] = (u16::try_from(at).ok()?, u8::try_from(key.len()).ok()?);
        count += 1;
        Some(())
    })?;
    // Their lengths are in between: nearly always they are less than 64, one byte that is no NUL and as good as ASCII.
    if is_plain(&whole[..whole.len() - body.0.len() - 1]) {
        return Some(());
    }
    each(&mut Body(whole), |_, key, value| {
        rules::attribute(0, std::str::from_utf8(key).ok()?, std::str::from_utf8(value).ok()?).ok()
    })
}

/// Calls `check` with each attribute and where its key is, until there are no more, or it is `None`.
fn each<'a>(body: &mut Body<'a>, mut check: impl FnMut(usize, &'a [u8], &'a [u8]) -> Option<()>) -> Option<()> {
    let whole = body.0.len();
    loop {
        let block = body.long()?;
        if block == 0 {
            return Some(());
        }
        for _ in 0..u32::try_from(block).ok()? {
            let key = body.bytes()?;
            let at = whole - body.0.len() - key.len();
            check(at, key, body.bytes()?)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{HEADER_BYTES, encode};
    use crate::decode::swift::tests::any_event;
    use crate::decode::{Attributes, EventError, Provenance, decode};
    use crate::event::{EventView, RequestEvent};

    /// Events that keep most rules, with values at the edges of them.
    fn usual_event() -> impl Strategy<Value = RequestEvent> {
        let attributes = prop::collection::btree_map("[a-c\u{e9}]{0,2}|[a-z]{63,65}", "[a-z\u{e9}]{0,4}", 0..34);
        let ids = prop_oneof![Just((None, None)), ("[0-9a-f]{32}", "[a-z]{0,9}").prop_map(|(t, u)| (Some(t), Some(u)))];
        let rest = (0_i64..4_000_000_000_000_000, prop_oneof![Just(1), 0..3_i32], -1.0..9e7, ids, attributes);
        (any_event(), "[a-z0-9\u{e9}-]{0,130}", rest).prop_map(|(event, event_id, rest)| {
            let (time, weight, latency, (trace_id, user_ref), attributes) = rest;
            let (time, latency_ms) = (EventTime(time), Some(latency));
            RequestEvent { event_id, time, latency_ms, weight, trace_id, user_ref, attributes, ..event }
        })
    }

    fn decoded(value: &[u8]) -> Result<EventView<'_>, EventError> {
        decode(value, &Provenance { topic: "request-events", partition: 0, offset: 0 }, Attributes::Skip)
    }

    /// An event with these dimensions and nothing that breaks a rule.
    fn plain(header: &[u8], dimensions: &[u8]) -> Vec<u8> {
        let (id_and_time, no_latency_weight_1_and_nothing_else) = ([2, b'e', 0], [0, 2, 0, 0, 0]);
        [header, &id_and_time, dimensions, &no_latency_weight_1_and_nothing_else].concat()
    }

    /// What is read in brief is what [`decode`] reads, and whether it is valid is a matter of the dimensions alone.
    fn agrees(value: &[u8]) -> Result<(), TestCaseError> {
        let Some(brief) = brief(value) else { return Ok(()) };
        let plain = plain(&value[..HEADER_BYTES], brief.dimensions);
        match (decoded(value), decoded(&plain)) {
            (Ok(event), Ok(plain)) => {
                prop_assert_eq!(brief.event_id, event.event_id.as_bytes());
                prop_assert_eq!((brief.time, brief.weight), (event.time, event.weight));
                prop_assert_eq!(brief.latency_ms.map(f64::to_bits), event.latency_ms.map(f64::to_bits));
                prop_assert_eq!((&plain.service, &plain.environment), (&event.service, &event.environment));
                prop_assert_eq!((&plain.endpoint, &plain.method), (&event.endpoint, &event.method));
                prop_assert_eq!(plain.status_code, event.status_code);
            }
            (event, plain) => prop_assert!(event.is_err() && plain.is_err(), "{event:?}, {plain:?}"),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn it_never_disagrees_with_decode(
            event in prop_oneof![any_event(), usual_event()],
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let value = encode(&event);
            agrees(&value)?;
            prop_assert!(decoded(&value).is_err() || brief(&value).is_some(), "what our own codec writes is read in brief");
            let mut changed = value;
            for (place, byte) in &changes {
                let place = place.index(changed.len());
                changed[place] = *byte;
            }
            if let Some(cut) = cut {
                changed.truncate(cut.index(changed.len()));
            }
            agrees(&changed)?;
        }
    }

    proptest! {
        #[test]
        fn an_attribute_that_comes_twice_is_left_to_decode(event in any_event(), keys in prop::collection::vec("[a-c]{1,2}", 0..5)) {
            let mut value = plain(&encode(&event)[..HEADER_BYTES], b"\x02s\x00\x02/\x06GET\x90\x03");
            let end = value.pop();
            value.push(2 * keys.len() as u8);
            for key in &keys {
                value.push(2 * key.len() as u8);
                value.extend(key.as_bytes());
                value.extend([2, b'v']);
            }
            value.extend(end.filter(|_| !keys.is_empty()));
            let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
            prop_assert_eq!(brief(&value).is_some(), distinct.len() == keys.len());
            prop_assert_eq!(decoded(&value).is_ok(), distinct.len() == keys.len());
        }
    }
}
