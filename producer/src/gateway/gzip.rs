//! gzip as its own tools read it, within bounds: several members, zeros behind the last one. What costs time and yields
//! nothing is refused, such as members and blocks that are empty: the time a body takes is bounded by its bytes and by
//! what is in it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::budget::Full;
use super::held::Held;

/// What one body may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes decompressed.
    pub bytes: usize,
    /// Members.
    pub members: usize,
}

/// Members of a body: a sender that compresses batches separately and sends them together has a few.
pub(super) const MEMBERS: usize = 1_000;

/// Compressed bytes may be twice what they yield, and this on top: gzip itself makes nothing larger by more than a
/// hundredth but for the 20 bytes around each member.
const HOLLOW_BYTES: usize = 64 << 10;

/// Compressed bytes passed to the decoder at a time.
const FEED: usize = 16 << 10;

/// Why it is not decompressed.
#[derive(Debug, thiserror::Error)]
pub(super) enum GzipError {
    #[error("the body is not valid gzip: {0}")]
    Invalid(String),
    #[error("the body is over the limit of {0} bytes when decompressed; send fewer events at a time")]
    TooLarge(usize),
    #[error("the body has more than {0} gzip members; compress it as one")]
    TooManyMembers(usize),
    #[error("the body is larger compressed than decompressed: it consists of empty gzip blocks or members")]
    Hollow,
    #[error(transparent)]
    Full(#[from] Full),
}

/// Bytes that the last member says it has, decompressed: its last four bytes, if nobody lies. 0 if there are none.
pub(super) fn claimed_bytes(packed: &[u8]) -> usize {
    packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize)
}

/// Decompresses all of `packed`, appending to `unpacked`.
pub(super) fn unpack(packed: &[u8], unpacked: &mut Held, bounds: Bounds) -> Result<(), GzipError> {
    let mut rest = Metered { packed, at: 0, yielded: 0, hollow: false };
    for _ in 0..bounds.members {
        rest = member(rest, unpacked, bounds.bytes)?;
        if rest.only_padding_is_left() {
            return Ok(());
        }
        rest.begins_a_member()?;
    }
    Err(GzipError::TooManyMembers(bounds.members))
}

fn member<'a>(rest: Metered<'a>, unpacked: &mut Held, most: usize) -> Result<Metered<'a>, GzipError> {
    let mut decoder = GzDecoder::new(rest);
    let mut chunk = [0; FEED];
    loop {
        let read = match decoder.read(&mut chunk) {
            Ok(0) => return Ok(decoder.into_inner()),
            Ok(read) => read,
            Err(_) if decoder.get_ref().hollow => return Err(GzipError::Hollow),
            Err(e) => return Err(GzipError::Invalid(e.to_string())),
        };
        if unpacked.len() + read > most {
            return Err(GzipError::TooLarge(most));
        }
        unpacked.push(&chunk[..read])?;
        decoder.get_mut().yielded += read;
    }
}

/// Compressed bytes, passed to the decoder as long as they yield something.
struct Metered<'a> {
    packed: &'a [u8],
    at: usize,
    yielded: usize,
    hollow: bool,
}

impl Metered<'_> {
    /// gzip(1) writes and reads zeros behind the last member, as tapes and block devices have them.
    fn only_padding_is_left(&self) -> bool {
        self.packed[self.at..].iter().all(|byte| *byte == 0)
    }
}

