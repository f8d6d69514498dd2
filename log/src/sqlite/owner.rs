//! A data directory has one owner: an advisory lock that dies with its process, and beside it, for people, the name of the holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Name of the lock file in the data directory.
pub const LOCK_FILE: &str = "owner.lock";

/// The owner of a data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process.
    pub pid: u32,
    /// Program and subcommand it was started with.
    pub command: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Address of its gateway, such as `http://127.0.0.1:8480`: what may not be written into the directory can be sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// Why a directory could not be taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// Another process has it; `None` if its entry cannot be read.
    Owned(Option<Owner>),
    /// The lock file cannot be made or written.
    Unusable(std::io::Error),
}

/// Ownership of a data directory, until dropped or until the process ends.
#[derive(Debug)]
pub(super) struct OwnerLock {
    file: File,
}

impl OwnerLock {
    /// Takes the directory, or returns its owner.
    pub(super) fn take(dir: &Path) -> Result<OwnerLock, NotTaken> {
        let path = dir.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(NotTaken::Unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NotTaken::Owned(owner(dir))),
            Err(TryLockError::Error(cause)) => return Err(NotTaken::Unusable(cause)),
        }
        introduce(&file, None).map_err(NotTaken::Unusable)?;
        Ok(OwnerLock { file })
    }

    /// Says where the gateway of this process listens.
    pub(super) fn announce(&self, gateway: &str) -> std::io::Result<()> {
        introduce(&self.file, Some(gateway.to_owned()))
    }
}

/// Who wrote the lock file; `None` if it cannot be read.
pub(super) fn owner(dir: &Path) -> Option<Owner> {
    let text = std::fs::read_to_string(dir.join(LOCK_FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

fn introduce(mut file: &File, gateway: Option<String>) -> std::io::Result<()> {
    // Program and subcommand: what follows may hold addresses with tokens.
    let command =
        std::env::args_os().take(2).map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let owner = Owner { pid: std::process::id(), command, since: jiff::Timestamp::now().to_string(), gateway };
    let text = serde_json::to_string(&owner)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}
