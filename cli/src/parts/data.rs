//! The data directory in `--data`.

use std::path::Path;

use anyhow::{Result, bail};

/// Passing a file instead of a directory is the most common mistake in `--data`, so it has its own message.
pub(super) fn no_file(data: &Path) -> Result<()> {
    if data.is_file() {
        bail!("{}: a file, not a directory; pass a directory to --data", data.display());
    }
    Ok(())
}
