//! The fast codec against apache-avro, the reference, both ways; defaults included.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use slipstream_schemas::codec::{CodecError, HEADER_BYTES, Wire, decode, encode};
use slipstream_schemas::decode::{Attributes, Provenance};
use slipstream_schemas::records::*;
use slipstream_schemas::{EventTime, LogTime, RequestEvent, cause};

/// The reference reads what we write, and we read what the reference writes of it. (Bytes may differ in the order of a
/// map's entries.)
fn agree<T: Wire + Clone + PartialEq + std::fmt::Debug>(record: &T) {
    let ours = encode(record);
    let schema = Schema::parse_str(T::SCHEMA).unwrap();
    let read = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut &ours[HEADER_BYTES..]).unwrap();
    let theirs = GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(read).unwrap();
    let theirs = [&ours[..HEADER_BYTES], &theirs].concat();
    assert_eq!(theirs.len(), ours.len(), "both write the same");
    assert_eq!(&decode::<T>(&theirs).unwrap(), record, "we read what the reference writes");
    assert_eq!(&decode::<T>(&ours).unwrap(), record, "we read what we write");
}

/// A record as a former version wrote it: the reference leaves out what that version did not know.
fn as_formerly<T: Wire>(record: &T, schema: &str) -> Vec<u8> {
    let (now, former) = (Schema::parse_str(T::SCHEMA).unwrap(), Schema::parse_str(schema).unwrap());
    let reader = GenericDatumReader::builder(&now).reader_schema(&former).build().unwrap();
    let value = reader.read_value(&mut &encode(record)[HEADER_BYTES..]).unwrap();
    let body = GenericDatumWriter::builder(&former).build().unwrap().write_value_to_vec(value).unwrap();
    let fingerprint = *schema.parse::<serde_avro_fast::Schema>().unwrap().rabin_fingerprint();
    [&[0xC3, 0x01], fingerprint.as_slice(), &body].concat()
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/äß漢{} _-]{1,12}"
}

prop_compose! {
    fn event()(
        event_id in text(), time in 0i64..4_102_444_800_000_000, service in text(), environment in text(),
        endpoint in text(), method in text(), status_code in 100i32..600,
        latency_ms in option::of(0f64..86_400_000.0), weight in 1i32..1_000_000,
        trace_id in option::of("[0-9a-f]{32}"), user_ref in option::of(text()),
        attributes in btree_map(text(), text(), 0..5),
    ) -> RequestEvent {
        let time = EventTime(time);
        RequestEvent { event_id, time, service, environment, endpoint, method, status_code, latency_ms, weight, trace_id,
            user_ref, attributes }
    }
}

prop_compose! {
    fn entry()(
        slo in text(), generation: i64, objective in text(), group in vec(text(), 0..3), tick: i64, slot: i64, good: i64,
        total: i64, unknown: i64,
    ) -> TallyEntry {
        TallyEntry { slo, generation, objective, group, tick, slot, good, total, unknown }
    }
}

prop_compose! {
    fn exemplar()(event_id in text(), trace_id in option::of(text()), time: i64) -> Exemplar {
        Exemplar { event_id, trace_id, time }
    }
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::Live), Just(Origin::Idle), Just(Origin::Backfill), Just(Origin::Correction)]
}

prop_compose! {
    fn batch()(
        source: i32, sources: i32, from: i64, to: i64, stamp: i64, low: i64, origin in origin(), revision: i64,
        entries in vec(entry(), 0..4), bad in vec((entry(), exemplar()), 0..3),
    ) -> TallyBatch {
        let exemplars = bad.into_iter().map(|(e, exemplar)| TallyExemplar {
            slo: e.slo, generation: e.generation, objective: e.objective, group: e.group, tick: e.tick, exemplar,
        }).collect();
        let (stamp, low) = (LogTime(stamp), LogTime(low));
        TallyBatch { source, sources, from, to, stamp, low, origin, revision, entries, exemplars }
    }
}

prop_compose! {
    fn condition()(rule in text(), since in option::of(any::<i64>())) -> ConditionSince {
        ConditionSince { rule, holds: since.is_some(), since }
    }
}

