//! Compressed files as the formats' own tools read them. The gateway has a stricter reader of its own, `gateway/gzip.rs`: what
//! stands behind the end of a body is refused there, and what yields nothing is bounded.
//!
//! - [`container`]: the format of bytes, detected by their start; unsupported formats are named;
//! - [`members`]: gzip and bzip2, whose files are one or more members, perhaps with padding or garbage behind them;
//! - [`ahead`]: a reader that can be looked ahead in.
//!
//! zstd's own decoder continues from frame to frame and skips skippable ones; liblzma's does the same for streams
//! of xz and the padding between them.

mod ahead;
mod container;
mod members;

use std::io::{self, BufRead, Read};

pub(crate) use ahead::Ahead;
pub use container::Foreign;
pub(crate) use container::{Container, container};
pub(crate) use members::Behind;

use members::{Bzip2, Gzip};

/// Memory limit of a decoder: as much as zstd's own tool allows, and more than any preset of xz needs.
const MOST_MEMORY: u64 = 128 << 20;

/// Decompresses a container. `behind` receives the number of bytes after its end.
pub(crate) fn unpack<R: BufRead + Send + 'static>(
    container: Container,
    raw: Ahead<R>,
    behind: &Behind,
) -> io::Result<Box<dyn Read + Send>> {
    let inner: Box<dyn Read + Send> = match container {
        Container::Plain => return Ok(Box::new(raw)),
        Container::Gzip => Box::new(Gzip::new(raw, behind.clone())),
        Container::Bzip2 => Box::new(Bzip2::new(raw, behind.clone())),
        Container::Zstd => Box::new(zstd::Decoder::with_buffer(raw)?),
        Container::Xz => Box::new(xz(raw)?),
    };
    Ok(Box::new(Unpacked { inner, container }))
}

/// Reads streams of xz one behind the other, with the padding that the format allows.
fn xz<R: BufRead>(raw: R) -> io::Result<liblzma::bufread::XzDecoder<R>> {
    let stream = liblzma::stream::Stream::new_stream_decoder(MOST_MEMORY, liblzma::stream::CONCATENATED)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(raw, stream))
}