impl Metered<'_> {
    /// Refuses what comes after a member and is none: the decoder would miss its header or its end.
    fn begins_a_member(&self) -> Result<(), GzipError> {
        let left = &self.packed[self.at..];
        if left.starts_with(&[0x1F, 0x8B]) {
            return Ok(());
        }
        Err(GzipError::Invalid(format!("after its end come {} bytes that are not gzip", left.len())))
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at > HOLLOW_BYTES + 2 * self.yielded {
            self.hollow = true;
            return Err(io::Error::other("hollow"));
        }
        let rest = &self.packed[self.at..];
        Ok(&rest[..rest.len().min(FEED)])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let given = self.fill_buf()?;
        let length = given.len().min(buf.len());
        buf[..length].copy_from_slice(&given[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::budget::Budget;
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 1 << 20, members: 1_000 };

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], bounds: Bounds) -> Result<Vec<u8>, String> {
        let budget = Budget::new(4 << 20, 0);
        let mut held = Held::new(&budget, bounds.bytes);
        unpack(packed, &mut held, bounds).map(|()| held.as_ref().to_vec()).map_err(|e| e.to_string())
    }

    /// A member of `blocks` stored blocks without content.
    fn empty_blocks(blocks: usize) -> Vec<u8> {
        let mut member = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
        member.extend([0, 0, 0, 0xFF, 0xFF].repeat(blocks));
        member.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        member
    }

    #[test]
    fn what_gzip_reads_is_read() {
        let text = b"[{},{}]".repeat(9_000);
        let (front, back) = text.split_at(30_001);
        for (what, packed) in [
            ("one member", pack(&text)),
            ("two members", [pack(front), pack(back)].concat()),
            ("an empty one between", [pack(front), pack(b""), pack(back)].concat()),
            ("zeros behind", [pack(&text), vec![0; 1_000]].concat()),
            ("a member of many", text.chunks(70).map(pack).collect::<Vec<_>>().concat()),
            ("incompressible, stored", {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap()
            }),
            ("some empty blocks", [empty_blocks(1_000), pack(&text)].concat()),
        ] {
            assert_eq!(unpacked(&packed, BOUNDS).as_deref(), Ok(&text[..]), "{what}");
        }
    }

    #[test]
    fn what_is_cut_or_is_something_else_is_refused() {
        let packed = pack(b"[{},{}]");
        for (what, packed) in [
            ("nothing", vec![]),
            ("zeros", vec![0; 100]),
            ("text", b"[{}]".to_vec()),
            ("cut", packed[..packed.len() - 3].to_vec()),
            ("something behind it", [&packed[..], b"{}"].concat()),
            ("zeros and something behind it", [&packed[..], b"\0\0{}"].concat()),
            ("half a member behind it", [&packed[..], &packed[..15]].concat()),
        ] {
            assert!(unpacked(&packed, BOUNDS).is_err_and(|e| e.contains("not valid gzip")), "{what}");
        }
        let error = unpacked(&[&packed[..], b"{}"].concat(), BOUNDS).unwrap_err();
        assert_eq!(error, "the body is not valid gzip: after its end come 2 bytes that are not gzip");
    }

    #[test]
    fn what_yields_nothing_is_refused_before_it_costs_much() {
        let many = unpacked(&pack(b"").repeat(1_001), BOUNDS).unwrap_err();
        assert!(many.contains("more than 1000 gzip members"), "{many}");
        for (what, packed) in [
            ("empty blocks", empty_blocks(100_000)),
            ("blocks with a byte each", {
                let mut member = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
                member.extend([0, 1, 0, 0xFE, 0xFF, b' '].repeat(100_000));
                member
            }),
            ("empty members", pack(b"").repeat(200_000)),
        ] {
            let error = unpacked(&packed, Bounds { members: usize::MAX, ..BOUNDS }).unwrap_err();
            assert!(error.contains("larger compressed"), "{what}: {error}");
        }
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_the_limit() {
        let budget = Budget::new(4 << 20, 0);
        let mut held = Held::new(&budget, BOUNDS.bytes);
        let error = unpack(&pack(&vec![b' '; 8 << 20]), &mut held, BOUNDS).unwrap_err();
        assert!(matches!(error, GzipError::TooLarge(_)), "{error}");
        assert!(budget.in_use() <= BOUNDS.bytes, "{}", budget.in_use());
    }

    #[test]
    fn without_room_it_stops() {
        let budget = Budget::new(100 << 10, 0);
        let error = unpack(&pack(&vec![b' '; 1 << 20]), &mut Held::new(&budget, 1 << 20), BOUNDS).unwrap_err();
        assert!(matches!(error, GzipError::Full(_)), "{error}");
        assert_eq!(budget.in_use(), 0);
    }
}
