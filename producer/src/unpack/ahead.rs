//! A reader that can be looked ahead in: which format follows is decided by bytes that its decoder still needs.

use std::io::{self, BufRead, Read};

/// A reader that can be looked ahead in.
pub(crate) struct Ahead<R> {
    inner: R,
    /// Bytes read ahead from the reader; those from `next` on are still to be read.
    taken: Vec<u8>,
    next: usize,
}

impl<R: BufRead> Ahead<R> {
    pub(crate) fn new(inner: R) -> Self {
        Ahead { inner, taken: Vec::new(), next: 0 }
    }

    /// The next `n` bytes, which stay to be read; fewer at the end.
    pub(crate) fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        self.taken.drain(..self.next);
        self.next = 0;
        while self.taken.len() < n {
            let more = match self.inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                more => more?,
            };
            if more.is_empty() {
                break;
            }
            let fits = more.len().min(n - self.taken.len());
            self.taken.extend_from_slice(&more[..fits]);
            self.inner.consume(fits);
        }
        Ok(&self.taken[..n.min(self.taken.len())])
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.next == self.taken.len() {
            return self.inner.read(buf);
        }
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &self.taken[self.next..] {
            [] => self.inner.fill_buf(),
            taken => Ok(taken),
        }
    }

    fn consume(&mut self, n: usize) {
        match self.next < self.taken.len() {
            true => self.next = (self.next + n).min(self.taken.len()),
            false => self.inner.consume(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn what_was_looked_at_is_read_too() {
        let mut ahead = Ahead::new(BufReader::with_capacity(3, &b"0123456789"[..]));
        assert_eq!(ahead.peek(5).unwrap(), b"01234");
        let mut two = [0; 2];
        ahead.read_exact(&mut two).unwrap();
        assert_eq!(ahead.peek(4).unwrap(), b"2345");
        assert_eq!(ahead.peek(20).unwrap(), b"23456789", "no more than there is");
        let mut rest = Vec::new();
        ahead.read_to_end(&mut rest).unwrap();
        assert_eq!((&two, rest.as_slice()), (b"01", &b"23456789"[..]));
        assert_eq!(ahead.peek(1).unwrap(), b"");
    }
}
