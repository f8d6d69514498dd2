//! Cutting a stream into lines, in bounded memory. A line ends with `\n`, `\r\n` or `\r`: a carriage return within a field
//! would be escaped by the program that wrote the line.

use std::io::{self, BufRead};

use memchr::{memchr2, memrchr2};

use super::trail::Trail;

/// Maximum bytes of a line that are kept; events are much shorter.
pub(super) const LINE_BYTES: usize = 1 << 20;

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Without its end, and without leading zeros, as after a truncation while the log was being written; cut to
    /// [`LINE_BYTES`] when it is longer.
    pub text: &'a [u8],
    /// Bytes it takes in the file, the end included.
    pub bytes: u64,
    /// Whether it has an end; the last one of a file may not. Behind a `\r` that is a file's last byte a `\n` may still come.
    pub is_ended: bool,
}

/// Cuts lines.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// What was read, lines or not.
    trail: Trail,
    passed: Passed,
}

/// The start of a line that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    text: Vec<u8>,
    /// It ends with `\r`: all that may be missing of it is a `\n`.
    awaits_newline: bool,
}

/// The rest of a line, after the part that was read before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest<'a> {
    /// All of the line, without its end.
    pub whole: &'a [u8],
    /// What is new of it, without its end.
    pub text: &'a [u8],
    /// Bytes that are new, the end included.
    pub bytes: u64,
    /// Whether it has an end now.
    pub is_ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines { reader, line: Vec::new(), trail: Trail::new(), passed: Passed::default() }
    }

    /// What was read so far.
    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The reader, which is somewhere.
    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// The reader.
    pub(super) fn reader(&self) -> &R {
        &self.reader
    }

    /// The reader, mutable.
    pub(super) fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The next line; `None` at the end. A last line without an end is a line too.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let before = self.trail.bytes();
        let is_ended = self.fill()?;
        let bytes = self.trail.bytes() - before;
        Ok((bytes > 0).then_some(Line { text: &self.line, bytes, is_ended }))
    }

    /// The rest of a line that was partly read before.
    pub(super) fn rest_of(&mut self, begun: &Begun) -> io::Result<Rest<'_>> {
        self.line.clear();
        self.line.extend_from_slice(&begun.text);
        let before = self.trail.bytes();
        let is_ended = if begun.awaits_newline { self.newline()? } else { self.fill()? };
        let bytes = self.trail.bytes() - before;
        let whole = self.line.as_slice();
        Ok(Rest { whole, text: whole.get(begun.text.len()..).unwrap_or_default(), bytes, is_ended })
    }

    /// Adds text up to a line's end, of which no more than fits is kept; whether there was an end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut before = None;
        let ended = self.fill_from(&mut before);
        if let (Err(_), Some(before)) = (&ended, before) {
            // A line that cannot be read to its end does not count as read: the position stays before it.
            self.trail = before;
        }
        ended
    }

    /// As [`Lines::fill`]; `before` is the trail before the line, where it goes beyond what was buffered.
    fn fill_from(&mut self, before: &mut Option<Trail>) -> io::Result<bool> {
        loop {
            let read = look(&mut self.reader)?;
            if read.is_empty() {
                return Ok(false);
            }
            let end = memchr2(b'\n', b'\r', read);
            let text = &read[..end.unwrap_or(read.len())];
            keep(&mut self.line, text);
            let returns = end.is_some_and(|end| read[end] == b'\r');
            let n = end.map_or(read.len(), |end| end + 1);
            if n == read.len() && before.is_none() {
                *before = Some(self.trail.clone());
            }
            self.trail.add(&read[..n]);
            self.reader.consume(n);
            match end {
                Some(_) if returns => return self.newline(),
                Some(_) => return Ok(true),
                None => {}
            }
        }
    }

    /// After a carriage return: reads the newline that belongs to it. False at the end, where it may still follow.
    fn newline(&mut self) -> io::Result<bool> {
        let read = look(&mut self.reader)?;
        if read.first() == Some(&b'\n') {
            self.trail.add(b"\n");
            self.reader.consume(1);
            return Ok(true);
        }
        Ok(!read.is_empty())
    }

    /// Passes over the file up to byte `to`, and no further; false when it ends before.
    pub(super) fn pass(&mut self, to: u64) -> io::Result<bool> {
        while self.trail.bytes() < to {
            let read = look(&mut self.reader)?;
            if read.is_empty() {
                return Ok(false);
            }
            let read = &read[..upto(read, to - self.trail.bytes())];
            self.passed.over(read, &mut self.line);
            self.trail.add(read);
            let n = read.len();
            self.reader.consume(n);
        }
        Ok(true)
    }

    /// The line that passing over the file has ended within; `None` between lines.
    pub(super) fn begun(&mut self) -> Option<Begun> {
        let Passed { is_within, last } = std::mem::take(&mut self.passed);
        let awaits_newline = last == Some(b'\r');
        let text = std::mem::take(&mut self.line);
        (is_within || awaits_newline).then_some(Begun { text, awaits_newline })
    }
}

