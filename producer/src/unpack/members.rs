//! Files of gzip and bzip2: one member behind the other. Rotation, appending and parallel packers write several; tapes,
//! block devices and some archivers pad the last with zeros. Anything else after the last member is not part of it:
//! gzip and bzip2 warn of it and pass over it, and so do we.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use super::Ahead;

/// One member, which ends where its format says.
pub(super) trait Member: Read + Sized {
    /// What it is read from.
    type Raw: BufRead;
    /// The magic bytes of every member.
    const MAGIC: &'static [u8];

    fn begin(raw: Ahead<Self::Raw>) -> Self;
    /// What follows the member.
    fn end(self) -> Ahead<Self::Raw>;
}

impl<R: BufRead> Member for GzDecoder<Ahead<R>> {
    type Raw = R;
    const MAGIC: &'static [u8] = &[0x1F, 0x8B];

    fn begin(raw: Ahead<R>) -> Self {
        GzDecoder::new(raw)
    }

    fn end(self) -> Ahead<R> {
        self.into_inner()
    }
}

impl<R: BufRead> Member for BzDecoder<Ahead<R>> {
    type Raw = R;
    const MAGIC: &'static [u8] = b"BZh";

    fn begin(raw: Ahead<R>) -> Self {
        BzDecoder::new(raw)
    }

    fn end(self) -> Ahead<R> {
        self.into_inner()
    }
}

/// All members of a gzip file.
pub(super) type Gzip<R> = Members<GzDecoder<Ahead<R>>>;
/// All streams of a bzip2 file.
pub(super) type Bzip2<R> = Members<BzDecoder<Ahead<R>>>;

/// How many bytes after the last member are neither a member nor padding. Shared with the reader.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behind(Arc<AtomicU64>);

impl Behind {
    /// So many; 0 until the end was reached.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The text of one member behind the other.
pub(super) struct Members<M> {
    /// `None` once the last one has ended, or one is broken.
    member: Option<M>,
    behind: Behind,
}

impl<M: Member> Members<M> {
    /// Reads data that starts with a member.
    pub(crate) fn new(raw: Ahead<M::Raw>, behind: Behind) -> Self {
        Members { member: Some(M::begin(raw)), behind }
    }

    fn next(&mut self, mut raw: Ahead<M::Raw>) -> io::Result<()> {
        if raw.peek(M::MAGIC.len())? == M::MAGIC {
            self.member = Some(M::begin(raw));
            return Ok(());
        }
        let zeros = count(&mut raw, |byte| byte == 0)?;
        let garbage = count(&mut raw, |_| true)?;
        if garbage > 0 {
            self.behind.0.store(zeros + garbage, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Skips leading bytes of the same value; returns how many there are.
fn count(raw: &mut impl BufRead, alike: impl Fn(u8) -> bool) -> io::Result<u64> {
    let mut passed = 0;
    loop {
        let read = match raw.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let n = read.iter().position(|byte| !alike(*byte)).unwrap_or(read.len());
        let ends = n < read.len() || read.is_empty();
        raw.consume(n);
        passed += n as u64;
        if ends {
            return Ok(passed);
        }
    }
}

impl<M: Member> Read for Members<M> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            // Put back in any case except at the end, or after a permanent error.
            match member.read(buf) {
                Ok(0) if !buf.is_empty() => self.next(member.end())?,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                read => {
                    self.member = Some(member);
                    return read;
                }
            }
        }
        Ok(0)
    }
}
