//! An import: lines are read in a thread of their own while the log commits those before.

use std::path::{Path, PathBuf};

use slipstream_log::SharedLog;
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use tokio::task::spawn_blocking;

use super::chunk::{self, Chunk, Chunks};
use super::error::ImportError;
use super::position::{self, Positions};
use super::source;
use super::{FIRST_REJECTED, Format, Options, Progress, Summary};

/// Imports a file, or what was added to it since it was imported. A shutdown ends it behind a step; the next import goes
/// on there. Lines are committed in their order, each once (L2): what a line became and that it was read are one step.
///
/// # Errors
/// When the file cannot be read or is not the one that was imported, or the log fails for good; what was committed stays.
pub async fn import_file(
    log: SharedLog,
    path: &Path,
    options: &Options,
    progress: &mut (dyn FnMut(&Progress) + Send),
    shutdown: &Shutdown,
) -> Result<Summary, ImportError> {
    if options.format != Format::Json && options.service.is_none() {
        return Err(ImportError::NoService);
    }
    let Some(positions) = position::take_over(log.as_ref(), shutdown).await? else {
        return Ok(Summary::default());
    };
    let (path, options) = (path.to_owned(), options.clone());
    let (at, chunks) = spawn_blocking(move || begin(path, options, positions)).await??;
    let already_imported = at.lines as u64;
    let summary = Summary { already_imported, shift: at.shift, finished: at.finished, ..Summary::default() };
    pump(log, chunks, summary, progress, shutdown).await
}

/// Opens a file and goes to where it stands.
fn begin(path: PathBuf, options: Options, positions: Positions) -> Result<(ImportPosition, Chunks), ImportError> {
    let open = || source::open(&path).map_err(|source| ImportError::Read { path: path.clone(), line: 0, source });
    let file = open()?;
    let mut at = position::of(&file.head, &path, positions);
    if at.lines == 0
        && let Some(to) = options.shift_to
        && let Some(last) = chunk::last_time(open()?, &path, &options)?
    {
        at.shift = to.0 - last.0;
    }
    let chunks = Chunks::resume(file, &path, at.clone(), &options)?;
    Ok((at, chunks))
}

/// Commits one chunk while the next is made.
async fn pump(
    log: SharedLog,
    mut chunks: Chunks,
    mut summary: Summary,
    progress: &mut (dyn FnMut(&Progress) + Send),
    shutdown: &Shutdown,
) -> Result<Summary, ImportError> {
    let mut bytes = 0;
    let mut making = spawn_blocking(move || (chunks.next(), chunks));
    loop {
        let (made, mut rest) = making.await?;
        let Some(chunk) = made? else {
            summary.finished = true;
            return Ok(summary);
        };
        making = spawn_blocking(move || (rest.next(), rest));
        let Chunk { records, from, to, rejected } = chunk;
        let committed = match shutdown.is_cancelled() {
            true => Ok(false),
            false => position::commit(log.as_ref(), records, &to, shutdown).await,
        };
        if !matches!(committed, Ok(true)) {
            // The thread is ours: it ends before we do.
            drop(making.await?);
            summary.finished = false;
            return committed.map(|_| summary);
        }
        summary.lines += (to.lines - from.lines) as u64;
        summary.events += (to.events - from.events) as u64;
        summary.rejected += (to.rejected - from.rejected) as u64;
        bytes += (to.bytes - from.bytes) as u64;
        let room = FIRST_REJECTED.saturating_sub(summary.first_rejected.len());
        summary.first_rejected.extend(rejected.into_iter().take(room));
        let Summary { lines, events, rejected, .. } = summary;
        progress(&Progress { lines, events, rejected, bytes });
    }
}
