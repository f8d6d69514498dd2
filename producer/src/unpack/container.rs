//! The format of bytes, detected by their start, whatever the file's name.

use std::fmt;

/// A format that is unpacked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// Not compressed: the bytes are the text.
    Plain,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Container {
    /// The tool that reads and writes it.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Container::Plain => "cat",
            Container::Gzip => "gzip",
            Container::Zstd => "zstd",
            Container::Xz => "xz",
            Container::Bzip2 => "bzip2",
        }
    }
}

/// A format that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    what: &'static str,
    /// The command that converts such a file to text.
    command: &'static str,
}

impl Foreign {
    /// Something that is packed once more than it looks.
    pub(crate) fn twice(container: Container) -> Option<Foreign> {
        let (what, command) = match container {
            Container::Plain => return None,
            Container::Gzip => ("compressed twice, with gzip inside", "gzip -dc"),
            Container::Zstd => ("compressed twice, with zstd inside", "zstd -dc"),
            Container::Xz => ("compressed twice, with xz inside", "xz -dc"),
            Container::Bzip2 => ("compressed twice, with bzip2 inside", "bzip2 -dc"),
        };
        Some(Foreign { what, command })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign { what, command } = self;
        write!(f, "this is {what}, which import cannot read; convert it first: {command} FILE | slipstream import … -")
    }
}

/// Unsupported formats: offset of the magic bytes, the bytes, the name, and the command that converts them to text.
const FOREIGN: [(usize, &[u8], &str, &str); 21] = [
    (0, &[0x04, 0x22, 0x4D, 0x18], "lz4", "lz4 -dc"),
    (0, &[0x02, 0x21, 0x4C, 0x18], "lz4 (legacy)", "lz4 -dc"),
    (0, &[0x1F, 0x9D], "compress (.Z)", "gzip -dc"),
    (0, &[0x1F, 0x1E], "pack (.z)", "gzip -dc"),
    (0, &[0x1F, 0xA0], "LZH (.z)", "gzip -dc"),
    (0, b"PK\x03\x04", "a zip archive", "unzip -p"),
    (0, b"PK\x05\x06", "an empty zip archive", "unzip -p"),
    (0, b"PK\x07\x08", "a split zip archive", "unzip -p"),
    (0, b"7z\xBC\xAF\x27\x1C", "a 7z archive", "7z x -so"),
    (0, b"Rar!\x1A\x07", "a rar archive", "unrar p -inul"),
    (0, b"LZIP\x01", "lzip", "lzip -dc"),
    (0, b"\x89LZO\x00\r\n\x1A\n", "lzop", "lzop -dc"),
    (0, &[0x5D, 0x00, 0x00], "lzma (.lzma)", "xz -dc"),
    (0, b"\xFF\x06\x00\x00sNaPpY", "framed snappy", "snzip -dc"),
    (0, b"PAR1", "a Parquet file", "duckdb -c"),
    (0, b"SQLite format 3\0", "an SQLite database", "sqlite3"),
    (257, b"ustar", "a tar archive", "tar -xOf"),
    (0, &[0xFF, 0xFE, 0x00, 0x00], "UTF-32 text", "iconv -f UTF-32 -t UTF-8"),
    (0, &[0x00, 0x00, 0xFE, 0xFF], "UTF-32 text", "iconv -f UTF-32 -t UTF-8"),
    (0, &[0xFF, 0xFE], "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
    (0, &[0xFE, 0xFF], "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
];

/// The format of bytes that start with `head`: 512 bytes, or all if there are fewer.
pub(crate) fn container(head: &[u8]) -> Result<Container, Foreign> {
    match *head {
        [0x1F, 0x8B, ..] => return Ok(Container::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => return Ok(Container::Zstd),
        // A skippable frame: parallel zstd compressors start with one. (So may lz4: then zstd reports the unknown
        // format.)
        [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => return Ok(Container::Zstd),
        [0xFD, b'7', b'z', b'X', b'Z', 0x00, ..] => return Ok(Container::Xz),
        [b'B', b'Z', b'h', b'1'..=b'9', ref block @ ..] if BZIP2_BLOCKS.iter().any(|b| block.starts_with(b)) => {
            return Ok(Container::Bzip2);
        }
        _ => {}
    }
    let known = |(at, mark, ..): &&(usize, &[u8], _, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(mark));
    if let Some(&(_, _, what, command)) = FOREIGN.iter().find(known) {
        return Err(Foreign { what, command });
    }
    match utf_16(head) {
        Some(command) => Err(Foreign { what: "UTF-16 text", command }),
        None => Ok(Container::Plain),
    }
}

/// How a stream of bzip2 continues after its first four bytes: with a block, or with its end.
const BZIP2_BLOCKS: [&[u8]; 2] = [&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];

/// UTF-16 without a mark: of ASCII every other byte is zero. The command that converts it.
fn utf_16(head: &[u8]) -> Option<&'static str> {
    const PAIRS: usize = 16;
    let pairs = || head.chunks_exact(2).take(PAIRS);
    if pairs().len() < PAIRS {
        return None;
    }
    if pairs().all(|pair| pair[0] != 0 && pair[1] == 0) {
        return Some("iconv -f UTF-16LE -t UTF-8");
    }
    pairs().all(|pair| pair[0] == 0 && pair[1] != 0).then_some("iconv -f UTF-16BE -t UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16_of(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn what_is_not_read_is_named_with_the_command_that_unpacks_it() {
        let tar = [&[b'a'; 257][..], b"ustar  \0"].concat();
        let line = r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1"#;
        for (head, what, command) in [
            (&[0x04, 0x22, 0x4D, 0x18, 0x64][..], "lz4", "lz4 -dc"),
            (&[0x1F, 0x9D, 0x90], "compress", "gzip -dc"),
            (b"PK\x03\x04\x14", "zip", "unzip -p"),
            (b"7z\xBC\xAF\x27\x1C\x00", "7z", "7z x -so"),
            (b"Rar!\x1A\x07\x01\x00", "rar", "unrar"),
            (b"LZIP\x01\x0C", "lzip", "lzip -dc"),
            (&[0x5D, 0, 0, 0x80, 0], "lzma", "xz -dc"),
            (&tar, "tar", "tar -xOf"),
            (&[&[0xFF, 0xFE][..], &utf_16_of(line, false)].concat(), "UTF-16", "iconv"),
            (&[&[0xFE, 0xFF][..], &utf_16_of(line, true)].concat(), "UTF-16", "iconv"),
            (&utf_16_of(line, false), "UTF-16", "iconv -f UTF-16LE"),
            (&utf_16_of(line, true), "UTF-16", "iconv -f UTF-16BE"),
        ] {
            let said = container(head).unwrap_err().to_string();
            assert!(said.contains(what) && said.contains(command), "{said}");
        }
    }

    #[test]
    fn text_is_text_whatever_it_begins_with() {
        for head in [
            &b""[..],
            b"a",
            b"BZh9.example.org - - [",
            b"PK - - [",
            b"7z.example.org - - [",
            b"\x1f",
            b"{\"time\":1}",
            b"\xEF\xBB\xBF{}",
            &[0; 512],
            &[&[0; 40][..], b"h - - ["].concat(),
        ] {
            assert_eq!(container(head), Ok(Container::Plain), "{head:?}");
        }
    }
}
