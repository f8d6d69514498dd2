//! What a request allocates is what it has reserved: bodies of every hostile kind, counted by the allocator.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::Write;

use allocation_counter::measure;

use super::budget::Budget;
use super::form::Declared;
use super::held::Held;
use super::request::{Coding, Wanted};
use super::work::{Job, Worked, Workshop};
use super::{Limits, Refusal};
use crate::import::wire::{cost, step};

/// What a request takes besides: a decoder's window, a buffer to read into, the first errors and their answer.
const CONSTANT: usize = 512 << 10;

const LIMITS: Limits = Limits {
    max_body: 2 << 20,
    max_events: 20_000,
    max_in_flight: 64 << 20,
    max_connections: 10,
    read_timeout: std::time::Duration::from_secs(9),
    idle_timeout: std::time::Duration::from_secs(9),
    write_timeout: std::time::Duration::from_secs(9),
    publish_timeout: std::time::Duration::from_secs(9),
    finish: std::time::Duration::from_secs(9),
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn list(item: &str, times: usize) -> Vec<u8> {
    format!("[{}]", vec![item; times].join(",")).into_bytes()
}

/// Everything that is done with a body, in one thread.
fn done(budget: &Budget, sent: &[u8], coding: Coding) -> Result<u64, Refusal> {
    let wanted = Wanted { form: Declared::Look, coding, strict: false, length: None, expects: false };
    let mut body = Held::new(budget, LIMITS.max_body);
    for chunk in sent.chunks(16 << 10) {
        body.push(chunk)?;
    }
    let Worked { intake: _intake, reply } = Workshop::new(budget.clone(), LIMITS).whole(Job { body, wanted })?;
    Ok(reply.inserted + reply.rejected)
}

#[test]
fn a_request_allocates_no_more_than_it_reserves() {
    let anonymous = r#"{"time":1772359200250000,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
    let named = anonymous.replacen('{', &format!("{{\"event_id\":\"{}\",", "i".repeat(128)), 1);
    let attributes = (0..32).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(",");
    let wide = anonymous.replacen('}', &format!(",\"attributes\":{{{attributes}}}}}"), 1);
    let blanks = [&b"["[..], &vec![b' '; (2 << 20) - 2], b"]"].concat();
    let long = format!("{{\"{}\":1}}", "n".repeat(60_000));
    for (what, sent, coding) in [
        ("ones", list("1", 20_000), Coding::Plain),
        ("ones, packed", gzip(&list("1", 20_000)), Coding::Gzip),
        ("blanks", blanks.clone(), Coding::Plain),
        ("blanks, packed", gzip(&blanks), Coding::Gzip),
        ("a bomb", gzip(&vec![b' '; 32 << 20]), Coding::Gzip),
        ("events without ids, packed", gzip(&list(anonymous, 20_000)), Coding::Gzip),
        ("events with long ids", list(&named, 8_000), Coding::Plain),
        ("events with attributes, packed", gzip(&list(&wide, 4_000)), Coding::Gzip),
        ("long names, packed", gzip(&list(&long, 30)), Coding::Gzip),
        ("nested", gzip(&vec![b'['; 2 << 20]), Coding::Gzip),
        (
            "nested in an event",
            list(&format!("{{\"a\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000)), 30),
            Coding::Plain,
        ),
        (
            "an id with escapes",
            format!("[{{\"event_id\":\"\\n{}\"}}]", "i".repeat((2 << 20) - 30)).into(),
            Coding::Plain,
        ),
        ("an attribute of lists", format!("[{{\"a\":{}]", "[".repeat((2 << 20) - 30)).into(), Coding::Plain),
        (
            "an attribute of lists that end",
            format!("[{{\"a\":{}{}}}]", "[".repeat((1 << 20) - 30), "]".repeat((1 << 20) - 30)).into(),
            Coding::Plain,
        ),
        ("too many", gzip(&list("1", 500_000)), Coding::Gzip),
        ("empty members", gzip(b"").repeat(10_000), Coding::Gzip),
    ] {
        let budget = Budget::new(LIMITS.max_in_flight, LIMITS.max_connections);
        let measured = measure(|| drop(done(&budget, &sent, coding)));
        let (allocated, reserved) = (measured.bytes_max as usize, budget.peak());
        assert!(allocated <= reserved + CONSTANT, "{what}: {allocated} bytes allocated, {reserved} reserved");
        let most = Limits::one_request(LIMITS.max_body, LIMITS.max_events);
        assert!(reserved <= most, "{what}: {reserved} reserved, a request may take {most}");
        assert_eq!(budget.in_use(), 0, "{what}: given back");
    }
}

#[test]
fn without_room_every_step_gives_up_and_gives_back() {
    let anonymous = r#"{"time":1772359200250000,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
    let sent = gzip(&list(anonymous, 10_000));
    let whole = Budget::new(LIMITS.max_in_flight, 0);
    assert_eq!(done(&whole, &sent, Coding::Gzip).unwrap(), 10_000);
    let mut refused = 0;
    for part in 0..40 {
        let budget = Budget::new(whole.peak() * part / 40, 0);
        match done(&budget, &sent, Coding::Gzip) {
            Ok(_) => {}
            Err(Refusal::Busy) => refused += 1,
            Err(other) => panic!("{part}: {other}"),
        }
        assert_eq!(budget.in_use(), 0, "{part}");
    }
    assert!(refused > 30, "{refused}");
}

/// The position of a file behind so many lines, of which so many were rejected.
fn position(lines: i64, rejected: i64) -> serde_json::Value {
    let (file, path) = ("0".repeat(64), "p".repeat(4_096));
    serde_json::json!({"file": file, "head": 1, "path": path, "lines": lines, "bytes": 10 * lines, "events": lines - rejected,
        "rejected": rejected, "shift": 0, "unfinished": 0, "finished": false, "hash": null, "checks": [], "reading": null})
}

#[test]
fn a_step_of_an_import_takes_no_more_than_it_costs() {
    let event = r#"{"event_id":"1","time":1,"service":"s","endpoint":"/","method":"G","status_code":200}"#;
    let rejected = r#"{"rejected":{"line":"1","class":"c","message":"","text":""}}"#;
    let long = format!(r#"{{"rejected":{{"line":"1","class":"c","message":"{}","text":""}}}}"#, "m".repeat(4_000));
    for (what, line, times) in
        [("events", event, 20_000), ("rejected lines", rejected, 20_000), ("messages", &long, 400)]
    {
        let of_rejected = if line == event { 0 } else { times };
        let range = serde_json::json!({"from": position(0, 0), "to": position(times, of_rejected)});
        let body = format!("{range}\n{}", format!("{line}\n").repeat(times as usize)).into_bytes();
        let cost = cost(&body);
        assert_eq!(cost.lines as i64, times);
        let measured = measure(|| {
            let (_, records) = step(&body).unwrap();
            // As it is committed.
            drop((records.clone(), records));
        });
        let allocated = measured.bytes_max as usize;
        assert!(allocated <= cost.bytes + CONSTANT, "{what}: {allocated} bytes allocated, of {}", cost.bytes);
    }
}
