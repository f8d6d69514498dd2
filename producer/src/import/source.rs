//! Opening a file: decompression by its first bytes, its identity, and reading it again even if it cannot be read
//! twice.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::ImportError;
use crate::unpack::{self, Ahead, Behind, Container, Foreign};

/// Bytes, decompressed, that a file is known by.
pub(crate) const HEAD_BYTES: usize = 4 << 10;
const READ_BYTES: usize = 256 << 10;
/// The largest offset of a format's magic bytes.
const MARK_BYTES: usize = 512;
/// Says that a text is UTF-8. It is not part of the text, so that a file is the same with and without it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The name for standard input.
pub(super) const STDIN: &str = "-";

/// A file's decompressed bytes, from the beginning, without a byte order mark.
pub(super) type Bytes = BufReader<Stream>;

/// An opened file.
pub(super) struct Source {
    /// Its first 4 KiB, decompressed; all of it when it is shorter.
    pub head: Vec<u8>,
    /// All of it, the head included.
    pub bytes: Bytes,
}

/// Opens a file, or standard input for `-`. It is opened once: the bytes of a pipe can be read only once.
///
/// # Errors
/// When it cannot be opened or read, or is in a format that is not read.
pub(super) fn open(path: &Path) -> Result<Source, ImportError> {
    let unreadable = |source| ImportError::Read { path: path.to_owned(), line: 0, source };
    let (file, rewinds) = raw(path).map_err(unreadable)?;
    let foreign = |foreign| ImportError::Encoding { path: path.to_owned(), foreign };
    let (mut stream, container) = Stream::begin(file, rewinds).map_err(unreadable)?.map_err(foreign)?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    stream.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(unreadable)?;
    if container != Container::Plain {
        let inside = unpack::container(&head[..head.len().min(MARK_BYTES)]).map_err(foreign)?;
        Foreign::twice(inside).map_or(Ok(()), |twice| Err(foreign(twice)))?;
    }
    stream.put_back(&head);
    Ok(Source { head, bytes: BufReader::with_capacity(READ_BYTES, stream) })
}

/// The file, and whether it can be read from its beginning again.
fn raw(path: &Path) -> io::Result<(File, bool)> {
    let mut file = match path == Path::new(STDIN) {
        true => File::from(io::stdin().as_fd().try_clone_to_owned()?),
        false => File::open(path)?,
    };
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a directory; pass the files in it"));
    }
    // Part of a redirected file may have been read already.
    let rewinds = kind.is_file() && file.stream_position()? == 0;
    Ok((file, rewinds))
}

/// Decompressed bytes that can be read from the beginning again.
pub(super) struct Stream {
    reader: Box<dyn Read + Send>,
    again: Again,
    behind: Behind,
}

/// How a stream is read again.
enum Again {
    /// By reading the file once more.
    File(File),
    /// It is not: a caller that needs that says so before reading.
    Never,
    /// By reading what was kept of it. Packed, because a small file may unpack to a huge one.
    Kept(zstd::Encoder<'static, File>),
}

impl Stream {
    /// The bytes of a file, and how they are compressed.
    fn begin(file: File, rewinds: bool) -> io::Result<Result<(Stream, Container), Foreign>> {
        let again = if rewinds { Again::File(file.try_clone()?) } else { Again::Never };
        let mut raw = Ahead::new(BufReader::with_capacity(READ_BYTES, file));
        let container = match unpack::container(raw.peek(MARK_BYTES)?) {
            Ok(container) => container,
            Err(foreign) => return Ok(Err(foreign)),
        };
        let behind = Behind::default();
        let reader = unmarked(unpack::unpack(container, raw, &behind)?)?;
        Ok(Ok((Stream { reader, again, behind }, container)))
    }

    /// What was read is read again.
    fn put_back(&mut self, read: &[u8]) {
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(io::Cursor::new(read.to_owned()).chain(rest));
    }

    /// From here on, what is read is kept if it could not be read a second time.
    fn keep(&mut self) -> io::Result<()> {
        if matches!(self.again, Again::Never) {
            self.again = Again::Kept(zstd::Encoder::new(tempfile::tempfile()?, 1)?);
        }
        Ok(())
    }

    fn rewound(self) -> io::Result<Stream> {
        match self.again {
            Again::File(mut file) => {
                file.rewind()?;
                let begun = Stream::begin(file, true)?;
                begun.map(|(stream, _)| stream).map_err(|foreign| io::Error::other(foreign.to_string()))
            }
            Again::Kept(kept) => {
                let mut kept = kept.finish()?;
                kept.rewind()?;
                let reader = Box::new(zstd::Decoder::new(kept)?.chain(self.reader));
                Ok(Stream { reader, again: Again::Never, behind: self.behind })
            }
            Again::Never => Err(io::Error::other("a pipe cannot be read again from its start")),
        }
    }
}

/// The bytes behind a byte order mark.
fn unmarked(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut start = Vec::with_capacity(BYTE_ORDER_MARK.len());
    reader.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut start)?;
    if start == BYTE_ORDER_MARK {
        return Ok(reader);
    }
    Ok(Box::new(io::Cursor::new(start).chain(reader)))
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buf)?;
        if let Again::Kept(kept) = &mut self.again {
            io::Write::write_all(kept, &buf[..n])?;
        }
        Ok(n)
    }
}

