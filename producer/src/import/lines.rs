//! Cutting a stream into lines, in bounded memory.

use std::io::{self, BufRead, Read};

/// Bytes of a line that are kept; no event is nearly as long.
pub(super) const LINE_BYTES: usize = 1 << 20;

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Without its end, `\n` or `\r\n`; cut to [`LINE_BYTES`] when it is longer.
    pub text: &'a [u8],
    /// Bytes it takes in the file, the end included.
    pub bytes: u64,
    /// Whether it has an end; the last one of a file may not.
    pub is_ended: bool,
}

/// Cuts lines.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines { reader, line: Vec::new() }
    }

    /// The next line; none at the end. A last line without an end is a line too.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (bytes, is_ended) = self.fill()?;
        Ok((bytes > 0).then(|| Line { text: without_end(&self.line), bytes, is_ended }))
    }

    /// What is left of a line of which `begun` was read before.
    pub(super) fn rest_of(&mut self, begun: &[u8]) -> io::Result<Rest<'_>> {
        self.line.clear();
        self.line.extend_from_slice(begun);
        let (bytes, is_ended) = self.fill()?;
        let whole = without_end(&self.line);
        Ok(Rest { whole, text: whole.get(begun.len()..).unwrap_or_default(), bytes, is_ended })
    }

    /// Adds bytes up to and with `\n`, of which no more than fit are kept; how many there were, and whether there was an
    /// end.
    fn fill(&mut self) -> io::Result<(u64, bool)> {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        let mut bytes = self.reader.by_ref().take(room as u64).read_until(b'\n', &mut self.line)? as u64;
        let mut is_ended = bytes > 0 && self.line.ends_with(b"\n");
        let mut passing = !is_ended && self.line.len() >= LINE_BYTES;
        while passing {
            let passed;
            (passed, is_ended) = pass_over(&mut self.reader)?;
            bytes += passed;
            passing = passed > 0 && !is_ended;
        }
        Ok((bytes, is_ended))
    }

    /// Passes over the first `bytes` of the file. The begin of a line that they end within; or how many bytes there are,
    /// when they are fewer.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<Result<Vec<u8>, u64>> {
        let mut begun = Vec::new();
        let mut left = bytes;
        while left > 0 {
            let read = self.reader.fill_buf()?;
            if read.is_empty() {
                return Ok(Err(bytes - left));
            }
            let n = read.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let tail = match read[..n].iter().rposition(|b| *b == b'\n') {
                Some(end) => {
                    begun.clear();
                    &read[end + 1..n]
                }
                None => &read[..n],
            };
            begun.extend_from_slice(&tail[..tail.len().min(LINE_BYTES - begun.len())]);
            self.reader.consume(n);
            left -= n as u64;
        }
        Ok(Ok(begun))
    }
}

/// What came of a line behind what was read of it before.
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

/// Passes over what is buffered, up to and with `\n`: how much that was, and whether it ends so.
fn pass_over(reader: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let read = reader.fill_buf()?;
    let (n, ended) = match read.iter().position(|b| *b == b'\n') {
        Some(end) => (end + 1, true),
        None => (read.len(), false),
    };
    reader.consume(n);
    Ok((n as u64, ended))
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8]) -> Lines<BufReader<&[u8]>> {
        Lines::new(BufReader::with_capacity(7, text))
    }

    #[test]
    fn lines_end_with_either_newline_or_the_file() {
        let mut lines = lines(b"one\r\n\nthree\nfour");
        for (text, bytes, is_ended) in
            [(&b"one"[..], 5, true), (b"", 1, true), (b"three", 6, true), (b"four", 4, false)]
        {
            assert_eq!(lines.next().unwrap(), Some(Line { text, bytes, is_ended }));
        }
        assert_eq!(lines.next().unwrap(), None);
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
    fn skipping_into_a_line_answers_how_it_begins() {
        let text = b"first line\nsecond line\nthird";
        for (bytes, begun, rest) in
            [(0, "", "first line"), (11, "", "second line"), (17, "second", " line"), (28, "third", "")]
        {
            let mut lines = lines(text);
            let got = lines.skip(bytes).unwrap().unwrap();
            assert_eq!(got, begun.as_bytes(), "{bytes}");
            assert_eq!(lines.rest_of(&got).unwrap().text, rest.as_bytes(), "{bytes}");
        }
        assert_eq!(lines(text).skip(29).unwrap(), Err(28));
    }
}