/// The place in a line at which skipping has arrived.
#[derive(Default)]
struct Passed {
    /// Some of it was passed over.
    is_within: bool,
    /// The last byte.
    last: Option<u8>,
}

impl Passed {
    /// Skips more of the file, which is not empty, keeping the start of a line that it ends within.
    fn over(&mut self, read: &[u8], line: &mut Vec<u8>) {
        if self.last == Some(b'\r') && read[0] != b'\n' {
            self.is_within = false;
            line.clear();
        }
        self.last = read.last().copied();
        // A carriage return at the end leaves it to the next byte whether its line has ended.
        let text = read.strip_suffix(b"\r").unwrap_or(read);
        let tail = match memrchr2(b'\n', b'\r', text) {
            Some(end) => {
                self.is_within = false;
                line.clear();
                &text[end + 1..]
            }
            None => text,
        };
        self.is_within |= !tail.is_empty();
        keep(line, tail);
    }
}

/// What is buffered, or the next bytes; empty at the end.
fn look(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    // Called twice, because the borrow of the first call could not be returned from a loop.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

/// As many of the bytes as are wanted.
fn upto(read: &[u8], wanted: u64) -> usize {
    read.len().min(usize::try_from(wanted).unwrap_or(usize::MAX))
}

/// Adds what fits of a line's text. Leading zeros are skipped.
fn keep(line: &mut Vec<u8>, text: &[u8]) {
    let text = match line.is_empty() && text.first() == Some(&0) {
        true => &text[text.iter().position(|byte| *byte != 0).unwrap_or(text.len())..],
        false => text,
    };
    line.extend_from_slice(&text[..text.len().min(LINE_BYTES - line.len())]);
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8]) -> Lines<BufReader<&[u8]>> {
        Lines::new(BufReader::with_capacity(7, text))
    }

    #[test]
    fn lines_end_with_newline_or_carriage_return_or_both_or_the_file() {
        let mut lines = lines(b"one\r\n\nthree\nfour\rfive\r\r\nsix\n\rseven");
        for (text, bytes, is_ended) in [
            (&b"one"[..], 5, true),
            (b"", 1, true),
            (b"three", 6, true),
            (b"four", 5, true),
            (b"five", 5, true),
            (b"", 2, true),
            (b"six", 4, true),
            (b"", 1, true),
            (b"seven", 5, false),
        ] {
            assert_eq!(lines.next().unwrap(), Some(Line { text, bytes, is_ended }));
        }
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn wherever_buffers_end_lines_are_the_same() {
        let text = b"a\rbc\r\nd\n\r\ne\r";
        let cut = |capacity: usize| {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, &text[..]));
            let mut all = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                all.push((line.text.to_owned(), line.bytes, line.is_ended));
            }
            all
        };
        let whole = cut(100);
        let texts: Vec<&[u8]> = whole.iter().map(|(text, ..)| text.as_slice()).collect();
        assert_eq!(texts, [&b"a"[..], b"bc", b"d", b"", b"e"]);
        assert!(!whole[4].2, "a newline may still come");
        for capacity in 1..text.len() {
            assert_eq!(cut(capacity), whole, "{capacity}");
        }
    }

    #[test]
    fn what_could_not_be_read_to_its_end_was_not_read() {
        struct Breaks<'a>(&'a [u8]);
        impl io::Read for Breaks<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                match self.0.is_empty() {
                    true => Err(io::Error::other("broken")),
                    false => self.0.read(buf),
                }
            }
        }
        for (text, whole) in [("one\ntwo\nthr", 8), ("one\ntwo\r", 4), ("one\ntwo", 4), ("one\n", 4)] {
            let mut lines = Lines::new(BufReader::with_capacity(3, Breaks(text.as_bytes())));
            while lines.next().is_ok_and(|line| line.is_some()) {}
            let mut want = Trail::new();
            want.add(&text.as_bytes()[..whole]);
            let got = lines.trail();
            assert_eq!((got.bytes(), got.hash()), (want.bytes(), want.hash()), "{text:?}");
        }
    }

    #[test]
    fn zeros_before_a_line_are_left_out_however_many() {
        let text = [&vec![0; 3 * LINE_BYTES][..], b"one\n\0two\0\n\0\n"].concat();
        let mut lines = lines(&text);
        let mut texts = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            texts.push(line.text.to_owned());
        }
        assert_eq!(texts, [&b"one"[..], b"two\0", b""]);
        assert_eq!(lines.trail().bytes(), text.len() as u64);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_passed_over() {
        for (name, end) in [("ended", "\nnext\n"), ("at the end of the file", "")] {
            let text = format!("{}{end}", "x".repeat(LINE_BYTES + 100));
            let mut lines = lines(text.as_bytes());
            let line = lines.next().unwrap().unwrap();
            let bytes = (LINE_BYTES + 100 + end.len().min(1)) as u64;
            assert_eq!((line.text.len(), line.bytes), (LINE_BYTES, bytes), "{name}");
            assert_eq!(lines.next().unwrap().map(|l| l.text.to_owned()), (!end.is_empty()).then(|| b"next".to_vec()));
        }
    }

    #[test]
    fn passing_into_a_line_keeps_how_it_begins() {
        let text = b"first line\nsecond\r\nthird\rfourth";
        for (to, begun, rest) in [
            (0, None, ""),
            (5, Some(("first", false)), " line"),
            (11, None, ""),
            (14, Some(("sec", false)), "ond"),
            (17, Some(("second", false)), ""),
            (18, Some(("second", true)), ""),
            (19, None, ""),
            (25, Some(("third", true)), ""),
            (27, Some(("fo", false)), "urth"),
            (31, Some(("fourth", false)), ""),
        ] {
            for by in [1, 3, 100] {
                let mut lines = lines(text);
                for step in (0..to).step_by(by).chain([to]) {
                    assert!(lines.pass(step).unwrap());
                }
                let got = lines.begun();
                let want = begun.map(|(text, awaits_newline)| Begun { text: text.into(), awaits_newline });
                assert_eq!(got, want, "{to} by {by}");
                if let Some(begun) = got {
                    assert_eq!(lines.rest_of(&begun).unwrap().text, rest.as_bytes(), "{to} by {by}");
                    let next = lines.next().unwrap().map(|line| line.text.to_owned());
                    assert_eq!(next.is_none(), to > 25, "{to} by {by}: {next:?}");
                }
            }
        }
        let mut lines = lines(text);
        assert!(!lines.pass(text.len() as u64 + 1).unwrap());
        assert_eq!(lines.trail().bytes(), text.len() as u64);
    }
}
