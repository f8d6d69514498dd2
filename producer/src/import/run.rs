//! An import: lines are read in their own thread while the log commits those before.

use std::path::Path;

use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use tokio::task::spawn_blocking;

use super::chunk::{self, Chunk, Chunks};
use super::error::ImportError;
use super::lines::Lines;
use super::source::{self, Source};
use super::standing::{self, Standing};
use super::{FIRST_REJECTED, Format, Options, Summary, Target};

/// Imports a file, or what was added to it since it was imported. A shutdown ends it behind a step; the next import goes
/// on there. Lines are committed in their order, each once (L2): what a line became and that it was read are one step.
/// `progress` is told when the file's position is known, and after each step.
///
/// # Errors
/// When the file cannot be read or is not the one that was imported, or the log fails permanently; what was committed
/// is kept.
pub async fn import_file(
    target: &Target,
    path: &Path,
    options: &Options,
    progress: &mut (dyn FnMut(&Summary) + Send),
    shutdown: &Shutdown,
) -> Result<Summary, ImportError> {
    if options.format != Format::Json && options.service.is_none() {
        return Err(ImportError::NoService);
    }
    let (path, options) = (path.to_owned(), options.clone());
    let opened = path.clone();
    let source = spawn_blocking(move || source::open(&opened)).await??;
    let Some(known) = target.alike(&source.head, shutdown).await? else {
        return Ok(Summary::default());
    };
    let step_bytes = target.step_bytes();
    let begun = spawn_blocking(move || begin(source, &path, &options, &known, step_bytes));
    let Begun { at, notes, chunks } = begun.await??;
    let already_imported = at.lines as u64;
    let summary = Summary { already_imported, shift: at.shift, finished: at.finished, notes, ..Summary::default() };
    pump(target, chunks, summary, progress, shutdown).await
}

/// A file that is about to be read.
struct Begun {
    /// Its position.
    at: ImportPosition,
    /// Notes for people.
    notes: Vec<String>,
    chunks: Chunks,
}

/// Identifies a file among the known ones, and seeks to its position.
fn begin(
    source: Source,
    path: &Path,
    options: &Options,
    known: &[ImportPosition],
    step_bytes: usize,
) -> Result<Begun, ImportError> {
    let Source { head, mut bytes } = source;
    let unreadable = |source| ImportError::Read { path: path.to_owned(), line: 0, source };
    if !known.is_empty() {
        source::keep(&mut bytes).map_err(unreadable)?;
    }
    let mut lines = Lines::new(bytes);
    let (mut at, notes) = match standing::find(&mut lines, known).map_err(unreadable)? {
        Standing::Same(index) => (known[index].clone(), options.without_effect(&known[index])),
        Standing::Shorter(index) => {
            let (has, imported) = (lines.trail().bytes(), known[index].bytes as u64);
            let (path, known) = (path.to_owned(), known[index].path.clone());
            return Err(ImportError::Shrunk { path, known, has, imported });
        }
        Standing::Another => (standing::new(&head, path, known), another(path, known)),
    };
    if at.lines == 0
        && let Some(to) = options.shift_to
    {
        lines = again(lines, 0).map_err(unreadable)?;
        source::keep(lines.reader_mut()).map_err(unreadable)?;
        let last = chunk::last_time(&mut lines, options).map_err(unreadable)?;
        at.shift = last.map_or(0, |last| to.0 - last.0);
    }
    let mut lines = again(lines, at.bytes as u64).map_err(unreadable)?;
    source::let_go(lines.reader_mut());
    let chunks = Chunks::resume(lines, path, at.clone(), options, step_bytes);
    Ok(Begun { at, notes, chunks })
}

/// The file, read up to byte `to` of it.
fn again(lines: Lines<source::Bytes>, to: u64) -> std::io::Result<Lines<source::Bytes>> {
    if lines.trail().bytes() == to {
        return Ok(lines);
    }
    let mut lines = Lines::new(source::rewound(lines.into_reader())?);
    lines.pass(to)?;
    Ok(lines)
}

/// The note about a file that starts like others but is not one of them.
fn another(path: &Path, known: &[ImportPosition]) -> Vec<String> {
    let path = path.display().to_string();
    let Some(like) = known.iter().find(|known| known.path == path).or(known.first()) else { return Vec::new() };
    // A pipe may have other content each time.
    let is_a_place = path != source::STDIN && !path.starts_with("/dev/");
    let note = match like.path == path && is_a_place {
        true => {
            "its content has changed since it was imported: it is imported again, as a new file, so lines that were \
                 imported before are counted twice"
                .to_owned()
        }
        false => format!("it starts like {} but differs later: it is imported whole, as another file", like.path),
    };
    vec![note]
}

/// Commits one chunk while the next is made.
async fn pump(
    target: &Target,
    mut chunks: Chunks,
    mut summary: Summary,
    progress: &mut (dyn FnMut(&Summary) + Send),
    shutdown: &Shutdown,
) -> Result<Summary, ImportError> {
    progress(&summary);
    let mut making = spawn_blocking(move || (chunks.next(), chunks));
    loop {
        let (made, mut rest) = making.await?;
        let Some(mut chunk) = made? else {
            summary.finished = true;
            summary.notes.extend(rest.notes());
            return Ok(summary);
        };
        making = spawn_blocking(move || (rest.next(), rest));
        let committed = match shutdown.is_cancelled() {
            true => Ok(false),
            false => target.commit(&mut chunk, shutdown).await,
        };
        let Chunk { from, to, rejected, .. } = chunk;
        if !matches!(committed, Ok(true)) {
            // The thread is ours: it ends before we do.
            drop(making.await?);
            summary.finished = false;
            return committed.map(|_| summary);
        }
        summary.lines += (to.lines - from.lines) as u64;
        summary.events += (to.events - from.events) as u64;
        summary.rejected += (to.rejected - from.rejected) as u64;
        let room = FIRST_REJECTED.saturating_sub(summary.first_rejected.len());
        summary.first_rejected.extend(rejected.into_iter().take(room));
        progress(&summary);
    }
}
