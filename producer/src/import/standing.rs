//! Which of the files in the log a file is.
//!
//! A file is identified by its head, and verified by a hash of everything that was read of it: a file that starts like
//! one that was imported, with the same bytes up to the position of that import, is that file, grown or not. If it
//! differs before, it is another file. So two logs may start the same way, and each is imported in full.

use std::io::{self, BufRead};
use std::path::Path;

use slipstream_schemas::records::ImportPosition;

use super::lines::Lines;
use super::position::Positions;
use super::source;

/// The positions of files that start with `head`, or did while they were shorter than a head.
pub(crate) fn alike(head: &[u8], positions: &Positions) -> Vec<ImportPosition> {
    let begins = begins(head);
    positions.values().filter(|position| !was_misread(position) && begins(position)).cloned().collect()
}

/// Tells which positions are of files that begin with `head`.
pub(crate) fn begins(head: &[u8]) -> impl Fn(&ImportPosition) -> bool {
    let identity = source::identity(head);
    move |position| {
        let length = usize::try_from(position.head).unwrap_or_default();
        let (hash, _) = name(&position.file);
        match length {
            0 => false,
            length if length == head.len() => hash == identity,
            length => head.get(..length).is_some_and(|shorter| hash == source::identity(shorter)),
        }
    }
}

/// Whether an import found no event at all in a file: most likely the format was wrong, so the file may be imported
/// again from its beginning.
pub(crate) fn was_misread(position: &ImportPosition) -> bool {
    // A single line without an end says nothing about the format.
    let only_a_beginning = position.rejected == 1 && position.unfinished > 0;
    position.finished && position.events == 0 && position.rejected > 0 && !only_a_beginning
}

/// Which file it is, among those that start the same way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The one with this index, of which everything that was read is still there.
    Same(usize),
    /// It has ended before it could differ from the one with this index.
    Shorter(usize),
    /// None of them.
    Another,
}

/// Reads a file as far as needed to decide.
pub(super) fn find(lines: &mut Lines<impl BufRead>, known: &[ImportPosition]) -> io::Result<Standing> {
    let mut places: Vec<i64> = known.iter().flat_map(|known| claims(known).map(|(bytes, _)| bytes)).collect();
    places.sort_unstable();
    places.dedup();
    let mut alike: Vec<usize> = (0..known.len()).collect();
    for place in places {
        if alike.is_empty() || !lines.pass(place as u64)? {
            break;
        }
        let hash = lines.trail().hash();
        let differs = |(bytes, claimed): (i64, Option<i64>)| bytes == place && claimed.is_some_and(|c| c != hash);
        alike.retain(|index| !claims(&known[*index]).any(differs));
    }
    let has = lines.trail().bytes() as i64;
    let (same, shorter): (Vec<usize>, Vec<usize>) = alike.into_iter().partition(|index| known[*index].bytes <= has);
    let longest = |of: Vec<usize>| of.into_iter().max_by_key(|index| known[*index].bytes);
    Ok(longest(same).map(Standing::Same).or(longest(shorter).map(Standing::Shorter)).unwrap_or(Standing::Another))
}

/// Offsets in a file, and the hash up to there if one was kept.
fn claims(known: &ImportPosition) -> impl Iterator<Item = (i64, Option<i64>)> {
    let checks = known.checks.iter().map(|check| (check.bytes, Some(check.hash)));
    checks.chain([(known.bytes, known.hash)])
}

/// The position of a new file among those that start the same way.
pub(super) fn new(head: &[u8], path: &Path, alike: &[ImportPosition]) -> ImportPosition {
    let identity = source::identity(head);
    let ordinals = alike.iter().map(|known| name(&known.file)).filter(|(hash, _)| *hash == identity);
    let file = match ordinals.map(|(_, ordinal)| ordinal).max() {
        None => identity,
        Some(last) => format!("{identity}-{}", last + 1),
    };
    ImportPosition {
        file,
        head: head.len() as i64,
        path: path.display().to_string(),
        lines: 0,
        bytes: 0,
        events: 0,
        rejected: 0,
        shift: 0,
        unfinished: 0,
        finished: false,
        hash: None,
        checks: Vec::new(),
        reading: None,
    }
}

