//! Opening a file: decompression by its first bytes, and its identity.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// Bytes, decompressed, that a file is known by.
pub(super) const HEAD_BYTES: usize = 4 << 10;
const READ_BYTES: usize = 256 << 10;

/// A file's decompressed bytes, from the beginning.
pub(super) type Bytes = BufReader<Box<dyn Read + Send>>;

/// An opened file.
pub(super) struct Source {
    /// Its first 4 KiB, decompressed; all of it when it is shorter.
    pub head: Vec<u8>,
    /// All of it, the head included.
    pub bytes: Bytes,
}

/// Opens a file; what gzip and zstd begin with is seen from the first bytes, whatever it is called. A gzip file may have
/// several members and a zstd file several frames, as rotation and appending leave them.
pub(super) fn open(path: &Path) -> io::Result<Source> {
    let mut file = File::open(path)?;
    let mut magic = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut magic)?;
    let raw = BufReader::with_capacity(READ_BYTES, Cursor::new(magic.clone()).chain(file));
    let mut bytes: Box<dyn Read + Send> = match magic[..] {
        [0x1F, 0x8B, ..] => Box::new(MultiGzDecoder::new(raw)),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(zstd::Decoder::with_buffer(raw)?),
        _ => Box::new(raw),
    };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    bytes.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(bytes));
    Ok(Source { head, bytes: BufReader::with_capacity(READ_BYTES, whole) })
}

/// The identity of a file that begins with `head`: SHA-256 in hex.
pub(super) fn identity(head: &[u8]) -> String {
    hex(&Sha256::digest(head))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_gzip_and_zstd_are_the_same_file_also_in_several_parts() {
        let text: Vec<u8> = (0..3_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let (a, b) = text.split_at(10_000);
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let forms = [
            ("plain", text.clone()),
            ("gzip", gzip(&text)),
            ("gzip, two members", [gzip(a), gzip(b)].concat()),
            ("zstd", zstd(&text)),
            ("zstd, two frames", [zstd(a), zstd(b)].concat()),
        ];
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in forms {
            let path = dir.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            let mut source = open(&path).unwrap();
            assert_eq!(identity(&source.head), identity(&text[..HEAD_BYTES]), "{name}");
            let mut read = Vec::new();
            source.bytes.read_to_end(&mut read).unwrap();
            assert!(read == text, "{name}");
        }
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
}
