//! The body of an event under the current schema, read field by field. It costs a third of what a reader of any schema does,
//! and decoding is the larger half of tally's work (docs/benchmarks.md).
//!
//! It knows only how a body is when all is well. Whatever else comes is left to the general reader, which says what is
//! wrong with it, or reads what is merely unusual; a test holds that the two never disagree.

use std::borrow::Cow;

use super::error::ErrorClass;
use super::rules::{Attributes, Draft, Keys, Pairs};

/// The event, its fields not checked yet. `None` if the general reader has to take it.
pub(super) fn draft(body: &[u8], attributes: Attributes) -> Option<Draft<'_>> {
    let mut body = Body(body);
    let draft = Draft {
        event_id: body.text()?,
        time: body.long()?,
        service: body.text()?,
        environment: body.text()?,
        endpoint: body.text()?,
        method: body.text()?,
        status_code: body.int()?,
        latency_ms: body.optional(Body::double)?,
        weight: body.int()?,
        trace_id: body.optional(Body::text)?,
        user_ref: body.optional(Body::text)?,
        attributes: body.attributes(attributes)?,
    };
    body.0.is_empty().then_some(draft)
}

/// What is left of a body, in Avro's binary encoding.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    /// Variable length, zigzag.
    pub(super) fn long(&mut self) -> Option<i64> {
        // Lengths, and which of a union it is: one byte.
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(i64::from(byte >> 1) ^ -i64::from(byte & 1));
        }
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if *byte < 0x80 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }

    pub(super) fn int(&mut self) -> Option<i64> {
        self.long().filter(|value| i32::try_from(*value).is_ok())
    }

    pub(super) fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    /// A text's bytes, whatever they are.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.str().map(Cow::Borrowed)
    }

    /// A union of null and something.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.long()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    /// Each is checked; they are kept where they are read.
    fn attributes(&mut self, attributes: Attributes) -> Option<Pairs<'a>> {
        let (mut pairs, mut keys) = (Vec::new(), Keys::default());
        loop {
            let block = self.long()?;
            if block == 0 {
                return Some(pairs);
            }
            // A negative count has the size of its block behind it.
            for _ in 0..u32::try_from(block).ok()? {
                let (key, value) = (self.str()?, self.str()?);
                keys.check(key, value, ErrorClass::MalformedAvro).ok()?;
                if attributes == Attributes::Read {
                    pairs.push((Cow::Borrowed(key), Cow::Borrowed(value)));
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::{HEADER_BYTES, encode};
    use crate::decode::avro::general;
    use crate::decode::rules;
    use crate::event::RequestEvent;
    use crate::time::EventTime;

    prop_compose! {
        pub(in crate::decode) fn any_event()(
            texts in prop::array::uniform5("[a-zA-Zé/{}\u{80}\n -]{0,40}"),
            time in -1_000_000_000_000_000..9_000_000_000_000_000_i64,
            status_code in prop_oneof![any::<i32>(), 100..600],
            weight in prop_oneof![any::<i32>(), 1..1_000_i32],
            latency_ms in prop::option::of(prop_oneof![any::<f64>(), 0.0..1e9]),
            trace_id in prop::option::of("[0-9a-g]{31,33}"),
            user_ref in prop::option::of("[a-z\u{0}]{0,300}"),
            attributes in prop::collection::btree_map("[a-z\u{0}]{0,70}", "[a-zé\u{0}]{0,300}", 0..40),
        ) -> RequestEvent {
            let [event_id, service, environment, endpoint, method] = texts;
            let time = EventTime(time);
            let attributes: BTreeMap<String, String> = attributes;
            RequestEvent {
                event_id, time, service, environment, endpoint, method, status_code, latency_ms, weight, trace_id, user_ref,
                attributes,
            }
        }
    }

    /// What is read swiftly is what the general reader reads, rule for rule.
    fn agrees(body: &[u8], attributes: Attributes) -> Result<bool, TestCaseError> {
        let Some(draft) = draft(body, attributes) else { return Ok(false) };
        let shown = |event: Result<_, crate::decode::EventError>| format!("{event:?}");
        prop_assert_eq!(shown(draft.check()), shown(general(body, attributes)));
        Ok(true)
    }

    proptest! {
        #[test]
        fn it_never_disagrees_with_the_general_reader(
            event in any_event(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            for attributes in [Attributes::Read, Attributes::Skip] {
                let value = encode(&event);
                let body = &value[HEADER_BYTES..];
                let swift = agrees(body, attributes)?;
                let checked = event.attributes.iter().enumerate().all(|(i, (k, v))| rules::attribute(i, k, v).is_ok());
                prop_assert_eq!(swift, checked, "what our own codec writes is read swiftly");
                let mut changed = body.to_vec();
                for (place, byte) in &changes {
                    let place = place.index(changed.len());
                    changed[place] = *byte;
                }
                if let Some(cut) = cut {
                    changed.truncate(cut.index(changed.len()));
                }
                agrees(&changed, attributes)?;
            }
        }
    }
}
