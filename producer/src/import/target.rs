//! Where an import goes: into the log itself, or through the gateway of the process that owns it.

use slipstream_log::SharedLog;
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;

use super::chunk::Chunk;
use super::error::ImportError;
use super::remote::Remote;
use super::{position, standing};

/// Where an import goes.
#[derive(Clone)]
pub enum Target {
    /// Into a log that this process may write.
    Log(SharedLog),
    /// Through a gateway.
    Gateway(Remote),
}

impl Target {
    /// Bytes of one step's records, about. What goes through a gateway grows to two or three times of that as JSON, and
    /// must be within its limit for a body.
    pub(super) fn step_bytes(&self) -> usize {
        match self {
            Target::Log(_) => 4 << 20,
            Target::Gateway(_) => 1 << 20,
        }
    }

    /// The positions of files that begin with `head`. From here on, and through a gateway from the first step on, an import
    /// that still runs elsewhere commits nothing behind our back (L5). `None` if it was shut down before.
    pub(super) async fn alike(
        &self,
        head: &[u8],
        shutdown: &Shutdown,
    ) -> Result<Option<Vec<ImportPosition>>, ImportError> {
        match self {
            Target::Log(log) => {
                let positions = position::take_over(log.as_ref(), shutdown).await?;
                Ok(positions.map(|positions| standing::alike(head, &positions)))
            }
            Target::Gateway(remote) => remote.find(head, shutdown).await,
        }
    }

    /// Commits a step; true once its fate is known to be good (L6). False if it was shut down before that: the next import
    /// decides it anew from the position in the log.
    pub(super) async fn commit(&self, chunk: &mut Chunk, shutdown: &Shutdown) -> Result<bool, ImportError> {
        let records = std::mem::take(&mut chunk.records);
        match self {
            Target::Log(log) => position::commit(log.as_ref(), &records, &chunk.to, shutdown).await,
            Target::Gateway(remote) => remote.commit(&records, &chunk.from, &chunk.to, shutdown).await,
        }
    }
}