/// Whether this may be a file's name.
pub(super) fn is_name(file: &str) -> bool {
    let (hash, ordinal) = file.split_once('-').unwrap_or((file, "2"));
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash && ordinal.parse::<u32>().is_ok_and(|n| n > 1 && n.to_string() == ordinal)
}

/// The hash in a file's name, and which it is of the files that begin alike, from 1.
fn name(file: &str) -> (&str, u32) {
    let (hash, ordinal) = file.split_once('-').unwrap_or((file, "1"));
    (hash, ordinal.parse().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, bytes: usize) -> ImportPosition {
        let mut lines = Lines::new(BufReader::new(text.as_bytes()));
        assert!(lines.pass(bytes as u64).unwrap());
        let (hash, checks) = (Some(lines.trail().hash()), lines.trail().checks().to_vec());
        let head = &text.as_bytes()[..text.len().min(source::HEAD_BYTES)];
        ImportPosition { bytes: bytes as i64, hash, checks, ..new(head, Path::new("known"), &[]) }
    }

    fn standing(text: &str, known: &[ImportPosition]) -> Standing {
        find(&mut Lines::new(BufReader::with_capacity(999, text.as_bytes())), known).unwrap()
    }

    fn log(host: &str, lines: usize) -> String {
        let health = "GET /health 200\n".repeat(500);
        health + &(0..lines).map(|n| format!("{host} GET /{n} 200\n")).collect::<String>()
    }

    #[test]
    fn a_file_is_the_one_that_was_read_however_it_has_grown() {
        let (short, long) = (log("a", 100), log("a", 900));
        let known = [read(&short, short.len())];
        for text in [&short, &long] {
            assert_eq!(standing(text, &known), Standing::Same(0));
        }
        let both = [read(&short, 5_000), read(&long, long.len()), read(&short, short.len())];
        assert_eq!(standing(&long, &both), Standing::Same(1), "the one that is furthest");
        assert_eq!(standing(&log("a", 500), &both), Standing::Same(2));
    }

    #[test]
    fn a_file_that_begins_alike_and_goes_on_otherwise_is_another() {
        let (a, b) = (log("a", 100), log("b", 100));
        for (known, text) in [(&a, &b), (&a, &log("b", 70)), (&a, &log("b", 900)), (&log("a", 900), &b)] {
            assert_eq!(standing(text, &[read(known, known.len())]), Standing::Another);
        }
        let edited = a.replacen("a GET /5 200", "a GET /5 500", 1);
        assert_eq!(standing(&edited, &[read(&a, a.len())]), Standing::Another);
        assert_eq!(standing(&b, &[]), Standing::Another);
    }

    #[test]
    fn a_file_that_was_cut_is_not_taken_for_another() {
        let text = log("a", 900);
        for cut in [4_096, 5_000, text.len() - 1] {
            assert_eq!(standing(&text[..cut], &[read(&text, text.len())]), Standing::Shorter(0), "{cut}");
        }
    }

    #[test]
    fn without_a_hash_what_begins_alike_is_the_same() {
        let (a, b) = (log("a", 100), log("b", 200));
        let former = ImportPosition { hash: None, checks: Vec::new(), ..read(&a, a.len()) };
        assert_eq!(standing(&b, std::slice::from_ref(&former)), Standing::Same(0));
        assert_eq!(standing(&a[..a.len() - 1], &[former]), Standing::Shorter(0));
    }

    #[test]
    fn files_that_begin_alike_have_names_of_their_own() {
        let (head, path) = (b"head", Path::new("p"));
        let first = new(head, path, &[]);
        let second = new(head, path, std::slice::from_ref(&first));
        let third = new(head, path, &[second.clone(), first.clone()]);
        assert_eq!(first.file, source::identity(head));
        assert_eq!((second.file, third.file), (format!("{}-2", first.file), format!("{}-3", first.file)));
        let shorter = new(b"he", path, &[]);
        assert_eq!(
            new(head, path, &[shorter]).file,
            first.file,
            "one that was known by a shorter head has another name"
        );
    }
}
