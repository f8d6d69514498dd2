//! The kinds of hostile clients: little to send, much work for the receiver.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What a client does when it has sent its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Reads the response, and repeats.
    Read,
    /// Reads nothing, ever.
    NeverRead,
    /// Sends a byte now and then.
    Drip,
    /// Sends nothing more.
    Wait,
}

/// A kind of clients.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What one does.
    pub what: &'static str,
    /// How many there are.
    pub clients: usize,
    /// The request that all of them send.
    pub request: fn() -> Vec<u8>,
    /// What they do then.
    pub then: Then,
}

const MIB: usize = 1 << 20;

/// All of them; the first is nobody, to compare with.
pub fn all() -> [Kind; 14] {
    use Then::{Drip, NeverRead, Read, Wait};
    fn kind(name: &'static str, what: &'static str, clients: usize, request: fn() -> Vec<u8>, then: Then) -> Kind {
        Kind { name, what, clients, request, then }
    }
    [
        kind("none", "", 0, Vec::new, Read),
        kind("unread-errors", "50,000 errors in 200 bytes, the response never read", 200, errors, NeverRead),
        kind("unread-ids", "10,000 events without an id in 6 kB, the response never read", 100, anonymous, NeverRead),
        kind("blanks", "16 MiB of blanks", 40, || plain(&vec![b' '; 16 * MIB - 2]), Read),
        kind("packed-blanks", "the same in 16 kB of gzip", 200, || packed(&vec![b' '; 16 * MIB - 2]), Read),
        kind("bombs", "half a GiB in half a MiB of gzip", 20, || packed(&vec![b' '; 512 * MIB]), Read),
        kind("empty-members", "200,000 empty gzip members", 8, empty_members, Read),
        kind("empty-blocks", "16 MiB of empty gzip blocks", 8, empty_blocks, Read),
        kind("long-names", "200 events whose one field has a name of 60,000 bytes", 20, long_names, Read),
        kind("half-bodies", "1 MiB of 16 announced, then a byte now and then", 200, || half_body(MIB), Drip),
        kind("heads-and-bodies", "a head of 15 kB, then 1 kB of 16 MiB", 1_500, long_head_and_half_a_body, Drip),
        kind("slow-heads", "a head that never ends", 2_000, || b"POST /v1/events HTTP/1.1\r\nX: ".to_vec(), Drip),
        kind("long-heads", "15,000 bytes of a head that never ends", 1_500, long_head, Drip),
        kind("connections", "a connection on which nothing is sent", 5_000, Vec::new, Wait),
    ]
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn plain(body: &[u8]) -> Vec<u8> {
    post("", &[b"[", body, b"]"].concat())
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let written = [&b"["[..], body, b"]"].into_iter().try_for_each(|part| encoder.write_all(part));
    post("Content-Encoding: gzip\r\n", &written.and_then(|()| encoder.finish()).unwrap_or_default())
}

fn errors() -> Vec<u8> {
    packed(["1"; 50_000].join(",").as_bytes())
}

fn anonymous() -> Vec<u8> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
    let event = format!(r#"{{"time":{now},"service":"s","endpoint":"/","method":"GET","status_code":200}}"#);
    packed(vec![event; 10_000].join(",").as_bytes())
}

fn empty_members() -> Vec<u8> {
    let member = GzEncoder::new(Vec::new(), Compression::best()).finish().unwrap_or_default();
    post("Content-Encoding: gzip\r\n", &member.repeat(200_000))
}

fn empty_blocks() -> Vec<u8> {
    let mut member = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    member.extend([0, 0, 0, 0xFF, 0xFF].repeat(3 * MIB));
    post("Content-Encoding: gzip\r\n", &member)
}

fn long_names() -> Vec<u8> {
    packed(vec![format!(r#"{{"{}":1}}"#, "n".repeat(60_000)); 200].join(",").as_bytes())
}

fn half_body(sent: usize) -> Vec<u8> {
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n[", 16 * MIB);
    [head.as_bytes(), &vec![b' '; sent]].concat()
}

fn long_head() -> Vec<u8> {
    let head = format!("POST /v1/events HTTP/1.1\r\nX: {}", "x".repeat(15_000));
    head.into_bytes()
}

fn long_head_and_half_a_body() -> Vec<u8> {
    let (name, length) = ("x".repeat(15_000), 16 * MIB);
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nX: {name}\r\nContent-Length: {length}\r\n\r\n[");
    [head.as_bytes(), &[b' '; 1_000]].concat()
}