/// Bytes from a decoder, whose errors name the format and a tool that gives details.
struct Unpacked {
    inner: Box<dyn Read + Send>,
    container: Container,
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => {
                let tool = self.container.tool();
                io::Error::new(kind, format!("decompressing {tool}: {error} (`{tool} -t FILE` may say more)"))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    /// What a tool makes of `bytes`; `None` if it is not installed.
    fn tool(command: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
        let mut tool = Command::new(command[0]);
        tool.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tool.spawn().ok()?;
        let mut stdin = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::Builder::new().spawn(move || drop(stdin.write_all(&bytes))).unwrap();
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Some(output.stdout)
    }

    fn read(bytes: &[u8]) -> (Vec<u8>, io::Result<()>, u64) {
        // A buffer of a few bytes: every boundary is met.
        let mut raw = Ahead::new(BufReader::with_capacity(7, io::Cursor::new(bytes.to_vec())));
        let container = container(raw.peek(512).unwrap()).unwrap();
        let behind = Behind::default();
        let mut out = Vec::new();
        let ended = unpack(container, raw, &behind).unwrap().read_to_end(&mut out);
        (out, ended.map(drop), behind.bytes())
    }

    const TEXT: &[u8] = b"one line\nand another\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A skippable frame of zstd.
    fn skippable(nibble: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_le_bytes();
        [&[0x50 | nibble, 0x2A, 0x4D, 0x18], &length[..], content].concat()
    }

    /// A member of gzip with every optional part in its header.
    fn gzip_with_names(bytes: &[u8]) -> Vec<u8> {
        let builder = flate2::GzBuilder::new().filename("access.log").comment("by hand").extra(vec![1, 2, 3]).mtime(7);
        let mut encoder = builder.write(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_way_of_packing_gives_the_text() {
        let twice = [TEXT, TEXT].concat();
        for (name, packed, text, garbage) in [
            ("gzip", gzip(TEXT), TEXT, 0),
            ("gzip, names in its header", gzip_with_names(TEXT), TEXT, 0),
            ("gzip, two members", [gzip(TEXT), gzip(TEXT)].concat(), &twice, 0),
            ("gzip, an empty member between", [gzip(TEXT), gzip(b""), gzip(TEXT)].concat(), &twice, 0),
            ("gzip, nothing in it", gzip(b""), b"", 0),
            ("gzip, one zero behind", [gzip(TEXT), vec![0]].concat(), TEXT, 0),
            ("gzip, a block of zeros behind", [gzip(TEXT), vec![0; 10_240]].concat(), TEXT, 0),
            ("gzip, garbage behind", [gzip(TEXT), b"garbage".to_vec()].concat(), TEXT, 7),
            ("gzip, half a magic behind", [gzip(TEXT), vec![0x1F]].concat(), TEXT, 1),
            (
                "gzip, zeros and a member behind",
                [gzip(TEXT), vec![0; 3], gzip(TEXT)].concat(),
                TEXT,
                3 + gzip(TEXT).len() as u64,
            ),
            ("bzip2", bzip2(TEXT), TEXT, 0),
            ("bzip2, two streams", [bzip2(TEXT), bzip2(TEXT)].concat(), &twice, 0),
            ("bzip2, nothing in it", bzip2(b""), b"", 0),
            ("bzip2, zeros behind", [bzip2(TEXT), vec![0; 512]].concat(), TEXT, 0),
            ("bzip2, garbage behind", [bzip2(TEXT), b"garbage".to_vec()].concat(), TEXT, 7),
            ("zstd", zstd(TEXT), TEXT, 0),
            ("zstd, two frames", [zstd(TEXT), zstd(TEXT)].concat(), &twice, 0),
            ("zstd, a skippable frame first", [skippable(0, b"four"), zstd(TEXT)].concat(), TEXT, 0),
            ("zstd, the last kind of skippable frame", [skippable(15, b""), zstd(TEXT)].concat(), TEXT, 0),
            (
                "zstd, skippable between and behind",
                [zstd(TEXT), skippable(3, b"x"), zstd(TEXT), skippable(1, b"yz")].concat(),
                &twice,
                0,
            ),
            ("zstd, nothing but a skippable frame", skippable(0, b"four"), b"", 0),
            ("xz", xz(TEXT), TEXT, 0),
            ("xz, two streams", [xz(TEXT), xz(TEXT)].concat(), &twice, 0),
            ("xz, padding between and behind", [xz(TEXT), vec![0; 8], xz(TEXT), vec![0; 4]].concat(), &twice, 0),
            ("plain", TEXT.to_vec(), TEXT, 0),
        ] {
            let (out, ended, behind) = read(&packed);
            ended.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((out.as_slice(), behind), (text, garbage), "{name}");
        }
    }

    #[test]
    fn what_is_broken_gives_what_comes_before_and_an_error_that_names_the_tool() {
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() - 3);
            bytes
        };
        let flipped = |mut bytes: Vec<u8>| {
            let at = bytes.len() - 6;
            bytes[at] ^= 1;
            bytes
        };
        for (tool, packed, before) in [
            ("gzip", cut(gzip(TEXT)), TEXT),
            ("gzip", flipped(gzip(TEXT)), TEXT),
            ("gzip", [gzip(TEXT), cut(gzip(TEXT))].concat(), &[TEXT, TEXT].concat()),
            ("bzip2", [bzip2(TEXT), b"BZh9oops".to_vec()].concat(), TEXT),
            ("zstd", [zstd(TEXT), b"garbage".to_vec()].concat(), TEXT),
            ("zstd", cut(zstd(TEXT)), b""),
            ("xz", [xz(TEXT), vec![0; 3]].concat(), TEXT),
            ("xz", [xz(TEXT), b"garbage.".to_vec()].concat(), TEXT),
        ] {
            let (out, ended, _) = read(&packed);
            let error = ended.unwrap_err().to_string();
            assert!(error.starts_with(&format!("decompressing {tool}: ")) && error.contains("-t FILE"), "{error}");
            assert!(before.starts_with(&out) || out.starts_with(before), "{tool}: {out:?}");
        }
    }

    #[test]
    fn what_the_tools_pack_is_read_and_what_we_read_is_what_they_read() {
        let text: Vec<u8> = (0..40_000).flat_map(|i| format!("line {i} of a log\n").into_bytes()).collect();
        let mut tried = 0;
        for pack in [
            &["gzip", "-1"][..],
            &["gzip", "-9", "--rsyncable"],
            &["zstd", "-19"],
            &["zstd", "--long=27", "-T2"],
            &["pzstd", "-p", "2"],
            &["xz", "-9"],
            &["xz", "-0", "--block-size=65536", "-T2"],
            &["bzip2", "-9"],
            &["pigz"],
            &["lbzip2"],
            &["pbzip2"],
        ] {
            let Some(packed) = tool(pack, &text).filter(|packed| !packed.is_empty()) else { continue };
            let (out, ended, behind) = read(&packed);
            ended.unwrap_or_else(|error| panic!("{pack:?}: {error}"));
            assert!(out == text && behind == 0, "{pack:?}");
            tried += 1;
        }
        assert!(tried > 0, "gzip, at least, is on every machine that builds this");
    }
}