/// Makes sure that [`rewound`] works. Call it before anything is read.
pub(super) fn keep(bytes: &mut Bytes) -> io::Result<()> {
    bytes.get_mut().keep()
}

/// It will not have to be read again.
pub(super) fn let_go(bytes: &mut Bytes) {
    bytes.get_mut().again = Again::Never;
}

/// The same bytes from the beginning.
pub(super) fn rewound(bytes: Bytes) -> io::Result<Bytes> {
    Ok(BufReader::with_capacity(READ_BYTES, bytes.into_inner().rewound()?))
}

/// How many bytes follow the end of the compressed data; 0 until the end was read.
pub(super) fn garbage(bytes: &Bytes) -> u64 {
    bytes.get_ref().behind.bytes()
}

/// The identity of a file that starts with `head`: SHA-256 in hex.
pub(super) fn identity(head: &[u8]) -> String {
    hex(&Sha256::digest(head))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes all of `text` into a pipe from another thread; returns the path of the end to read from.
    fn pipe(text: &[u8]) -> (std::path::PathBuf, io::PipeReader, std::thread::JoinHandle<()>) {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = io::pipe().unwrap();
        let text = text.to_owned();
        let write = move || io::Write::write_all(&mut writer, &text).unwrap();
        let thread = std::thread::Builder::new().name("pipe".to_owned()).spawn(write).unwrap();
        (format!("/dev/fd/{}", reader.as_raw_fd()).into(), reader, thread)
    }

    #[test]
    fn packed_or_not_it_is_the_same_file() {
        let text: Vec<u8> = (0..3_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("plain", text.clone()), ("zstd", zstd::encode_all(text.as_slice(), 1).unwrap())] {
            let path = dir.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            let mut source = open(&path).unwrap();
            assert_eq!(identity(&source.head), identity(&text[..HEAD_BYTES]), "{name}");
            for _ in 0..2 {
                let mut read = Vec::new();
                source.bytes.read_to_end(&mut read).unwrap();
                assert!(read == text, "{name}");
                source.bytes = rewound(source.bytes).unwrap();
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_file() {
        let text: Vec<u8> = (0..3_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let marked = [BYTE_ORDER_MARK, &text].concat();
        let dir = tempfile::tempdir().unwrap();
        for bytes in [marked.clone(), zstd::encode_all(marked.as_slice(), 1).unwrap()] {
            let path = dir.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            let mut source = open(&path).unwrap();
            assert_eq!(source.head, text[..HEAD_BYTES]);
            for _ in 0..2 {
                let mut read = Vec::new();
                source.bytes.read_to_end(&mut read).unwrap();
                assert!(read == text);
                source.bytes = rewound(source.bytes).unwrap();
            }
        }
        let (path, _reader, writer) = pipe(&marked);
        let mut source = open(&path).unwrap();
        keep(&mut source.bytes).unwrap();
        source.bytes.read_exact(&mut [0; 100]).unwrap();
        let mut all = Vec::new();
        rewound(source.bytes).unwrap().read_to_end(&mut all).unwrap();
        writer.join().unwrap();
        assert!(all == text);
        for (start, rest) in [
            (&b"\xEF\xBB"[..], &b"\xEF\xBB"[..]),
            (b"\xEF\xBB\xBF", b""),
            (b"\xEF\xBB\xBF\xEF\xBB\xBFx", b"\xEF\xBB\xBFx"),
        ] {
            let path = dir.path().join("short");
            std::fs::write(&path, start).unwrap();
            assert_eq!(open(&path).unwrap().head, rest);
        }
    }

    #[test]
    fn a_pipe_begins_again_where_it_was_kept() {
        let text: Vec<u8> = (0..50_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        for taken in [0, 10, HEAD_BYTES, 300_000, text.len()] {
            let (path, _reader, writer) = pipe(&text);
            let mut source = open(&path).unwrap();
            assert_eq!(source.head, text[..HEAD_BYTES]);
            keep(&mut source.bytes).unwrap();
            let mut first = vec![0; taken];
            source.bytes.read_exact(&mut first).unwrap();
            let mut all = Vec::new();
            rewound(source.bytes).unwrap().read_to_end(&mut all).unwrap();
            writer.join().unwrap();
            assert!(first == text[..taken] && all == text, "{taken}");
        }
    }

    #[test]
    fn a_pipe_that_was_not_kept_says_so() {
        let (path, _reader, writer) = pipe(b"a line\n");
        let source = open(&path).unwrap();
        writer.join().unwrap();
        let error = rewound(source.bytes).err().expect("nothing was kept");
        assert!(error.to_string().contains("pipe"), "{error}");
    }

    #[test]
    fn an_identity_is_the_sha_256_of_the_head() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(identity(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn files_of_a_few_bytes_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "a", "\x1f", "abc"] {
            let path = dir.path().join("short");
            std::fs::write(&path, text).unwrap();
            assert_eq!(open(&path).unwrap().head, text.as_bytes());
        }
    }

    #[test]
    fn what_is_packed_twice_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let once = zstd::encode_all(&b"a line\n"[..], 1).unwrap();
        std::fs::write(&path, zstd::encode_all(once.as_slice(), 1).unwrap()).unwrap();
        let error = open(&path).err().expect("packed twice").to_string();
        assert!(error.contains("compressed twice, with zstd inside") && error.contains("zstd -dc"), "{error}");
    }
}