prop_compose! {
    fn rates()(
        e in entry(), revision: i64, complete: bool, retired: bool,
        windows in vec((any::<i64>(), any::<i32>(), any::<i64>(), any::<i64>(), 0f64..1e9), 0..4),
        sli in option::of(0f64..1.0), budget in (0f64..1e9, -1e9f64..1.0), exhaustion_at in option::of(any::<i64>()),
        conditions in vec(condition(), 0..3), exemplars in vec(exemplar(), 0..3), sources: i32,
        calendar in calendar(),
    ) -> BurnRates {
        let window = |(seconds, slot_seconds, good, total, burn)| WindowRates { seconds, slot_seconds, good, total, burn };
        BurnRates {
            slo: e.slo, objective: e.objective, group: e.group, generation: e.generation, tick: e.tick, revision, complete,
            retired, windows: windows.into_iter().map(window).collect(), sli, budget_total: budget.0,
            budget_remaining: budget.1, exhaustion_at, conditions, unknown: e.unknown, too_late: e.good,
            covered_from: e.slot, sources_current: sources, sources, exemplars, unit: calendar.0, target: calendar.1,
            period_start: calendar.2, previous: calendar.3,
        }
    }
}

type Calendar = (BudgetUnit, Option<f64>, Option<i64>, Option<PeriodCounts>);

fn calendar() -> impl Strategy<Value = Calendar> {
    let unit = prop_oneof![Just(BudgetUnit::Events), Just(BudgetUnit::Seconds), Just(BudgetUnit::Share)];
    let previous = any::<(i64, i64, i64, i64)>().prop_map(|(start, seconds, good, total)| PeriodCounts {
        start,
        seconds,
        good,
        total,
    });
    (unit, option::of(0f64..1.0), option::of(any::<i64>()), option::of(previous))
}

prop_compose! {
    fn chunk()(
        at: i64, stamps in vec(any::<i64>(), 0..3), next_tick in option::of(any::<i64>()), held in vec(entry(), 0..3),
        generation in option::of(any::<i64>()), slots in vec(any::<i64>(), 0..5), slo in text(), group in vec(text(), 0..2),
        conditions in option::of(vec(condition(), 0..2)), dirty: bool, exemplars in vec(exemplar(), 0..2), sliced: bool,
    ) -> BurnChunk {
        let ring = RingSnapshot { slot_seconds: 10, good: slots.clone(), total: slots.clone(), slots };
        let slices = sliced.then(|| SlicesSnapshot { seconds: 60, kept: 9, shares: dirty, counts: ring.clone(), slots: vec![at], bad: vec![1] });
        let periods = slices.iter().map(|_| PeriodSnapshot { start: at, bad: 1, total: 2 }).collect();
        let series = SeriesSnapshot { objective: "o".into(), group, rings: vec![ring], conditions, dirty, unknown: 1,
            too_late: 2, exemplars, slices, periods, composite: sliced };
        let state = SloSnapshot { slo, generation, covered_from: 3, held, held_exemplars: vec![], series: vec![series] };
        let head = BurnHead { stamps: stamps.iter().copied().map(LogTime).collect(), positions: stamps, low: LogTime(1),
            next_tick, sources: 1, revision: 2 };
        BurnChunk { partition: 0, chunk: 1, chunks: 16, part: 0, parts: 1, at, head, slos: vec![state] }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_are_written_and_read_as_the_reference_does(event in event()) {
        agree(&event);
        let from = Provenance { topic: "t", partition: 0, offset: 0 };
        let bytes = encode(&event);
        let view = slipstream_schemas::decode::decode(&bytes, &from, Attributes::Read).unwrap();
        prop_assert_eq!(view.to_owned_event(), event);
    }

    #[test]
    fn batches_are_written_and_read_as_the_reference_does(batch in batch()) {
        agree(&batch);
    }

    #[test]
    fn rates_are_written_and_read_as_the_reference_does(rates in rates()) {
        agree(&rates);
    }

    #[test]
    fn chunks_are_written_and_read_as_the_reference_does(chunk in chunk()) {
        agree(&chunk);
    }

    #[test]
    fn what_former_versions_wrote_is_read_with_defaults(rates in rates(), chunk in chunk()) {
        let former = BurnRates {
            unit: BudgetUnit::Events, target: None, period_start: None, previous: None, ..rates.clone()
        };
        prop_assert_eq!(decode::<BurnRates>(&as_formerly(&rates, include_str!("../avsc/former/burn_rates_1.avsc")))?, former);
        let mut former = chunk.clone();
        for series in former.slos.iter_mut().flat_map(|slo| &mut slo.series) {
            (series.slices, series.periods, series.composite) = (None, Vec::new(), false);
        }
        prop_assert_eq!(decode::<BurnChunk>(&as_formerly(&chunk, include_str!("../avsc/former/burn_chunk_1.avsc")))?, former);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..200), good in event(), cut in 0usize..200) {
        let from = Provenance { topic: "t", partition: 0, offset: 0 };
        let mut damaged = encode(&good);
        let at = cut % damaged.len();
        damaged[at] ^= 0x55;
        for value in [bytes.as_slice(), damaged.as_slice(), &damaged[..at]] {
            let read = slipstream_schemas::decode::decode(value, &from, Attributes::Read).is_ok();
            let skipped = slipstream_schemas::decode::decode(value, &from, Attributes::Skip).is_ok();
            prop_assert_eq!(read, skipped, "what is valid does not depend on whether attributes are read");
        }
    }
}

