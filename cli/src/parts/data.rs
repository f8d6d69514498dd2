//! The data directory as people give it.

use std::path::Path;

use anyhow::{Result, bail};

/// A file where a directory is expected is the commonest slip in `--data`: it is named as that.
pub(super) fn no_file(data: &Path) -> Result<()> {
    if data.is_file() {
        bail!("{}: a file, not a directory; give --data a directory", data.display());
    }
    Ok(())
}