fn import_position() -> ImportPosition {
    let text = str::to_owned;
    let reading = ImportReading {
        format: text("combined"),
        service: text("web"),
        environment: text("prod"),
        latency: text("last:s"),
    };
    ImportPosition {
        file: text("f"),
        head: 4_096,
        unfinished: 7,
        path: text("p"),
        lines: 1,
        bytes: 2,
        events: 3,
        rejected: 4,
        shift: -5,
        finished: true,
        hash: Some(-6),
        checks: vec![ImportCheck { bytes: 1_024, hash: 8 }],
        reading: Some(reading),
    }
}

#[test]
fn positions_of_former_versions_are_read_without_what_they_did_not_keep() {
    let position = import_position();
    let former = ImportPosition { hash: None, checks: Vec::new(), reading: None, ..position.clone() };
    let bytes = as_formerly(&position, include_str!("../avsc/former/import_position_1.avsc"));
    assert_eq!(decode::<ImportPosition>(&bytes).unwrap(), former);
}

#[test]
fn the_small_records_agree_too() {
    let label = |name: &str| Label { name: name.into(), value: "v".into() };
    agree(&AlertTransition {
        alert_id: "a".into(),
        episode: 1,
        seq: 2,
        slo: "s".into(),
        service: String::new(),
        objective: "o".into(),
        group: vec![GroupLabel { name: "g".into(), value: "v".into() }],
        rule_set: "burn".into(),
        rule: "1h/5m".into(),
        severity: "page".into(),
        kind: TransitionKind::Firing,
        tick: 3,
        fired_at: Some(3),
        values: vec![AlertValue {
            rule: "1h/5m".into(),
            window_seconds: 3_600,
            burn: 20.5,
            threshold: 14.4,
            ..AlertValue::default()
        }],
        generation: 4,
        complete: true,
        labels: vec![label("team")],
        annotations: vec![],
        exemplars: vec![],
        rule_kind: "burnrate".to_owned(),
        withdrawn: false,
        holds_since: None,
    });
    agree(&Notification {
        alert_id: "a".into(),
        episode: 1,
        seq: 2,
        receiver: "r".into(),
        outcome: Outcome::HeldBack,
        status: None,
        attempts: 0,
        detail: String::new(),
        at: 5,
        reason: NotificationReason::Silenced,
        by: "s".into(),
        kind: "firing".into(),
        slo: "checkout".into(),
        severity: "page".into(),
        latency_ms: Some(7),
        repeated: true,
    });
    let matcher = LabelMatcher { label: "service".into(), op: MatchOp::Nre, value: "a|b".into() };
    let silence = Silence {
        id: "s".into(),
        matchers: vec![matcher],
        from: 1,
        to: None,
        recurrence: None,
        author: "me".into(),
        reason: "why".into(),
        created_at: 2,
    };
    agree(&silence);
    let nightly = Recurrence { cron: "0 2 * * SUN".into(), zone: "Europe/Berlin".into(), seconds: 7_200 };
    agree(&Silence { to: Some(9), recurrence: Some(nightly), ..silence });
    agree(&Acknowledgement { alert_id: "a".into(), episode: 1, owner: "me".into(), reason: "why".into(), at: 3 });
    agree(&import_position());
    agree(&Definition { kind: "SLO".into(), name: "n".into(), document: None, author: "me".into() });
    let note = Marker {
        id: "m".into(),
        kind: MarkerKind::Note,
        service: String::new(),
        environment: String::new(),
        time: EventTime(6),
        until: None,
        version: None,
        text: "one\ntwo".into(),
        link: None,
        author: "me".into(),
    };
    agree(&Marker { kind: MarkerKind::Deploy, version: Some("1.4.2".into()), ..note.clone() });
    agree(&Marker { kind: MarkerKind::Config, link: Some("https://x/1".into()), ..note.clone() });
    agree(&Marker { kind: MarkerKind::Incident, until: Some(EventTime(7)), ..note.clone() });
    agree(&note);
    let token = Token {
        id: "9f86d081884c7d65".into(),
        name: "ci".into(),
        hash: "0".repeat(64),
        scopes: Scope::ALL.into(),
        created_at: EventTime(8),
        created_by: String::new(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    };
    agree(&Token { scopes: vec![Scope::Read], expires_at: Some(EventTime(9)), ..token.clone() });
    agree(&Token { revoked_at: Some(EventTime(10)), revoked_by: Some("ada".into()), ..token.clone() });
    let former = as_formerly(&token, include_str!("../avsc/former/token_1.avsc"));
    assert_eq!(decode::<Token>(&former), Ok(token.clone()));
    agree(&token);
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_type() {
    let schema = Schema::parse_str(RequestEvent::SCHEMA).unwrap();
    let sparse = BTreeMap::from([
        ("event_id", Value::String("e".into())),
        ("time", Value::Long(1)),
        ("service", Value::String("s".into())),
        ("endpoint", Value::String("/".into())),
        ("method", Value::String("GET".into())),
        ("status_code", Value::Int(200)),
    ]);
    let record = Value::Record(sparse.into_iter().map(|(k, v)| (k.to_owned(), v)).collect());
    let body = GenericDatumWriter::builder(&schema)
        .build()
        .unwrap()
        .write_value_to_vec(record.resolve(&schema).unwrap())
        .unwrap();
    let ours = encode(&RequestEvent {
        event_id: "e".into(),
        time: EventTime(1),
        service: "s".into(),
        environment: String::new(),
        endpoint: "/".into(),
        method: "GET".into(),
        status_code: 200,
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: BTreeMap::new(),
    });
    assert_eq!(ours[HEADER_BYTES..], body[..]);
}

#[test]
fn a_body_that_is_cut_off_keeps_what_the_codec_said() {
    let bytes = encode(&Definition { kind: "SLO".into(), name: "n".into(), document: None, author: "me".into() });
    let error = decode::<Definition>(&bytes[..bytes.len() - 1]).unwrap_err();
    let behind = cause::find::<serde_avro_fast::de::DeError>(&error).expect("the codec's error");
    assert_eq!(error.to_string(), format!("Definition cannot be decoded: {behind}"));
    assert_eq!(cause::chain(&error), error.to_string());
}

#[test]
fn an_unknown_fingerprint_asks_for_an_upgrade() {
    let mut bytes = encode(&Definition { kind: "SLO".into(), name: "n".into(), document: None, author: "me".into() });
    bytes[3] ^= 1;
    let error = decode::<Definition>(&bytes).unwrap_err();
    assert!(matches!(error, CodecError::UnknownFingerprint { .. }));
    assert!(error.to_string().ends_with("upgrade the readers first"), "{error}");
}
